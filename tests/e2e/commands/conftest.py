"""The client commands, signed in as the owner; each test has a home of its own."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.e2e.clients import Shell, http_of
from tests.e2e.commands.program import Plain, Program
from tests.services import Registry, entrepot, postgres


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A server on either database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("server")
        return
    folder = tmp_path_factory.mktemp("postgresql") / "data"
    with postgres() as url, entrepot(folder, environment={"ENTREPOT_DATABASE_URL": url}) as registry:
        yield registry


def owners(server: Registry, shell: Shell) -> Program:
    program = Program(shell, server)
    program.run("login", "--bootstrap", server.data_dir / "bootstrap.json")
    return program


@pytest.fixture
def program(server: Registry, shell: Shell) -> Program:
    return owners(server, shell)


@pytest.fixture
def on_either(either: Registry, shell: Shell) -> Program:
    return owners(either, shell)


@pytest.fixture
def plain(server: Registry) -> Plain:
    return Plain(server)


@pytest.fixture
def plain_either(either: Registry) -> Plain:
    return Plain(either)


@pytest.fixture
def http_either(either: Registry) -> Iterator[httpx.Client]:
    with http_of(either) as client:
        yield client


@pytest.fixture
def elsewhere(server: Registry, tmp_path: Path) -> Program:
    """Nobody is signed in, and there is no data folder."""
    folder = tmp_path / "elsewhere"
    (folder / "home").mkdir(parents=True)
    return Program(Shell(folder, {"HOME": str(folder / "home"), "PATH": "/usr/bin:/bin"}), server)
