"""A workload gets tokens of its own identity, when the operator turns it on."""

import uuid
from dataclasses import replace

import pytest
from sqlalchemy import Connection, delete
from tests.directory import claims_of, is_good, new, number
from tests.integration.conftest import StartRegistry
from tests.registry import OWNER, OWNER_SECRET, Registry

from entrepot.access.queries import raise_epoch
from entrepot.db.access_tables import credential
from entrepot.identities import applications, queries
from entrepot.identities.applications import Ids
from entrepot.identities.model import NewSecret, Principal

PATH = "/msi/token?api-version=2019-08-01&resource=https://management.azure.com/"


@pytest.fixture
async def registry(start_registry: StartRegistry) -> Registry:
    return await start_registry(identity_endpoint=True)


@pytest.fixture
def header(registry: Registry) -> str:
    def add(tx: Connection) -> tuple[str, NewSecret]:
        ids = Ids(str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4()))
        made = applications.add_managed_identity(tx, ids, queries.tenants(tx)[0].id, "builds", registry.clock())
        return made.client_id or "", applications.add_secret(tx, made.id, new(registry), "header")

    client_id, secret = registry.query(add)
    return f"{client_id}.{secret.value}"


async def test_the_header_gets_a_token_of_its_identity(registry: Registry, header: str):
    answer = (await registry.nobody.having(x_identity_header=header).get(PATH)).json()
    claims = claims_of(answer["access_token"])
    assert (claims["appid"], claims["aud"]) == (header.partition(".")[0], "https://management.azure.com/")
    assert int(answer["expires_on"]) == claims["exp"]


async def test_without_the_header_there_is_nothing(registry: Registry, header: str):
    assert (await registry.nobody.get(PATH)).status == 401
    for wrong in ("", "x", f"{header}x", f"{header.partition('.')[0]}.", f"{OWNER}.{OWNER_SECRET}"):
        assert (await registry.nobody.having(x_identity_header=wrong).get(PATH)).status == 401


async def test_a_header_is_of_one_identity(registry: Registry, header: str):
    http = registry.nobody.having(x_identity_header=header)
    assert (await http.get(f"{PATH}&client_id={header.partition('.')[0]}")).status == 200
    assert number(await http.get(f"{PATH}&client_id={uuid.uuid4()}")) == 9002313


async def test_a_refusal_has_the_members_that_msal_tells(registry: Registry, header: str):
    refused = await registry.nobody.having(x_identity_header=header).get(f"{PATH}&client_id={uuid.uuid4()}")
    told = refused.json()
    assert (told["statusCode"], told["message"]) == (400, told["error_description"])


async def test_it_is_off_unless_the_operator_turns_it_on(start_registry: StartRegistry, header: str):
    registry = await start_registry()
    assert (await registry.nobody.having(x_identity_header=header).get(PATH)).status == 404


# --- as virtual machines get them -------------------------------------------------------------------------------------

MACHINE = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/"


def opened(registry: Registry, name: str = "builds") -> Principal:
    """A managed identity that is open to the machine."""

    def add(tx: Connection) -> Principal:
        ids = Ids(str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4()))
        made = applications.add_managed_identity(tx, ids, queries.tenants(tx)[0].id, name, registry.clock())
        applications.open_to_machine(tx, made.id, new(registry))
        return made

    return registry.query(add)


async def test_a_process_of_the_machine_gets_a_token_of_what_is_open_to_it(registry: Registry, header: str):
    identity = opened(registry)
    answer = (await registry.nobody.having(metadata="true").get(MACHINE)).json()
    claims = claims_of(answer["access_token"])
    assert (claims["appid"], claims["aud"]) == (identity.client_id, "https://management.azure.com/")
    assert (answer["client_id"], int(answer["expires_on"])) == (identity.client_id, claims["exp"])
    assert {type(value) for value in answer.values()} == {str}


async def test_of_several_identities_one_is_named(registry: Registry):
    first, second = opened(registry), opened(registry, "deploys")
    http = registry.nobody.having(metadata="true")
    refused = await http.get(MACHINE)
    assert (refused.status, "several" in refused.json()["error_description"]) == (400, True)
    for asked in (f"client_id={second.client_id}", f"object_id={second.id}"):
        assert (await http.get(f"{MACHINE}&{asked}")).json()["client_id"] == second.client_id
    assert "Identity not found" in (await http.get(f"{MACHINE}&client_id={first.id}x")).json()["error_description"]


@pytest.mark.parametrize(
    ("headers", "peer"),
    [
        ({}, "127.0.0.1"),
        ({"metadata": "false"}, "127.0.0.1"),
        ({"metadata": "true", "x_forwarded_for": "127.0.0.1"}, "127.0.0.1"),
        ({"metadata": "true"}, "10.0.0.9"),
    ],
)
async def test_nobody_else_gets_one(registry: Registry, headers: dict[str, str], peer: str):
    opened(registry)
    http = replace(registry.nobody, peer=peer).having(**headers)
    assert (await http.get(MACHINE)).status == 400


async def test_an_identity_that_is_not_open_has_no_token_for_the_machine(registry: Registry, header: str):
    refused = await registry.nobody.having(metadata="true").get(MACHINE)
    assert (refused.status, "Identity not found" in refused.json()["error_description"]) == (400, True)


async def test_a_machines_token_ends_with_what_opened_it(registry: Registry, until):
    identity = opened(registry)
    token = (await registry.nobody.having(metadata="true").get(MACHINE)).json()["access_token"]
    assert await is_good(registry, token)
    registry.query(lambda tx: _close(tx, identity.id))

    async def has_ended() -> bool:
        return not await is_good(registry, token)

    await until(has_ended)


async def test_the_form_of_machines_is_off_unless_the_operator_turns_it_on(start_registry: StartRegistry):
    registry = await start_registry()
    opened(registry)
    assert (await registry.nobody.having(metadata="true").get(MACHINE)).status == 404


def _close(tx: Connection, principal_id: str) -> None:
    tx.execute(delete(credential).where(credential.c.principal_id == principal_id))
    raise_epoch(tx)
