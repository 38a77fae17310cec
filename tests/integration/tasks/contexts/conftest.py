"""A worker's means: it may call 127.0.0.1, and every name of these tests is that, or 127.0.0.2, which it may not."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.gits import GitServer, Repository, git_server, make_repository
from tests.outside import Authority, authority

from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound
from entrepot.tasks.context import parse_context
from entrepot.tasks.contexts.fetching import fetch
from entrepot.tasks.contexts.model import Bounds, Fetched, Means

PRIVATE = "private.example"
FORBIDDEN = "127.0.0.2"


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"), "127.0.0.1", "git.example", "registry.example")


@pytest.fixture(scope="session")
def outbound(ca: Authority) -> Iterator[Outbound]:
    def resolve(host: str, _port: int) -> list[str]:
        return [FORBIDDEN if host == PRIVATE else "127.0.0.1"]

    made = Outbound(Permitted.of(["127.0.0.1"]), ca.trusting, resolve=resolve)
    yield made
    made.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    made = tmp_path / "workspace"
    made.mkdir()
    return made


MakeMeans = Callable[..., Means]


@pytest.fixture
def means_of(tmp_path: Path, outbound: Outbound) -> MakeMeans:
    scratch = tmp_path / "scratch"

    def make(bounds: Bounds | None = None, **fields: object) -> Means:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        return Means(outbound, scratch, bounds or Bounds(seconds=60), **fields)  # type: ignore[arg-type]  any of its own

    return make


Fetch = Callable[..., Fetched]


@pytest.fixture
def fetched(workspace: Path, means_of: MakeMeans) -> Fetch:
    """The context of a text, in the workspace, which is emptied before."""

    def of(text: str, token: str = "", **fields: object) -> Fetched:
        shutil.rmtree(workspace)
        workspace.mkdir()
        return fetch(parse_context(text, token), workspace, means_of(**fields))

    return of


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    """What the server of a test serves."""
    made = tmp_path / "repositories"
    made.mkdir()
    return made


@pytest.fixture
def server(repositories: Path) -> Iterator[GitServer]:
    with git_server(repositories) as running:
        yield running


@pytest.fixture
def app(repositories: Path) -> Repository:
    """With one commit on main."""
    made = make_repository(repositories / "app.git")
    made.commit("first", {"Dockerfile": "FROM scratch\n", "src/Dockerfile": "FROM scratch\nCOPY . /\n"})
    return made
