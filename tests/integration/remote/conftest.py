"""A registry elsewhere on 127.0.0.1, which the client may call, and what pulls from it."""

from collections.abc import Callable, Iterator

import pytest
from tests.foreign import ForeignRegistry, foreign_registry
from tests.outside import Authority, authority

from entrepot.oci.reference import RepositoryName
from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound
from entrepot.remote.client import RemoteRepository
from entrepot.remote.place import RemotePlace
from entrepot.remote.sign_in import Credentials

REPOSITORY = "team/app"
FORBIDDEN = "127.0.0.2"

# A host, then credentials.
Puller = Callable[..., RemoteRepository]


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    names = ("127.0.0.1", FORBIDDEN, "registry.hub.example", "auth.hub.example", "elsewhere.example")
    return authority(tmp_path_factory.mktemp("ca"), *names)


@pytest.fixture
def hub(ca: Authority) -> Iterator[ForeignRegistry]:
    with foreign_registry(ca) as registry:
        yield registry


@pytest.fixture
def pauses() -> list[float]:
    """How long the client would have waited."""
    return []


@pytest.fixture
def puller(ca: Authority, pauses: list[float]) -> Iterator[Puller]:
    # Every name of these tests is this machine.
    outbound = Outbound(Permitted.of(["127.0.0.1"]), ca.trusting, resolve=lambda _host, _port: ["127.0.0.1"])

    def pull(host: str, credentials: Credentials | None = None) -> RemoteRepository:
        return RemoteRepository(outbound, RemotePlace(host, RepositoryName(REPOSITORY)), credentials, pauses.append)

    yield pull
    outbound.close()
