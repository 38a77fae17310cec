"""Repository tokens. Source: ACR-REFERENCE 4.4, 5.5."""

from datetime import timedelta
from time import perf_counter

import pytest
from sqlalchemy import Connection, insert, select, text
from tests.content import an_image, digest_of
from tests.integration.accounts import make_token, making, registry_id
from tests.integration.registries.test_scope_maps import here, put
from tests.integration.rows import add_registry
from tests.registry import Registry
from tests.wire import Client

from entrepot.access.secrets import hash_generated
from entrepot.db.access_tables import credential, principal, token
from entrepot.errors import Kind, Problem
from entrepot.registries.model import Credentials, Status, TokenPassword
from entrepot.registries.queries import find_token, tokens
from entrepot.registries.scope_maps import Written, delete_scope_map
from entrepot.registries.tokens import (
    Generating,
    TokenChange,
    create_token,
    delete_token,
    generate_passwords,
    keep_passwords,
    update_token,
)

NAME = "ci-token"
READ = "repositories/app/content/read"
WRITE = "repositories/app/content/write"
CONTENT = b"a layer in two halves"


def client_of(registry: Registry, made: Credentials, which: int = 0) -> Client:
    return registry.nobody.signed_in(made.user_name, made.passwords[which].value)


async def status_of(client: Client) -> int:
    return (await client.get("/v2/")).status


async def test_both_passwords_open_what_the_scope_map_says(registry: Registry, start_registry) -> None:
    await registry.repository("app").push(an_image(), "v1")
    made = make_token(registry, NAME, READ)
    worker = await start_registry()
    for which in (0, 1):
        client = client_of(worker, made, which)
        assert (await client.get("/v2/app/manifests/v1")).status == 200
        assert (await client.get("/v2/other/manifests/v1")).status == 401
        assert (await client.get("/v2/_catalog")).status == 401
        bearing = worker.nobody.bearing(await worker.token("repository:app:pull,push", client=client))
        assert (await bearing.get("/v2/app/manifests/v1")).status == 200
        assert (await bearing.post("/v2/app/blobs/uploads/")).status == 401


async def test_a_token_of_one_registry_is_nobody_in_another(registry: Registry, start_registry) -> None:
    """Two may have one name: what was verified for one must not be remembered for the other."""
    registry.query(lambda tx: add_registry(tx, "second", "f" * 32))
    made = make_token(registry, NAME, READ)
    worker = await start_registry()
    there = {"host": "second.entrepot.localhost:5000"}
    client = client_of(worker, made)
    assert await status_of(client) == 200
    assert (await client.get("/v2/", there)).status == 401
    other = make_token(registry, NAME, READ, of="second")
    worker = await start_registry()
    assert (await client_of(worker, other).get("/v2/", there)).status == 200
    assert await status_of(client_of(worker, other)) == 401


async def test_a_password_ends_with_its_time_and_so_do_its_tokens(registry: Registry, start_registry) -> None:
    end = registry.clock.now + timedelta(minutes=30)
    made = make_token(registry, NAME, READ, generating=Generating(expires_at=end))
    worker = await start_registry()
    client = client_of(worker, made)
    answer = await client.get("/oauth2/token?scope=repository:app:pull")
    assert answer.json()["expires_in"] == 1800
    worker.clock.advance(minutes=30)
    assert await status_of(client) == 401
    assert await status_of(worker.nobody.bearing(answer.json()["access_token"])) == 401


async def test_one_password_is_made_anew_and_the_other_one_stays_good(registry: Registry, start_registry) -> None:
    before = make_token(registry, NAME, READ)
    second = Generating((TokenPassword.SECOND,))
    after = here(registry, generate_passwords, NAME, second, making(registry))
    assert [each.name for each in after.passwords] == ["password2"]
    worker = await start_registry()
    statuses = [await status_of(client) for client in (client_of(worker, before, 0), client_of(worker, before, 1))]
    assert (statuses, await status_of(client_of(worker, after))) == ([200, 401], 200)


async def test_a_password_that_is_not_kept_is_gone(registry: Registry, start_registry) -> None:
    made = make_token(registry, NAME, READ)
    kept = here(registry, keep_passwords, NAME, (TokenPassword.SECOND,))
    assert [each.name for each in kept.passwords] == ["password2"]
    worker = await start_registry()
    assert [await status_of(client_of(worker, made, which)) for which in (0, 1)] == [401, 200]


async def test_a_token_that_is_disabled_or_deleted_stops_and_so_does_what_it_got(
    registry: Registry, start_registry
) -> None:
    made = make_token(registry, NAME, READ)
    worker = await start_registry()
    access = await worker.token("repository:app:pull", client=client_of(worker, made))
    here(registry, update_token, NAME, TokenChange(status=Status.DISABLED))
    worker = await start_registry()
    assert await status_of(client_of(worker, made)) == 401
    assert await status_of(worker.nobody.bearing(access)) == 401
    here(registry, update_token, NAME, TokenChange(status=Status.ENABLED))
    worker = await start_registry()
    assert await status_of(client_of(worker, made)) == 200
    assert here(registry, delete_token, NAME)
    assert not here(registry, delete_token, NAME)
    worker = await start_registry()
    assert await status_of(client_of(worker, made)) == 401
    assert registry.query(lambda tx: tx.execute(select(token)).all()) == []


