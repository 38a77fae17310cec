"""What `entrepot task exec` runs: files, addresses, vaults and git as a worker has them; else it says no beforehand."""

from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from tests.gits import git_server, make_repository
from tests.outside import answer, ok, serving

from entrepot.cli import main
from entrepot.cli.local_task import Here, Ready, read_here
from entrepot.tasks.execution.model import Fetched, Login
from entrepot.tasks.runs.model import Steps

URL = "https://builds.vault.azure.net/secrets/signing-key"
KEY = f"version: v1.1.0\nsecrets: [{{id: key, keyvault: '{URL}'}}]\nsteps: [{{cmd: 'x {{{{.Secrets.key}}}}'}}]\n"


@pytest.fixture
def here(tmp_path: Path) -> Here:
    for name in ("source", "scratch", "vault"):
        (tmp_path / name).mkdir()
    (tmp_path / "vault" / "signing-key").write_text("correct-horse\n")
    logins = (Login("team.example", "me", "a-password"),)
    vaults = {"Builds": str(tmp_path / "vault")}
    return Here(
        "local-1", "team.example", tmp_path / "source", tmp_path / "scratch", {"bash": "b:1"}, vaults, logins, Event()
    )


def ready(here: Here, text: str, **values: str) -> Ready:
    return read_here(here, Steps(text=text), values)


def test_a_secret_of_a_vault_is_put_in_and_masked_whoever_its_readers_are(here: Here) -> None:
    found = ready(here, KEY, token="another")
    assert found.task.steps[0].cmd == "x correct-horse"
    assert set(found.secrets) == {"correct-horse", "another", "a-password"}


def test_aliases_come_from_files_of_the_source_and_from_addresses(here: Here) -> None:
    (here.source / "near.yaml").write_text("near: of a file\n")
    with serving(lambda _: ok(b"far: of an address\n")) as server:
        sources = f"alias: {{src: [near.yaml, 'http://{server.place}/a']}}"
        found = ready(here, f"version: v1.1.0\n{sources}\nsteps: [{{cmd: bash $near $far}}]")
        assert found.task.steps[0].cmd == "b:1 of a file of an address"


def test_a_builds_git_context_is_fetched_below_the_source(here: Here, tmp_path: Path) -> None:
    app = make_repository(tmp_path / "served" / "app.git")
    commit = app.commit("first", {"src/Dockerfile": "FROM scratch\n"})
    with git_server(tmp_path / "served") as server:
        found = ready(here, f"steps: [{{id: web, build: '-t x {server.url}/app.git#main:src'}}]")
    assert found.fetched == {"web": Fetched("web/src", commit)}
    assert (here.source / "web/src/Dockerfile").read_text() == "FROM scratch\n"


Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """What the command says of a task that it does not run: there is no engine, and it does not look for one."""

    def of(text: str, *more: str) -> str:
        (tmp_path / "acb.yaml").write_text(text)
        assert main(["task", "exec", str(tmp_path / "acb.yaml"), "--engine", str(tmp_path / "none"), *more]) == 2
        return capsys.readouterr().err

    return of


def test_a_secret_that_nobody_has_is_no_empty_text(refused: Refused, tmp_path: Path) -> None:
    assert "there is no vault 'builds' here" in refused(KEY)
    assert "has no secret 'signing-key'" in refused(KEY, "--vaults", f"builds={tmp_path}")


def test_a_context_that_is_not_to_be_had_is_told(refused: Refused) -> None:
    with serving(lambda _: answer(404, b"nothing")) as server:
        said = refused(f"steps: [{{build: '-t x http://{server.place}/app.tgz'}}]")
    assert f"failed to GET http://{server.place}/app.tgz with status 404 Not Found" in said


def test_aliases_that_are_not_there_are_told(refused: Refused) -> None:
    text = "version: v1.1.0\nalias: {src: [absent.yaml]}\nsteps: [{cmd: x}]"
    assert "unable to read absent.yaml" in refused(text)
