"""A worker of an agent pool on PostgreSQL, with an engine of its own, beside a server that has none.

With az, and with our own commands.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e.az.cli import Az, az_for, sign_in
from tests.e2e.clients import Shell, shell_in
from tests.e2e.commands.conftest import owners
from tests.e2e.commands.program import Program
from tests.e2e.docker.dockerd import Engine, dockerd
from tests.services import Registry, entrepot, postgres, running, wait_until

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]

# A worker's folder is beside the engine's socket: sockets of runs lie below it, and a path has 107 characters.
STARTS_WITHIN = 60.0


@dataclass(frozen=True)
class Place:
    server: Registry
    url: str
    engine: Engine

    @contextmanager
    def worker(self, pool: str) -> Iterator[None]:
        """As on another machine: a folder, a key and an engine of its own, the catalog and content of the server."""
        folder = self.engine.socket.parent / pool
        said = folder.with_suffix(".log")
        settings = {
            "--data-dir": folder,
            "--pool": pool,
            "--task-engine": self.engine.socket,
            "--blob-url": (self.server.data_dir / "content").as_uri(),
            "--secret-key-file": self.server.data_dir / "secret.key",
            "--port": self.server.login_server.rpartition(":")[2],
        }
        command = [sys.executable, "-m", "entrepot", "worker", *(f"{flag}={value}" for flag, value in settings.items())]
        with said.open("wb") as log, running(command, log, {"ENTREPOT_DATABASE_URL": self.url}) as process:
            wait_until(lambda: process.poll() is not None or b"worker_started" in said.read_bytes(), "it has begun")
            assert process.poll() is None, said.read_text()
            yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    data = tmp_path_factory.mktemp("pool") / "data"
    # The server's own worker takes no runs: whatever runs here, the pool's worker ran.
    with postgres() as url, dockerd() as engine:
        environment = {"ENTREPOT_DATABASE_URL": url, "ENTREPOT_TASK_RUNS": "0"}
        with entrepot(data, environment=environment) as server:
            yield Place(server, url, engine)


@pytest.fixture
def program(place: Place, shell: Shell) -> Program:
    return owners(place.server, shell)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY greeting /\n")
    (folder / "greeting").write_text("hello\n")
    return folder


@pytest.fixture
def az(place: Place, tmp_path: Path) -> Az:
    made = az_for(place.server, shell_in(tmp_path / "az"))
    sign_in(made, place.server.user, place.server.password)
    return made


def test_a_build_waits_for_a_worker_of_its_pool_and_is_followed_to_its_end(
    place: Place, program: Program, source: Path
) -> None:
    build = ("build", source, "--tag", "pool/app:v1", "--pool", "own", "--output", "json")
    run = program.json(*build, "--no-wait")["name"]

    def says_why() -> bool:
        return "entrepot worker --pool own" in program.run("task", "logs", run)

    wait_until(says_why, "the log says why it waits")
    assert "entrepot worker --pool own" in program.run("task", "runs", "--output", "table")
    canceled = program.json(*build, "--no-wait")["name"]
    assert program.json("task", "cancel", canceled)["properties"]["status"] == "Canceled"
    with place.worker("own"):
        log = program.run("task", "logs", run, "--follow")
        assert "Waiting for an agent" in log
        assert f"Run ID: {run} was successful after" in log
        assert "v1" in {tag["name"] for tag in program.json("tag", "list", "pool/app")}
        environment = {"ENTREPOT_DATABASE_URL": place.url, **program.shell.environment}
        listed = Program(Shell(program.shell.folder, environment), place.server).run(
            "workers", "list", "--data-dir", place.server.data_dir
        )
        (row,) = [line for line in listed.splitlines() if " own " in line]
        assert "docker" in row, listed
        assert "0 of 2" in row, listed
        (source / "Dockerfile").write_text("FROM scratch\nCOPY nothing /\n")
        failed = program(*build)
        assert (failed.exit_code, "ended as Failed" in failed.error) == (1, True), failed
        assert "not found" in failed.out


def test_az_builds_in_a_pool(place: Place, az: Az, source: Path) -> None:
    of = ["--registry", "local", "--name", "azpool"]
    az.run("acr", "agentpool", "create", *of, "--count", "2", "--output", "none")
    build = ["acr", "build", "--registry", "local", "--agent-pool", "azpool", "--image", "pool/az:v1", str(source)]
    az.run(*build, "--no-wait", "--output", "none")
    assert az.json("acr", "agentpool", "show", *of, "--queue-count")["count"] == 1
    with place.worker("azpool"):
        said = az.run(*build)
        assert "was successful after" in said, said
    assert az.json("acr", "agentpool", "show", *of, "--queue-count")["count"] == 0
    assert {
        each["agentPoolName"] for each in az.json("acr", "task", "list-runs", "--registry", "local", "--top", "2")
    } == {"azpool"}
