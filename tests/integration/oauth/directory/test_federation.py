"""An application signs in with a token of an outside issuer, and with no secret at all."""

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from sqlalchemy import Connection
from tests.directory import ARM, add_application, claims_of, endpoints, is_good, new, number
from tests.federated import AUDIENCE, GITHUB
from tests.integration.conftest import StartRegistry
from tests.issuer import OutsideIssuer, outside_issuer
from tests.outside import authority
from tests.registry import Registry
from tests.wire import Answer

from entrepot.identities import queries
from entrepot.identities.federation.credentials import Match, federated_credential
from entrepot.identities.outside import add_federated, remove_federated

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SUBJECT = GITHUB.claims["sub"]


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[OutsideIssuer]:
    ca = tmp_path / "ca"
    ca.mkdir()
    with outside_issuer(authority(ca, "127.0.0.1")) as running:
        yield running


@pytest.fixture
async def registry(start_registry: StartRegistry, issuer: OutsideIssuer, tmp_path: Path) -> Registry:
    """Its clock says what the issuer's does."""
    (ca_file,) = (tmp_path / "ca").glob("ca*.crt")
    made = await start_registry(outbound_allow=(ip_network("127.0.0.0/8"),), outbound_ca_file=ca_file)
    made.clock.now = datetime.now(UTC)
    return made


@pytest.fixture
def robot(registry: Registry, issuer: OutsideIssuer) -> tuple[str, str]:
    """The ids of an application that trusts one subject, and patterns of another: its client's and its principal's."""
    made, _ = add_application(registry)

    def trust(tx: Connection) -> None:
        exact = federated_credential(name="exact", issuer=issuer.url, audiences=[AUDIENCE], subject=SUBJECT)
        pattern = federated_credential(
            name="pattern", issuer=issuer.url, audiences=[AUDIENCE], subject="repo:other/*", match=Match.PATTERN
        )
        add_federated(tx, made.principal_id, new(registry), exact)
        add_federated(tx, made.principal_id, new(registry), pattern)

    registry.query(trust)
    return made.client_id, made.principal_id


async def present(registry: Registry, client_id: str, token: str) -> Answer:
    form = {"client_id": client_id, "client_assertion": token, "client_assertion_type": JWT_BEARER, "scope": ARM}
    return await endpoints(registry).token("client_credentials", **form)


@pytest.mark.parametrize("subject", [SUBJECT, "repo:other/app"])
async def test_a_token_that_a_credential_accepts_signs_in(registry, issuer, robot, subject: str):
    answer = await present(registry, robot[0], issuer.token({"sub": subject, "aud": AUDIENCE}))
    token = answer.json()["access_token"]
    assert claims_of(token)["appid"] == robot[0]
    assert await is_good(registry, token)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sub": "repo:octo-org/other:environment:prod"}, 700213),
        ({"aud": "api://another"}, 700212),
        ({"iss": "https://issuer.example"}, 700211),
        ({"exp": 1}, 700024),
    ],
)
async def test_a_token_that_none_accepts_says_which_part_is_wrong(
    registry, issuer, robot, changes: dict[str, object], code: int
):
    answer = await present(registry, robot[0], issuer.token({"sub": SUBJECT, "aud": AUDIENCE} | changes))
    assert (answer.status, number(answer), answer.json()["error"]) == (401, code, "invalid_client")


async def test_what_was_got_by_a_credential_ends_with_it(registry, issuer, robot):
    client_id, principal = robot
    token = issuer.token({"sub": SUBJECT, "aud": AUDIENCE})
    got = (await present(registry, client_id, token)).json()["access_token"]
    registry.query(lambda tx: remove_federated(tx, principal, "exact"))
    assert not await is_good(registry, got)
    assert number(await present(registry, client_id, token)) == 700213


async def test_an_application_without_one_is_told_so(registry, issuer):
    made, _ = add_application(registry, "another")
    assert number(await present(registry, made.client_id, issuer.token({"sub": SUBJECT, "aud": AUDIENCE}))) == 70021


async def test_a_name_is_one_credential_s(registry, issuer, robot):
    same = federated_credential(name="exact", issuer=issuer.url, audiences=[AUDIENCE], subject="repo:a/b")
    with pytest.raises(Exception, match="RESOURCE_EXISTS"):
        registry.query(lambda tx: add_federated(tx, robot[1], new(registry), same))
    assert [row.name for row in registry.query(lambda tx: queries.federated_of(tx, robot[1]))] == ["exact", "pattern"]
