"""Each row of the management API and of Graph under each credential: what its declaration says is what is answered."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, insert
from tests.integration.accounts import add_holders, add_service_principal, make_token, turn_admin_on
from tests.integration.gate.expectations import may_manage
from tests.integration.rows import add_principal, disable
from tests.management import ARM, GRAPH, directory_token, management
from tests.registry import FakeClock, Registry
from tests.wire import Answer, Client

from entrepot.access.builtin_roles import BUILT_IN_ROLES
from entrepot.access.model import Member, Operation, Public
from entrepot.db.tables import tenant
from entrepot.gate.management import Management
from entrepot.web.routing import Route

GUEST, SECRET = "guest", "the-guest's-secret"
OTHER_TENANT = "00000000-0000-0000-0000-00000000000f"


class Values(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return name


def audience_of(surface: str) -> str:
    return GRAPH if surface == "graph" else ARM


def rows_of(registry: Registry) -> Iterator[tuple[str, Route[Any, Any]]]:
    """With the surface's name. The tables are the application's own, so those of a new descriptor are among them."""
    for surface in registry.app.surfaces.every():
        # The directory's rows are open to everyone: who gets a token there is in integration/oauth/directory.
        if isinstance(surface.admission, Management) and surface.name != "directory":
            yield from ((surface.name, route) for route in surface.table.routes)


async def ask(http: Client, route: Route[Any, Any], **values: str) -> Answer:
    """Of a resource whose name is the parameter's own, where no value is given."""
    target = route.path.format_map(Values(values))
    return await http.send(route.method, target, body=b"" if route.method != "GET" else None)


async def test_every_surface_of_the_deployment_is_in_the_matrix(registry: Registry) -> None:
    found = [name for name, _ in rows_of(registry)]
    assert {"arm", "graph"} <= set(found)
    assert found.count("arm") > 40
    assert found.count("graph") > 30


async def _nobody(registry: Registry, clock: FakeClock, surface: str) -> Client:
    return registry.nobody


async def _wrong_audience(registry: Registry, clock: FakeClock, surface: str) -> Client:
    return registry.nobody.bearing(await directory_token(registry, audience=ARM if surface == "graph" else GRAPH))


async def _registry_token(registry: Registry, clock: FakeClock, surface: str) -> Client:
    return await registry.bearer("repository:app:pull")


async def _expired(registry: Registry, clock: FakeClock, surface: str) -> Client:
    token = await directory_token(registry, audience=audience_of(surface))
    clock.advance(hours=2)
    return registry.nobody.bearing(token)


async def _disabled(registry: Registry, clock: FakeClock, surface: str) -> Client:
    registry.query(lambda tx: add_principal(tx, f"{GUEST}-{surface}", SECRET))
    token = await directory_token(registry, f"{GUEST}-{surface}", audience_of(surface))
    registry.query(lambda tx: disable(tx, f"{GUEST}-{surface}"))
    return registry.nobody.bearing(token)


@pytest.mark.parametrize("present", [_nobody, _wrong_audience, _registry_token, _expired, _disabled])
async def test_who_is_not_signed_in_to_it_opens_only_what_is_for_everybody(
    registry: Registry, clock: FakeClock, present: Callable[..., Any]
) -> None:
    for surface in {name for name, _ in rows_of(registry)}:
        http = await present(registry, clock, surface)
        for name, route in rows_of(registry):
            if name == surface:
                answer = await ask(http, route)
                assert (answer.status == 401) is not isinstance(route.access, Public), route


async def test_who_has_no_role_does_nothing_that_names_an_operation(registry: Registry) -> None:
    registry.query(lambda tx: add_principal(tx, GUEST, SECRET, role=None))
    for name, route in rows_of(registry):
        token = await directory_token(registry, GUEST, audience_of(name))
        answer = await ask(registry.nobody.bearing(token), route)
        if isinstance(route.access, Operation):
            assert (answer.status, route.access.name in answer.body.decode()) == (403, True), route
        elif isinstance(route.access, Member) and not route.access.reason.startswith("who may"):
            assert answer.status not in {401, 403}, route


# --- roles ------------------------------------------------------------------------------------------------------------


async def test_every_built_in_role_does_the_operations_that_its_definition_names(registry: Registry) -> None:
    """Given on the subscription, so nothing above it is reached. What a request lacks is told after that."""
    registry.query(add_holders)
    subscription = (await management(registry)).subscription
    values = Values(subscription=subscription)
    rows = [(name, route) for name, route in rows_of(registry) if isinstance(route.access, Operation)]
    for role in BUILT_IN_ROLES.values():
        clients = {
            name: registry.nobody.bearing(await directory_token(registry, role.id, audience_of(name)))
            for name in {name for name, _ in rows}
        }
        for name, route in rows:
            reached = route.access.scope.format_map(values).startswith(f"/subscriptions/{subscription}")
            expected = reached and may_manage(role, route.access.name)
            answer = await ask(clients[name], route, subscription=subscription)
            assert (answer.status not in {401, 403}) is expected, (role.name, route, answer.status)


async def test_who_is_of_another_tenant_does_nothing_that_names_an_operation(registry: Registry) -> None:
    def add_stranger(tx: Connection) -> None:
        tx.execute(insert(tenant).values(id=OTHER_TENANT))
        add_service_principal(tx, "stranger", OTHER_TENANT)

    registry.query(add_stranger)
    subscription = (await management(registry)).subscription
    for name, route in rows_of(registry):
        if isinstance(route.access, Operation):
            client = registry.nobody.bearing(await directory_token(registry, "stranger", audience_of(name)))
            assert (await ask(client, route, subscription=subscription)).status == 403, route


async def test_credentials_of_a_registry_open_nothing_of_the_deployment(registry: Registry) -> None:
    """Neither its admin account nor a token of it, whatever that permits there."""
    admin = turn_admin_on(registry).passwords[0].value
    made = make_token(registry, "ci-token", "repositories/*/content/read")
    clients = (
        registry.nobody.signed_in("local", admin),
        registry.nobody.signed_in(made.user_name, made.passwords[0].value),
        registry.http,
    )
    for client in clients:
        for _, route in rows_of(registry):
            if not isinstance(route.access, Public):
                assert (await ask(client, route)).status == 401, route
