"""Who may: assignments of a principal and its groups, custom roles, conditions, the registry's mode."""

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import Connection, insert, select, update
from tests.integration.accounts import registry_id
from tests.integration.rows import add_principal
from tests.registry import Registry

from entrepot.access.builtin_roles import OWNER
from entrepot.access.definitions import Mode
from entrepot.access.model import Action, Nothing, Rights
from entrepot.access.queries import Assignment, insert_role
from entrepot.access.rights import Where, may_manage, rights_of
from entrepot.db.access_tables import group_member, principal, role_assignment, role_definition
from entrepot.db.tables import registry as registry_table
from entrepot.db.tables import resource_group, subscription

ADA = "id-ada"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
READER = "b93aa761-3e63-49ed-ac28-beffa264f7ac"  # Container Registry Repository Reader
READ = "Microsoft.ContainerRegistry/registries/read"
CONDITION = "@Request[Microsoft.ContainerRegistry/registries/repositories:name] StringStartsWith 'team/'"


class World:
    """A catalog with a principal without a role, and what tests give it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        registry.query(lambda tx: add_principal(tx, "ada", "secret", None))

    @property
    def subscription(self) -> str:
        return "/subscriptions/" + self._registry.query(lambda tx: tx.execute(select(subscription.c.id)).scalar_one())

    @property
    def registry(self) -> str:
        group = self._registry.query(lambda tx: tx.execute(select(resource_group.c.name)).scalar_one())
        return f"{self.subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/local"

    def give(self, role: str, scope: str, to: str = ADA, condition: str | None = None) -> None:
        def work(tx: Connection) -> None:
            made = Assignment(str(uuid4()), to, role, scope, self._registry.clock.now)
            insert_role(tx, made)
            tx.execute(update(role_assignment).where(role_assignment.c.id == made.id).values(condition=condition))

        self._registry.query(work)

    def group(self, name: str, *members: str, enabled: bool = True) -> None:
        def work(tx: Connection) -> None:
            tenant = tx.execute(select(principal.c.tenant_id).where(principal.c.id == ADA)).scalar_one()
            values = {"id": name, "tenant_id": tenant, "kind": "Group", "name": name, "enabled": enabled}
            tx.execute(insert(principal).values(**values, created_at=self._registry.clock.now))
            for member in members:
                tx.execute(insert(group_member).values(group_id=name, member_id=member))

        self._registry.query(work)

    def join(self, group: str, member: str) -> None:
        self._registry.query(lambda tx: tx.execute(insert(group_member).values(group_id=group, member_id=member)))

    def role(self, role_id: str, **permissions: list[str]) -> None:
        def work(tx: Connection) -> None:
            tenant = tx.execute(select(principal.c.tenant_id).where(principal.c.id == ADA)).scalar_one()
            now = self._registry.clock.now
            values = {"id": role_id, "tenant_id": tenant, "name": role_id, "created_at": now, "updated_at": now}
            written = json.dumps([permissions])
            tx.execute(insert(role_definition).values(**values, permissions=written, assignable_scopes="[]"))

        self._registry.query(work)

    def rights(self, mode: Mode = Mode.LEGACY) -> Rights:
        where = Where(self._registry.query(registry_id), self.registry, mode)
        return self._registry.query(lambda tx: rights_of(tx, ADA, where))

    def pulls(self, repository: str = "app", mode: Mode = Mode.LEGACY) -> bool:
        return self.rights(mode).allow(Action.CONTENT_READ, repository)

    def manages(self, resource: str) -> bool:
        return self._registry.query(lambda tx: may_manage(tx, ADA, READ, resource))


@pytest.fixture
async def world(registry: Registry) -> World:
    return World(registry)


async def test_nobody_may_anything_until_it_is_given(world: World) -> None:
    assert isinstance(world.rights(), Nothing)
    assert not world.manages(world.registry)


@pytest.mark.parametrize(
    "scope",
    [
        lambda world: world.subscription,
        lambda world: world.subscription.upper().replace("/SUBSCRIPTIONS", "/subscriptions") + "/",
        lambda world: world.registry.rpartition("/providers")[0],
        lambda world: world.registry,
        lambda world: world.registry.replace("local", "LOCAL"),
    ],
    ids=["subscription", "in other letters", "resource group", "registry", "registry in other letters"],
)
async def test_a_role_reaches_down_from_where_it_is_given(world: World, scope: Callable[[World], str]) -> None:
    world.give(OWNER, scope(world))
    assert world.pulls()
    assert world.manages(world.registry)


@pytest.mark.parametrize(
    "scope",
    [
        lambda world: world.registry + "/tokens/one",
        lambda world: world.registry + "x",
        lambda world: world.registry.replace("local", "loca"),
        lambda world: world.registry.replace("resourceGroups/", "resourceGroups/other-"),
        lambda world: world.subscription + "x",
    ],
)
async def test_a_role_elsewhere_gives_nothing_here(world: World, scope: Callable[[World], str]) -> None:
    world.give(OWNER, scope(world))
    assert isinstance(world.rights(), Nothing)
    assert not world.manages(world.registry)


async def test_a_role_comes_through_groups_however_deep(world: World) -> None:
    world.group("inner", ADA)
    world.group("middle", "inner")
    world.group("outer", "middle")
    world.give(ACR_PULL, world.registry, "outer")
    assert world.pulls()
    decision = world.rights().explain(Action.CONTENT_READ, "app")
    assert [each.through for each in decision.considered] == ["outer"]


async def test_groups_that_contain_each_other_have_an_end(world: World) -> None:
    world.group("one", ADA)
    world.group("two", "one")
    world.join("one", "two")
    world.give(ACR_PULL, world.registry, "two")
    assert world.pulls()


async def test_a_group_that_is_disabled_gives_nothing(world: World) -> None:
    world.group("closed", ADA, enabled=False)
    world.give(OWNER, world.registry, "closed")
    assert not world.pulls()


async def test_a_custom_role_gives_what_it_says(world: World) -> None:
    puller = "11111111-1111-1111-1111-111111111111"
    world.role(puller, actions=["Microsoft.ContainerRegistry/registries/pull/read"])
    world.give(puller.upper(), world.registry)
    assert world.pulls()
    assert not world.rights().allow(Action.CONTENT_WRITE, "app")
    assert not world.manages(world.registry)


async def test_a_role_that_nobody_knows_gives_nothing(world: World) -> None:
    world.give("0" * 36, world.registry)
    assert not world.pulls()


async def test_the_registry_s_mode_says_what_counts(world: World) -> None:
    world.give(ACR_PULL, world.registry)
    world.give(READER, world.registry, condition=CONDITION)
    assert (world.pulls("app"), world.pulls("team/app")) == (True, True)
    assert (world.pulls("app", Mode.ABAC), world.pulls("team/app", Mode.ABAC)) == (False, True)


async def test_a_disabled_principal_may_nothing(world: World, registry: Registry) -> None:
    world.give(OWNER, world.subscription)
    registry.query(lambda tx: tx.execute(update(principal).where(principal.c.id == ADA).values(enabled=False)))
    assert isinstance(world.rights(), Nothing)
    assert not world.manages(world.registry)


async def test_the_mode_of_a_registry_is_the_gate_s(registry: Registry, start_registry) -> None:
    """An owner's classic role does not count on the data plane of a registry in the ABAC mode."""
    assert (await registry.http.get("/v2/_catalog")).status == 200
    registry.query(lambda tx: tx.execute(update(registry_table).values(role_mode=Mode.ABAC.value)))
    worker = await start_registry()
    assert (await worker.http.get("/v2/_catalog")).status == 401
