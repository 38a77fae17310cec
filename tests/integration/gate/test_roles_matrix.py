"""Every route of the data plane x every built-in role, scope map and kind of stranger, in both modes of a registry.

What is expected follows from the declaration of the route and the definition of the role (``expectations``); what is
observed is the answer. The repository is not there: who may learns so, everybody else gets the challenge, before
anything is looked up. What a permitted request then does is in test_matrix.py.
"""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode

import pytest
from sqlalchemy import Connection, insert, select, update
from tests.content import OCI_MANIFEST, digest_of
from tests.integration.accounts import add_holders, add_service_principal, directory_token, make_token, turn_admin_on
from tests.integration.gate.credentials import EVERYTHING, Start
from tests.integration.gate.expectations import ANYBODY, actions_of, actions_of_verbs, by_token, opens
from tests.integration.oauth.forms import exchange
from tests.integration.rows import add_registry, disable
from tests.registry import OWNER, OWNER_SECRET, FakeClock, Registry
from tests.wire import Client

from entrepot.access.builtin_roles import BUILT_IN_ROLES
from entrepot.access.builtin_roles import OWNER as OWNER_ROLE
from entrepot.access.definitions import Mode
from entrepot.access.model import Action, OwnUpload, Public
from entrepot.access.queries import Assignment, insert_role
from entrepot.db.access_tables import principal, role_assignment
from entrepot.db.tables import registry as registry_table
from entrepot.db.tables import tenant
from entrepot.gate.data_plane import DataPlane
from entrepot.web.routing import Route

ALL: Final = frozenset(Action)
NONE: Final[frozenset[Action]] = frozenset()
VERBS: Final = ("content/read", "content/write", "content/delete", "metadata/read", "metadata/write")
VALUES: Final = {
    "repository": "app",
    "reference": "v1",
    "tag": "v1",
    "digest": digest_of(b"absent"),
    "upload": "0" * 32,
}
HEADERS: Final = {"content-type": OCI_MANIFEST}
SECOND: Final = "second.entrepot.localhost:5000"
OTHER_TENANT: Final = "00000000-0000-0000-0000-00000000000f"


def routes_of(registry: Registry) -> Iterator[Route]:
    """Of the application's own tables, so that those of a new surface are among them."""
    for surface in registry.app.surfaces.every():
        if isinstance(surface.admission, DataPlane):
            yield from surface.table.routes


async def assert_opens(
    client: Client, registry: Registry, held: frozenset[Action], who: str, *, signed_in: bool = True
) -> None:
    """Each route, to the letter of its declaration. Rows that are open to everybody decide by themselves."""
    for route in routes_of(registry):
        if isinstance(route.access, Public):
            continue
        body = None if route.method == "GET" else b""
        answer = await client.send(route.method, route.path.format_map(VALUES), HEADERS, body)
        expected = opens(route.access, held, signed_in=signed_in)
        assert (answer.status != 401) is expected, (who, route, answer.status)
        assert expected or "www-authenticate" in dict(answer.headers), (who, route)


async def token_for_everything(client: Client, registry: Registry) -> Client:
    query = urlencode([("service", registry.host), *(("scope", scope) for scope in EVERYTHING)])
    answer = await client.get(f"/oauth2/token?{query}")
    assert answer.status == 200, answer.body
    return registry.nobody.bearing(answer.json()["access_token"])


def set_mode(tx: Connection, mode: Mode) -> None:
    tx.execute(update(registry_table).values(role_mode=mode.value))


@pytest.mark.parametrize("mode", Mode)
async def test_every_built_in_role_opens_what_its_definition_says(start_registry: Start, mode: Mode) -> None:
    before = await start_registry()
    before.query(add_holders)
    before.query(lambda tx: set_mode(tx, mode))
    registry = await start_registry()
    for role in BUILT_IN_ROLES.values():
        held = actions_of(role, mode)
        client = registry.nobody.signed_in(role.id, role.id)
        await assert_opens(client, registry, held, role.name)
        bearing = await token_for_everything(client, registry)
        await assert_opens(bearing, registry, by_token(held), f"a token of {role.name}")
        # Whoever has a role here at all gets a refresh token; what it is good for is decided at each access token.
        assert (await exchange(registry, directory_token(registry, role.id))).status == 200, role.name


