"""Runs on a rootless engine: server, worker and engine belong to one user, who is nobody on the machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.e2e.az.cli import Az, az_for, sign_in
from tests.e2e.clients import shell_in
from tests.e2e.layouts import BUSYBOX, tar_of
from tests.e2e.namespaces import ADDRESS, DOMAIN, named_server, namespaces
from tests.e2e.tasks.conftest import PORT
from tests.e2e.tasks.engine.rootless import USER, Rootless, rootless_engine
from tests.e2e.tasks.test_az_build import tags
from tests.services import running, wait_until

pytestmark = [pytest.mark.xdist_group("rootless"), pytest.mark.timeout(300)]

# Of a run.
PROCESSES = 100
SERVER = f"local.{DOMAIN}:{PORT}"
TOOLS = f"{SERVER}/tools/busybox:1"


@pytest.fixture(scope="module", params=["docker", "podman"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def rootless(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rootless]:
    names = (DOMAIN, f"local.{DOMAIN}")
    with (
        namespaces(tmp_path_factory.mktemp("rootless"), names) as inside,
        rootless_engine(kind, inside, SERVER) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def az(rootless: Rootless, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Az]:
    """Signed in to the user's server, whose registry has the tools."""
    data = rootless.folder / "data"
    data.mkdir()
    os.chown(data, USER, USER)
    folder = tmp_path_factory.mktemp("az")
    flags = (f"--task-engine={rootless.engine.socket}", f"--task-processes={PROCESSES}")
    with named_server(rootless.inside, data, PORT, *flags) as server:
        rootless.trust.write_bytes(server.ca.read_bytes())
        az = az_for(server, rootless.root.of(shell_in(folder / "az")))
        sign_in(az, server.user, server.password)
        docker = rootless.root.of(rootless.engine.seen_from(shell_in(folder / "docker")))
        applets = {f"bin/{name}": BUSYBOX.read_bytes() for name in ("sh", "cat", "id", "mkdir", "nc", "seq", "sleep")}
        # docker gives folders that an archive does not name to root alone.
        docker.run("docker", "import", "-", TOOLS, stdin=tar_of({"./": b"", "bin/": b""} | applets))
        login = ["docker", "login", "--username", server.user, "--password-stdin", SERVER]
        docker.run(*login, stdin=server.password)
        docker.run("docker", "push", TOOLS)
        yield az


def test_a_folder_is_built_and_pushed(az: Az, source: Path, repository: str) -> None:
    (source / "Dockerfile").write_text(f"FROM {TOOLS}\nCOPY greeting /\nRUN cat greeting >/made\n")
    said = az.run("acr", "build", "--registry", "local", "--image", f"{repository}:v1", str(source))
    assert "was successful after" in said, said
    assert tags(az, repository) == ["v1"]


def test_steps_meet_by_their_names_and_nothing_of_them_stays(rootless: Rootless, az: Az, source: Path) -> None:
    """One writes as a user whose files the worker, which is not root, cannot remove by itself."""
    (source / "acb.yaml").write_text(
        f"""\
version: v1.1.0
steps:
  - id: served
    cmd: {TOOLS} sh -c 'while true; do echo it answers | nc -l -p 80; done'
    detach: true
  - id: write
    cmd: {TOOLS} sh -c 'mkdir -m 777 /workspace/open'
  - id: other
    cmd: {TOOLS} sh -c 'mkdir open/deep && echo written >open/deep/file && id -u'
    user: "1000"
  - cmd: {TOOLS} sh -c 'cat open/deep/file; until nc served 80 </dev/null; do sleep 0.1; done'
"""
    )
    said = az.run("acr", "run", "--registry", "local", "--file", "acb.yaml", str(source))
    for line in ("1000", "written", "it answers"):
        assert f"\n{line}\r\n" in said, said
    assert list((rootless.folder / "data" / "tasks").rglob("file")) == []


@pytest.fixture
def listeners(rootless: Rootless, tmp_path: Path) -> Iterator[None]:
    """On loopback, and on the machine's address."""
    with (tmp_path / "log").open("wb") as log, ExitStack() as both:
        for address in ("127.0.0.1", ADDRESS):
            folder = tmp_path / address
            folder.mkdir()
            (folder / "index.html").write_text(f"at {address}\n")
            answers = [sys.executable, "-m", "http.server", "--bind", address, "--directory", folder, "7000"]
            both.enter_context(running([*rootless.root.command, *answers], log))
            ask = [*rootless.root.command, "curl", "--silent", "--fail", f"http://{address}:7000/"]
            wait_until(lambda ask=ask: subprocess.run(ask, check=False).returncode == 0, "it answers")
        yield


@pytest.mark.usefixtures("listeners")
def test_a_step_does_not_reach_what_listens_on_loopback_alone(az: Az) -> None:
    """slirp4netns has an address that may stand for it."""
    asks = " ".join(
        f"(echo GET / HTTP/1.0; echo) | nc -w 3 {address} 7000;" for address in (ADDRESS, "10.0.2.2", "127.0.0.1")
    )
    step = f"{TOOLS} sh -c '{asks} true'"
    said = az.run("acr", "run", "--registry", "local", "--cmd", step, "/dev/null")
    assert f"at {ADDRESS}" in said, said
    assert "at 127.0.0.1" not in said, said


def test_the_check_says_that_the_engine_is_rootless_and_what_it_does_not_bound(
    kind: str, rootless: Rootless, az: Az, tmp_path: Path
) -> None:
    """What it says of processes is what a step meets: a machine with cgroups v1 bounds none."""
    shell = rootless.inside.of(shell_in(tmp_path / "shell"))
    engine = f"--task-engine={rootless.engine.socket}"
    said = shell.run(sys.executable, "-m", "entrepot", "check", "--engine", engine, f"--data-dir={rootless.folder}")
    assert f"engine: {kind} " in said
    assert "rights: rootless" in said
    unbounded = "".join(line for line in said.splitlines() if line.startswith("limit: none for"))
    forks = f"{TOOLS} sh -c 'for each in $(seq {PROCESSES + 50}); do sleep 5 & done; echo all of them'"
    asked = ["acr", "run", "--registry", "local", "--cmd", forks, "/dev/null"]
    if "processes" in unbounded:
        assert "all of them" in az.run(*asked)
    else:
        assert "can't fork" in az.refused(*asked)