async def test_a_changed_scope_map_counts_from_the_next_access_token_on(registry: Registry, start_registry) -> None:
    made = make_token(registry, NAME, READ)
    put(registry, f"{NAME}-map", Written("", (WRITE,)))
    worker = await start_registry()
    answer = await client_of(worker, made).get("/oauth2/token?scope=repository:app:pull,push")
    bearing = worker.nobody.bearing(answer.json()["access_token"])
    assert (await bearing.post("/v2/app/blobs/uploads/")).status == 202
    assert (await bearing.get("/v2/app/manifests/v1")).status == 401


async def test_a_deleted_scope_map_takes_its_rights_along(registry: Registry, start_registry) -> None:
    """Of the access tokens that are out, too."""
    made = make_token(registry, NAME, READ)
    worker = await start_registry()
    access = await worker.token("repository:app:pull", client=client_of(worker, made))
    here(registry, delete_scope_map, f"{NAME}-map")
    assert here(registry, find_token, NAME).scope_map is None
    worker = await start_registry()
    assert (await client_of(worker, made).get("/v2/app/manifests/v1")).status == 401
    assert (await worker.nobody.bearing(access).get("/v2/app/manifests/v1")).status == 401


@pytest.mark.parametrize(
    "name", ["four", "x" * 51, "with_line", "with space", "a@example.com", "naïve", "a\0bcde", "local"]
)
async def test_a_name_that_acr_refuses_is_refused(registry: Registry, name: str) -> None:
    """The registry's own is its admin account's."""
    with pytest.raises(Problem) as refusal:
        here(registry, create_token, name, "_repositories_pull", making(registry))
    assert refusal.value.kind is Kind.NAME_INVALID


async def test_what_cannot_be_is_refused(registry: Registry) -> None:
    make_token(registry, NAME, READ)
    past = Generating(expires_at=registry.clock.now)
    for work, *arguments in (
        (create_token, NAME.upper(), "_repositories_pull", making(registry)),
        (create_token, "another", "no-such-map", making(registry)),
        (update_token, NAME, TokenChange(scope_map="no-such-map")),
        (generate_passwords, NAME, past, making(registry)),
    ):
        with pytest.raises(Problem) as refusal:
            here(registry, work, *arguments)
        assert refusal.value.kind in {Kind.RESOURCE_INVALID, Kind.RESOURCE_EXISTS}
    assert here(registry, find_token, "another") is None
    assert here(registry, update_token, "another", TokenChange()) is None
    assert here(registry, generate_passwords, "another", Generating(), making(registry)) is None
    assert here(registry, keep_passwords, "another", ()) is None


async def test_tokens_are_listed_by_name_page_by_page(registry: Registry) -> None:
    for name in ("token-b", "token-a", "token-c"):
        make_token(registry, name, READ)
    first = here(registry, tokens, "", 2)
    assert [each.name for each in first] == ["token-a", "token-b"]
    assert [each.name for each in here(registry, tokens, "token-b", 2)] == ["token-c"]
    assert [each.name for each in first[0].passwords] == ["password1", "password2"]


async def test_a_push_outlives_the_access_token_of_a_repository_token(registry: Registry, start_registry) -> None:
    """DESIGN D6, for whatever kind of principal."""
    made = make_token(registry, NAME, READ, WRITE)
    worker = await start_registry()
    access = await worker.token("repository:app:pull,push", client=client_of(worker, made))
    upload = await worker.repository("app", worker.nobody.bearing(access)).start()
    await upload.append(CONTENT[:10])
    worker.clock.advance(minutes=61)
    assert (await upload.append(CONTENT[10:])).status == 202
    assert (await upload.close(digest_of(CONTENT))).status == 201


async def test_ten_thousand_tokens_do_not_slow_a_sign_in_down(registry: Registry, start_registry) -> None:
    """Each first sign-in looks in the catalog; what it costs there must not depend on the number of tokens."""
    few = [make_token(registry, f"few-{number}", READ) for number in range(20)]
    alone = await _seconds_of_first_sign_ins(await start_registry(), [each.passwords[0].value for each in few], "few")
    registry.query(lambda tx: _add_many(tx, registry))
    among = await _seconds_of_first_sign_ins(await start_registry(), [f"secret-{at}" for at in range(20)], "many")
    assert among < alone * 3


def _add_many(tx: Connection, registry: Registry) -> None:
    now, where = registry.clock.now, registry_id(tx)
    tenant = tx.execute(select(principal.c.tenant_id).limit(1)).scalar_one()
    scope_map = tx.execute(select(token.c.scope_map_id).limit(1)).scalar_one()
    principals, rows, passwords = [], [], []
    for at in range(10_000):
        made = {"name": f"many-{at}", "created_at": now, "registry_id": where}
        principals.append(made | {"id": f"p{at}", "tenant_id": tenant, "kind": "Token"})
        rows.append(made | {"principal_id": f"p{at}", "scope_map_id": scope_map})
        kept = {"secret_hash": hash_generated(f"secret-{at}"), "created_at": now}
        passwords.append(kept | {"id": f"c{at}", "principal_id": f"p{at}", "kind": "token"})
    for table, values in ((principal, principals), (token, rows), (credential, passwords)):
        tx.execute(insert(table), values)
    tx.execute(text("ANALYZE"))  # as PostgreSQL does by itself a minute later


async def _seconds_of_first_sign_ins(worker: Registry, secrets: list[str], prefix: str) -> float:
    """The least, with the token that each gets: the machine may be busy with other tests."""
    seconds: list[float] = []
    for number, secret in enumerate(secrets):
        client = worker.nobody.signed_in(f"{prefix}-{number}", secret)
        started = perf_counter()
        answer = await client.get("/oauth2/token?scope=repository:app:pull")
        seconds.append(perf_counter() - started)
        assert answer.status == 200
    return min(seconds)
