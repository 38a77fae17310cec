"""One Docker Engine with a network of its own, and machines on it. It needs root."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.clients import Shell, shell_in
from tests.e2e.docker.dockerd import PRIVATE_ETC, Engine, dockerd
from tests.e2e.tasks.engine.machines import METADATA, Bench, Host, machine
from tests.e2e.tasks.engine.podman import podman_service

from entrepot.tasks.engines.docker.engine import find

# Bridges and firewall rules are made where nobody else sees them.
OWN_NETWORK = PRIVATE_ETC + 'ip link set lo up; exec "$@"'


@contextmanager
def folder_for_sockets() -> Iterator[Path]:
    """Their paths have to be short."""
    folder = Path(tempfile.mkdtemp(prefix="engine-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def docker_host() -> Iterator[Host]:
    with folder_for_sockets() as folder, dockerd(_own_network(folder), flags=()) as daemon:
        yield _found(folder, daemon)


@contextmanager
def podman_host() -> Iterator[Host]:
    with folder_for_sockets() as folder, podman_service(_own_network(folder)) as daemon:
        yield _found(folder, daemon)


def _own_network(folder: Path) -> list[str | Path]:
    (folder / "etc").mkdir()
    return ["unshare", "--mount", "--net", "sh", "-c", OWN_NETWORK, folder / "etc"]


def _found(folder: Path, daemon: Engine) -> Host:
    engine = find(folder / "runs", "tests", daemon.socket)
    # By a name that a Dockerfile can say.
    engine.site.api.do("POST", f"/images/{engine.site.image}/tag", {"repo": "tools", "tag": "1"})
    return Host(daemon, engine, "tools:1")


_HOSTS = {"docker": docker_host, "podman": podman_host}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Docker, unless the test is marked with engines."""
    if "host" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("engines")
        metafunc.parametrize("host", marked.args if marked else ["docker"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    with _HOSTS[request.param]() as made:
        yield made


@pytest.fixture
def short_folder() -> Iterator[Path]:
    with folder_for_sockets() as folder:
        yield folder


@pytest.fixture
def bench(host: Host, tmp_path: Path) -> Iterator[Bench]:
    with machine(host, tmp_path) as made:
        yield made


@pytest.fixture
def other(host: Host, tmp_path: Path) -> Iterator[Bench]:
    with machine(host, tmp_path) as made:
        yield made


@pytest.fixture
def admin(host: Host, tmp_path: Path) -> Shell:
    """The docker client before the engine itself."""
    return host.daemon.seen_from(shell_in(tmp_path / "admin"))


@pytest.fixture
def metadata(host: Host) -> Iterator[str]:
    """An address that the engine's machine reaches, as a cloud's machine reaches its metadata."""
    enter = ["nsenter", f"--target={host.daemon.process}", "--net", "--", "ip", "address"]
    subprocess.run([*enter, "add", f"{METADATA}/32", "dev", "lo"], check=True)
    yield METADATA
    subprocess.run([*enter, "delete", f"{METADATA}/32", "dev", "lo"], check=True)
