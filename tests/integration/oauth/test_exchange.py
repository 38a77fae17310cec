"""A token of the directory becomes a refresh token of the registry. Source: ACR-REFERENCE 4.2, 4.5; AZ-CLI-FLOWS 5."""

from uuid import uuid4

import jwt
import pytest
from sqlalchemy import Connection, select, update
from tests.directory import ADA, AZURE_CLI, HERE, a_code, add_application, add_person, endpoints
from tests.integration.accounts import directory_token, key_of
from tests.integration.oauth.forms import SERVICE, access_of, ask, claims_of, exchange, post, refresh_token
from tests.integration.rows import add_principal, add_registry
from tests.registry import BEGINNING, OWNER, Registry

from entrepot.access.builtin_roles import OWNER as OWNER_ROLE
from entrepot.access.keys import Use
from entrepot.access.queries import Assignment, insert_role
from entrepot.db.access_tables import credential, principal, role_assignment
from entrepot.db.tables import registry as registry_table


async def test_az_signs_in_and_gets_tokens_for_what_it_asks(registry: Registry) -> None:
    """The walk of AZ-CLI-FLOWS 5: challenge, exchange, token, call."""
    challenge = await registry.nobody.get("/v2/")
    assert challenge["www-authenticate"] == 'Bearer realm="http://localhost:5000/oauth2/token",service="localhost:5000"'
    refresh = await refresh_token(registry)
    answer = await ask(registry, "registry:catalog:*", grant_type="refresh_token", refresh_token=refresh)
    client = registry.nobody.bearing(answer.json()["access_token"])
    assert (await client.get("/v2/_catalog")).status == 200


async def test_the_answer_is_a_refresh_token_and_nothing_else(registry: Registry) -> None:
    answer = await exchange(registry, directory_token(registry))
    assert list(answer.json()) == ["refresh_token"]
    assert answer["content-type"] == "application/json; charset=utf-8"
    assert answer["cache-control"] == "no-store"


async def test_a_refresh_token_says_what_acr_s_says_in_acr_s_order(registry: Registry) -> None:
    tenant = claims_of(directory_token(registry))["tid"]
    answer = await exchange(registry, directory_token(registry), tenant=tenant)
    claims = claims_of(answer.json()["refresh_token"])
    assert list(claims)[:-1] == [
        *("jti", "sub", "nbf", "exp", "iat", "iss", "aud", "version", "rid"),
        *("grant_type", "appid", "tenant", "permissions", "roles"),
    ]
    assert len(claims["jti"]) == 36
    assert claims["exp"] - claims["nbf"] == 11_700
    assert claims["nbf"] == claims["iat"] == registry.clock.now.timestamp() - 900
    assert (claims["version"], claims["grant_type"], claims["appid"]) == ("1.0", "refresh_token", OWNER)
    assert claims["permissions"] == {"actions": ["read", "write", "delete", "metadata/read", "metadata/write"]}
    assert "tenant" not in claims_of(await refresh_token(registry))


@pytest.mark.parametrize(
    "audience",
    [
        "https://containerregistry.azure.net",
        "https://containerregistry.azure.net/",
        "https://management.azure.com/",
        "https://management.core.windows.net",
        "http://localhost:5000",
        "http://localhost:5000/",
        "http://entrepot.localhost:5000",
    ],
)
async def test_an_audience_that_registries_take(registry: Registry, audience: str) -> None:
    assert (await exchange(registry, directory_token(registry, audience=audience))).status == 200


@pytest.mark.parametrize(
    "audience",
    [
        "https://graph.microsoft.com",
        "https://localhost:5000",
        "http://localhost:5001",
        "http://second.entrepot.localhost:5000",
        "https://containerregistry.azure.net.evil.example",
        "https://containerregistry.azure.net//",
        "api://containerregistry.azure.net",
        "http://[",
        "",
    ],
)
async def test_an_audience_that_they_do_not_take(registry: Registry, audience: str) -> None:
    answer = await exchange(registry, directory_token(registry, audience=audience))
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")


async def test_a_registry_may_refuse_tokens_for_the_management_api(registry: Registry, start_registry) -> None:
    """ACR's policy azureADAuthenticationAsArmPolicy."""
    registry.query(lambda tx: tx.execute(update(registry_table).values(arm_audience=False)))
    worker = await start_registry()
    for audience in ("https://management.azure.com", "http://localhost:5000"):
        assert (await exchange(worker, directory_token(worker, audience=audience))).status == 401
    assert (await exchange(worker, directory_token(worker))).status == 200


async def test_an_account_without_a_role_gets_no_refresh_token(registry: Registry) -> None:
    registry.query(lambda tx: add_principal(tx, "nobody", "secret", None))
    assert (await exchange(registry, directory_token(registry, "nobody"))).status == 401


async def test_a_token_of_another_tenant_is_refused(registry: Registry) -> None:
    assert (await exchange(registry, directory_token(registry, tenant="0" * 36))).status == 401
    assert (await exchange(registry, directory_token(registry), tenant="0" * 36)).status == 401


@pytest.mark.parametrize("minutes", [61, -6])
async def test_a_directory_token_is_good_in_its_time(registry: Registry, minutes: int) -> None:
    token = directory_token(registry)
    registry.clock.advance(minutes=minutes)
    assert (await exchange(registry, token)).status == 401


async def test_only_a_token_of_the_directory_is_exchanged(registry: Registry) -> None:
    """Not one of the registry's own, nor one that another key signed."""
    access = await registry.token("repository:app:pull")
    for token in (access, await refresh_token(registry), "", "a.b.c", "x" * 20_000):
        assert (await exchange(registry, token)).status == 401


