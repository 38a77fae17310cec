"""containerd: pull and push with ``hosts.toml``, as Kubernetes nodes are set up. The daemon is the tests' own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.e2e import containerd as daemon
from tests.e2e.clients import Shell
from tests.e2e.layouts import Layout
from tests.services import Registry

Ctr = Callable[..., str]


@pytest.fixture(scope="module")
def containerd() -> Iterator[Path]:
    with daemon.containerd() as socket:
        yield socket


@pytest.fixture
def hosts(server: Registry, tmp_path: Path) -> Path:
    return daemon.hosts_for(server, tmp_path / "hosts")


@pytest.fixture
def ctr(shell: Shell, containerd: Path, hosts: Path, server: Registry) -> Ctr:
    identity = [f"--hosts-dir={hosts}", f"--user={server.user}:{server.password}"]

    def run(verb: str, *words: str) -> str:
        known = identity if verb in {"pull", "push"} else []
        return shell.run("ctr", f"--address={containerd}", "images", verb, *known, *words)

    return run


@pytest.fixture
def pushed(shell: Shell, layout: Layout, server: Registry, image: str) -> str:
    """A runnable image of several platforms is in the registry; its digest."""
    index = layout.tagged("v1", layout.index(layout.runnable(), layout.image(architecture="arm64")))
    trust = shell.having(SSL_CERT_FILE=str(server.ca))
    login = ["crane", "auth", "login", server.login_server, f"--username={server.user}", "--password-stdin"]
    trust.run(*login, stdin=server.password)
    trust.run("crane", "push", layout.folder, f"{image}:v1")
    return index.digest


def test_an_image_is_pulled_unpacked_and_kept_under_its_digest(ctr: Ctr, image: str, pushed: str) -> None:
    ctr("pull", f"{image}:v1")
    listed = next(line for line in ctr("list").splitlines() if line.startswith(f"{image}:v1 "))
    assert pushed in listed


def test_an_image_pulled_by_digest_is_complete_for_all_platforms(ctr: Ctr, image: str, pushed: str) -> None:
    ctr("pull", "--all-platforms", f"{image}@{pushed}")
    checked = next(line for line in ctr("check").splitlines() if line.startswith(f"{image}@{pushed} "))
    assert "complete" in checked


def test_what_was_pulled_is_pushed_to_another_repository_byte_for_byte(
    ctr: Ctr, image: str, repository: str, pushed: str, http: httpx.Client
) -> None:
    ctr("pull", "--all-platforms", f"{image}:v1")
    ctr("tag", f"{image}:v1", f"{image}-copy:v1")
    ctr("push", f"{image}-copy:v1")
    copied = http.get(f"/v2/{repository}-copy/manifests/v1")
    assert copied.headers["docker-content-digest"] == pushed
    for child in copied.json()["manifests"]:
        assert http.get(f"/v2/{repository}-copy/manifests/{child['digest']}").status_code == 200


def test_a_wrong_password_is_refused(shell: Shell, containerd: Path, hosts: Path, server: Registry, image: str) -> None:
    pull = ["ctr", f"--address={containerd}", "images", "pull", f"--hosts-dir={hosts}", f"--user={server.user}:wrong"]
    said = shell.refused(*pull, f"{image}:v1").lower()
    assert "401" in said or "unauthorized" in said
