"""The stores that the contract is held against; a server starts with the first test that asks for it."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.content.backends import open_backend
from tests.contract.content.servers import Server, azurite, seaweedfs

from entrepot.content.model import ContentStore

OBJECT_STORES = ("local", "s3", "azure")
SHARED = ("folder", *OBJECT_STORES)
EVERY = (*SHARED, "memory")


@dataclass(frozen=True)
class Backend:
    """A store that is empty, and what another process opens to see the same one."""

    store: ContentStore
    spec: str


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture
def s3_backend(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Backend:
    return _served(s3_server, monkeypatch)


@pytest.fixture
def azure_backend(azure_server: Server, monkeypatch: pytest.MonkeyPatch) -> Backend:
    return _served(azure_server, monkeypatch)


@pytest.fixture
def folder_backend(tmp_path: Path) -> Backend:
    return _opened(f"file://{tmp_path}/store")


@pytest.fixture
def local_backend(tmp_path: Path) -> Backend:
    return _opened(f"local:{tmp_path}")


@pytest.fixture
def memory_backend() -> Backend:
    return _opened("memory:")


@pytest.fixture(params=EVERY)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each store in turn."""
    return request.getfixturevalue(f"{request.param}_backend")


@pytest.fixture
def store(backend: Backend) -> ContentStore:
    return backend.store


def _served(server: Server, monkeypatch: pytest.MonkeyPatch) -> Backend:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return _opened(server.url(f"tests/{uuid.uuid4().hex}"))


def _opened(spec: str) -> Backend:
    return Backend(open_backend(spec), spec)
