"""One Docker Engine with a network of its own, and machines on it. It needs root."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.clients import Shell, shell_in
from tests.e2e.docker.dockerd import PRIVATE_ETC, dockerd
from tests.e2e.tasks.engine.machines import Bench, Host, machine

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


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    with folder_for_sockets() as folder:
        (folder / "etc").mkdir()
        within = ["unshare", "--mount", "--net", "sh", "-c", OWN_NETWORK, folder / "etc"]
        with dockerd(within, flags=()) as daemon:
            engine = find(folder / "runs", "tests", daemon.socket)
            yield Host(daemon, engine, engine.site.image)


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
