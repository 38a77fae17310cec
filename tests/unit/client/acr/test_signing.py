"""With what ``acr`` asks, and whom."""

import base64
import json
from pathlib import Path

import pytest

from entrepot.client.acr.selecting import Wrong
from entrepot.client.acr.signing import keep, login_server, sign_in

OWN = "team.registry.example:5000"


@pytest.fixture(autouse=True)
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As in a container of a run; its configuration of docker's."""
    monkeypatch.setenv("ACR_DEFAULT_REGISTRY", OWN)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    return tmp_path / ".docker" / "config.json"


def header(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("name", ["", "team", OWN])
def test_the_registry_is_the_runs_own(name: str) -> None:
    assert login_server(name) == OWN


@pytest.mark.parametrize("name", ["other", "team.azurecr.io", "team.registry.example"])
def test_no_other_registry_is_reached(name: str) -> None:
    with pytest.raises(Wrong, match="its own registry alone"):
        login_server(name)


def test_outside_a_run_there_is_no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACR_DEFAULT_REGISTRY")
    with pytest.raises(Wrong, match="unable to determine registry name"):
        login_server("")


def test_dockers_sign_in_is_used(run: Path) -> None:
    run.parent.mkdir()
    run.write_text(json.dumps({"auths": {OWN: {"auth": header("robot:a:b")[6:]}, "x": {}}, "HttpHeaders": {"a": "b"}}))
    assert sign_in(OWN, "", "", []) == header("robot:a:b")
    assert sign_in(OWN, "me", "mine", []) == header("me:mine")


def test_without_a_sign_in_it_says_so(run: Path) -> None:
    with pytest.raises(Wrong, match="unable to resolve authentication"):
        sign_in(OWN, "", "", [])
    run.parent.mkdir()
    run.write_text("no JSON")
    with pytest.raises(Wrong, match="error resolving authentication"):
        sign_in(OWN, "", "", [])


def test_a_sign_in_is_kept_beside_others_for_its_owner_alone(run: Path) -> None:
    run.parent.mkdir()
    run.write_text(json.dumps({"auths": {"x": {"auth": "eA=="}}, "experimental": "enabled"}))
    keep(OWN, header("robot:secret"), [])
    assert sign_in(OWN, "", "", []) == header("robot:secret")
    assert json.loads(run.read_text())["experimental"] == "enabled"
    other = run.with_name("other.json")
    keep(OWN, header("robot:secret"), [str(other)])
    assert other.stat().st_mode & 0o777 == 0o600