async def test_a_directory_token_that_a_registry_s_key_signed_is_refused(registry: Registry) -> None:
    """Keys have one use each."""
    key = key_of(registry, Use.REGISTRY)
    forged = jwt.encode(claims_of(directory_token(registry)), key.private, key.algorithm, headers={"kid": key.kid})
    assert (await exchange(registry, forged)).status == 401


@pytest.mark.parametrize("grant", ["access_token", "access_token_refresh_token"])
async def test_the_older_name_of_the_grant_is_known(registry: Registry, grant: str) -> None:
    answer = await exchange(registry, directory_token(registry), grant_type=grant, refresh_token="of the directory")
    assert answer.status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"grant_type": "password"},
        {"grant_type": ""},
        {"grant_type": "access_token", "service": "other.example"},
        {"grant_type": "access_token", "service": "second.entrepot.localhost"},
    ],
)
async def test_another_form_is_refused(registry: Registry, fields: dict[str, str]) -> None:
    answer = await post(registry, "/oauth2/exchange", access_token=directory_token(registry), **fields)
    assert answer.status == 400


@pytest.mark.parametrize("service", ["localhost", "127.0.0.1:5000", "local.entrepot.localhost:5000", "LOCALHOST:5000"])
async def test_service_may_be_any_name_of_the_registry(registry: Registry, service: str) -> None:
    assert (await exchange(registry, directory_token(registry), service=service)).status == 200


async def test_a_refresh_token_is_bound_to_its_registry(registry: Registry, start_registry) -> None:
    registry.query(lambda tx: add_registry(tx, "second", "f" * 32))
    worker = await start_registry()
    refresh = await refresh_token(worker)
    body = f"grant_type=refresh_token&refresh_token={refresh}".encode()
    answer = await worker.nobody.post("/oauth2/token", body, {"host": "second.entrepot.localhost:5000"})
    assert answer.status == 401


async def test_a_refresh_token_is_good_under_the_registry_s_other_names(registry: Registry) -> None:
    refresh = await refresh_token(registry)
    body = f"grant_type=refresh_token&scope=repository:app:pull&refresh_token={refresh}".encode()
    answer = await registry.nobody.post("/oauth2/token", body, {"host": "local.entrepot.localhost:5000"})
    assert access_of(answer) == [{"type": "repository", "name": "app", "actions": ["pull"]}]


async def test_tokens_end_with_the_credential_that_they_were_got_with(registry: Registry, start_registry) -> None:
    """Also those that are got later: the chain remembers it."""

    def give_an_end(tx: Connection) -> None:
        tx.execute(update(credential).values(expires_at=registry.clock.now.replace(hour=8)))

    registry.query(give_an_end)
    worker = await start_registry()
    refresh = await refresh_token(worker)
    end = worker.clock.now.replace(hour=8).timestamp()
    assert claims_of(refresh)["exp"] == end
    answer = await ask(worker, "repository:app:pull", grant_type="refresh_token", refresh_token=refresh)
    assert claims_of(answer.json()["access_token"])["exp"] == end
    assert claims_of(refresh)["aud"] == SERVICE


# --- the deprecated form with a refresh token of the directory --------------------------------------------------------


async def refresh_of_ada(registry: Registry, role: str | None = OWNER_ROLE, **changes: str) -> str:
    """What a sign-in of hers gave to az, or to another client."""
    person = add_person(registry)
    if role is not None:
        registry.query(lambda tx: give_role(tx, person.id, role))
    answer = await endpoints(registry).redeem(await a_code(registry, **changes), **changes)
    return answer.json()["refresh_token"]


def give_role(tx: Connection, principal_id: str, role: str) -> None:
    scope = tx.execute(select(role_assignment.c.scope).limit(1)).scalar_one()
    insert_role(tx, Assignment(str(uuid4()), principal_id, role, scope, BEGINNING))


async def test_a_refresh_token_of_the_directory_becomes_one_of_the_registry(registry: Registry) -> None:
    token = await refresh_of_ada(registry)
    answer = await post(registry, "/oauth2/exchange", grant_type="refresh_token", refresh_token=token)
    assert answer.status == 200, answer.body
    refresh = answer.json()["refresh_token"]
    assert (claims_of(refresh)["sub"], claims_of(refresh)["appid"]) == (ADA, AZURE_CLI)
    asked = await ask(registry, "repository:app:pull", grant_type="refresh_token", refresh_token=refresh)
    assert access_of(asked) == [{"type": "repository", "name": "app", "actions": ["pull"]}]


async def test_a_refresh_token_that_is_nobody_s_or_brings_no_role_is_refused(registry: Registry) -> None:
    token = await refresh_of_ada(registry, role=None)
    for fields in (
        {"refresh_token": token},
        {"refresh_token": "made-up"},
        {"access_token": token},
        {"refresh_token": token, "tenant": "0" * 36},
        {},
    ):
        answer = await post(registry, "/oauth2/exchange", grant_type="refresh_token", **fields)
        assert answer.status == 401, fields


async def test_a_refresh_token_of_an_application_opens_no_registry(registry: Registry) -> None:
    """It was agreed to for something else, and the application has not proved that it is itself."""
    application, _ = add_application(registry, "robot", (HERE,), public=True)
    token = await refresh_of_ada(registry, client_id=application.client_id)
    answer = await post(registry, "/oauth2/exchange", grant_type="refresh_token", refresh_token=token)
    assert answer.status == 401


async def test_a_refresh_token_ends_with_its_person(registry: Registry, start_registry) -> None:
    token = await refresh_of_ada(registry)
    registry.query(lambda tx: tx.execute(update(principal).where(principal.c.upn == ADA).values(enabled=False)))
    worker = await start_registry()
    answer = await post(worker, "/oauth2/exchange", grant_type="refresh_token", refresh_token=token)
    assert answer.status == 401