@pytest.mark.parametrize("mode", Mode)
async def test_a_token_opens_what_its_scope_map_says(start_registry: Start, mode: Mode) -> None:
    """In either mode: scope maps have none."""
    before = await start_registry()
    maps = {verb.replace("/", "-"): (verb,) for verb in VERBS} | {"all-of-them": VERBS}
    made = {
        name: make_token(before, f"token-{name}", *(f"repositories/app/{verb}" for verb in verbs))
        for name, verbs in maps.items()
    }
    elsewhere = make_token(before, "token-elsewhere", *(f"repositories/other/{verb}" for verb in VERBS))
    before.query(lambda tx: set_mode(tx, mode))
    registry = await start_registry()
    for name, verbs in maps.items():
        held = actions_of_verbs(verbs)
        client = registry.nobody.signed_in(made[name].user_name, made[name].passwords[0].value)
        await assert_opens(client, registry, held, name)
        await assert_opens(await token_for_everything(client, registry), registry, by_token(held), f"token of {name}")
    client = registry.nobody.signed_in(elsewhere.user_name, elsewhere.passwords[0].value)
    await assert_opens(client, registry, NONE, "elsewhere")


@pytest.mark.parametrize("anonymous_pull", [False, True], ids=["off", "on"])
async def test_nobody_opens_what_anonymous_pull_does(start_registry: Start, anonymous_pull: bool) -> None:
    registry = await start_registry(anonymous_pull=anonymous_pull)
    held = ANYBODY if anonymous_pull else NONE
    await assert_opens(registry.nobody, registry, held, "nobody", signed_in=False)
    for client in (registry.nobody.signed_in("nobody-at-all", "secret"), registry.nobody.bearing("a.b.c")):
        await assert_opens(client, registry, NONE, "a stranger", signed_in=False)


async def test_the_admin_account_opens_everything(start_registry: Start) -> None:
    password = turn_admin_on(await start_registry()).passwords[0].value
    registry = await start_registry()
    client = registry.nobody.signed_in("local", password)
    await assert_opens(client, registry, ALL, "admin")
    await assert_opens(await token_for_everything(client, registry), registry, ALL, "a token of admin")


async def test_who_is_disabled_or_of_another_tenant_opens_nothing(start_registry: Start) -> None:
    """Although they have every role there is."""
    before = await start_registry()
    before.query(add_strangers)
    tokens = {name: directory_token(before, name) for name in ("disabled", "stranger")}
    before.query(lambda tx: disable(tx, "disabled"))
    registry = await start_registry()
    for name, token in tokens.items():
        client = registry.nobody.signed_in(name, name)
        await assert_opens(client, registry, NONE, name, signed_in=False)
        assert (await client.get(f"/oauth2/token?scope={EVERYTHING[0]}")).status == 401, name
        assert (await exchange(registry, token)).status == 401, name
        # Nor does a token of the directory stand in an access token's place.
        await assert_opens(registry.nobody.bearing(token), registry, NONE, name, signed_in=False)


def add_strangers(tx: Connection) -> None:
    owner = tx.execute(select(principal).order_by(principal.c.created_at).limit(1)).one()
    scope = tx.execute(select(role_assignment.c.scope).where(role_assignment.c.principal_id == owner.id)).scalar_one()
    tx.execute(insert(tenant).values(id=OTHER_TENANT, created_at=owner.created_at))
    for name, of in (("disabled", owner.tenant_id), ("stranger", OTHER_TENANT)):
        add_service_principal(tx, name, of)
        for number, role_id in enumerate((OWNER_ROLE, "2efddaa5-3f1f-4df3-97df-af3f13818f4c")):
            insert_role(tx, Assignment(f"{name}-{number}", name, role_id, scope, owner.created_at))


async def test_a_token_that_ended_or_is_another_registry_s_opens_nothing(
    start_registry: Start, clock: FakeClock
) -> None:
    (await start_registry()).query(lambda tx: add_registry(tx, "second", "f" * 32))
    registry = await start_registry()
    second = Client(registry.app, SECOND).signed_in(OWNER, OWNER_SECRET)
    foreign = await second.get("/oauth2/token?" + urlencode([("scope", scope) for scope in EVERYTHING]))
    await assert_opens(
        registry.nobody.bearing(foreign.json()["access_token"]), registry, NONE, "a foreign token", signed_in=False
    )
    bearing = await token_for_everything(registry.http, registry)
    clock.advance(minutes=61)
    for route in routes_of(registry):
        if isinstance(route.access, Public):
            continue
        answer = await bearing.send(route.method, route.path.format_map(VALUES), HEADERS)
        # DESIGN D6: enough for an upload that its principal began; this one is not there.
        assert (answer.status != 401) is isinstance(route.access, OwnUpload), route
