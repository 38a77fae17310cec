"""An outside issuer on loopback that the client trusts, and the cache of issuers that asks it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.federated import AUDIENCE
from tests.issuer import OutsideIssuer, outside_issuer
from tests.outside import Authority, authority

from entrepot.identities.federation.credentials import FederatedCredential, federated_credential
from entrepot.identities.federation.issuers import Issuers
from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound

SUBJECT = "repo:org/app:ref:refs/heads/main"


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"), "127.0.0.1")


@pytest.fixture
def issuer(ca: Authority) -> Iterator[OutsideIssuer]:
    with outside_issuer(ca) as running:
        yield running


@pytest.fixture
def issuers(ca: Authority) -> Iterator[Issuers]:
    outbound = Outbound(Permitted.of(["127.0.0.1"]), ca.trusting)
    yield Issuers(outbound)
    outbound.close()


@pytest.fixture
def credential(issuer: OutsideIssuer) -> FederatedCredential:
    return federated_credential(name="main", issuer=issuer.url, audiences=[AUDIENCE], subject=SUBJECT)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)
