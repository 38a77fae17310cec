"""SQL of registries as resources."""

from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, bindparam, delete, exists, func, insert, select, update

from entrepot.arm.descriptor import Page
from entrepot.catalog.model import RepositoryId
from entrepot.db.access_tables import principal, scope_map, token
from entrepot.db.columns import instant_of
from entrepot.db.management_tables import replication, webhook
from entrepot.db.prepared import Prepared
from entrepot.db.statements import upsert
from entrepot.db.tables import HIDDEN, manifest, registry, registry_blob, repository, resource_group, upload
from entrepot.db.task_tables import agent_pool, kept_file


class RegistryRow(NamedTuple):
    """A registry with where it lies. ``settings``: JSON of what has no column."""

    id: int
    subscription_id: str
    group: str
    name: str
    sku: str
    region: str
    created_at: datetime
    updated_at: datetime | None
    admin_enabled: bool
    anonymous_pull: bool
    role_mode: str
    arm_audience: bool
    settings: str
    limits: str | None
    soft_delete: bool
    soft_delete_days: int
    untagged_from: datetime | None
    untagged_days: int

    @property
    def resource_id(self) -> str:
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.group}"
        return f"{group}/providers/Microsoft.ContainerRegistry/registries/{self.name}"


class Values(NamedTuple):
    """What can be changed of a registry."""

    sku: str
    bytes_limit: int
    anonymous_pull: bool
    role_mode: str
    arm_audience: bool
    settings: str
    network: str | None
    soft_delete: bool
    soft_delete_days: int
    untagged_from: datetime | None
    untagged_days: int


# A row of what is selected: SQLAlchemy types one of more than ten columns no further.
_Rows = Select[*tuple[Any, ...]]


_HIDDEN_GROUP: Final = f"{HIDDEN}deleted"


_REGISTRIES: Final[_Rows] = (
    select(
        registry.c.id,
        resource_group.c.subscription_id,
        resource_group.c.name,
        registry.c.name,
        registry.c.sku,
        registry.c.region,
        registry.c.created_at,
        registry.c.updated_at,
        registry.c.admin_enabled,
        registry.c.anonymous_pull,
        registry.c.role_mode,
        registry.c.arm_audience,
        registry.c.settings,
        registry.c.limits,
        registry.c.soft_delete,
        registry.c.soft_delete_days,
        registry.c.untagged_from,
        registry.c.untagged_days,
    )
    .join_from(registry, resource_group)
    .where(registry.c.name.notlike(f"{HIDDEN}%"))
)
# Clients look at a registry before they do anything to it: prepared, a look takes half as long (row management).
_IN_GROUP: Final = Prepared(
    _REGISTRIES.where(
        registry.c.name == bindparam("name"),
        resource_group.c.subscription_id == bindparam("subscription"),
        func.lower(resource_group.c.name) == bindparam("group"),
    )
)


def find_in_group(tx: Connection, subscription_id: str, group: str, name: str) -> RegistryRow | None:
    """Names compare without case."""
    values = {"name": name.lower(), "subscription": subscription_id.lower(), "group": group.lower()}
    row = _IN_GROUP.first(tx, **values)
    return None if row is None else _converted(RegistryRow(*row))


def _converted(stored: RegistryRow) -> RegistryRow:
    """From what drivers answer."""
    moments = {name: _moment(getattr(stored, name)) for name in ("created_at", "updated_at", "untagged_from")}
    truths = {name: bool(getattr(stored, name)) for name in _TRUTHS}
    return stored._replace(**moments, **truths)


_TRUTHS: Final = ("admin_enabled", "anonymous_pull", "arm_audience", "soft_delete")


def _moment(stored: Any) -> datetime | None:  # noqa: ANN401  a number or nothing
    return None if stored is None else instant_of(stored)


def name_is_taken(tx: Connection, name: str) -> bool:
    """By a registry anywhere in the deployment."""
    return tx.execute(select(registry.c.id).where(registry.c.name == name.lower())).one_or_none() is not None


def in_subscription(tx: Connection, subscription_id: str, page: Page) -> list[RegistryRow]:
    """In the order of their names."""
    statement = _REGISTRIES.where(resource_group.c.subscription_id == subscription_id.lower())
    return _page(tx, statement, page)


def in_group(tx: Connection, subscription_id: str, group: str, page: Page) -> list[RegistryRow]:
    statement = _REGISTRIES.where(
        resource_group.c.subscription_id == subscription_id.lower(),
        func.lower(resource_group.c.name) == group.lower(),
    )
    return _page(tx, statement, page)


def _page(tx: Connection, statement: _Rows, page: Page) -> list[RegistryRow]:
    if page.name is not None:
        statement = statement.where(registry.c.name == page.name.lower())
    if page.location is not None:
        statement = statement.where(func.lower(registry.c.region) == page.location.lower())
    rows = tx.execute(statement.where(registry.c.name > page.after).order_by(registry.c.name).limit(page.limit))
    return [RegistryRow(*row) for row in rows]


class Made(NamedTuple):
    """Where a new registry lies, and the id that its tokens are bound to."""

    subscription_id: str
    group: str
    name: str
    region: str
    rid: str


def insert_registry(tx: Connection, made: Made, values: Values, now: datetime) -> int:
    """Its id. The group is there."""
    group = (
        select(resource_group.c.id)
        .where(
            resource_group.c.subscription_id == made.subscription_id.lower(),
            func.lower(resource_group.c.name) == made.group.lower(),
        )
        .scalar_subquery()
    )
    statement = insert(registry).values(
        name=made.name, resource_group_id=group, rid=made.rid, region=made.region, created_at=now, **values._asdict()
    )
    return tx.execute(statement.returning(registry.c.id)).scalar_one()


def update_registry(tx: Connection, registry_id: int, values: Values, now: datetime) -> None:
    tx.execute(update(registry).where(registry.c.id == registry_id).values(updated_at=now, **values._asdict()))


def set_settings(tx: Connection, registry_id: int, settings: str) -> None:
    tx.execute(update(registry).where(registry.c.id == registry_id).values(settings=settings))


class Uses(NamedTuple):
    """What a registry holds. ``scope_maps``: without those of the system. ``replications``: with that of its home."""

    bytes: int
    tokens: int
    scope_maps: int
    webhooks: int
    replications: int
    agent_pools: int


def uses(tx: Connection, registry_id: int) -> Uses:
    counts = [
        select(func.count()).select_from(table).where(table.c.registry_id == registry_id, *more).scalar_subquery()
        for table, more in (
            (token, ()),
            (scope_map, (scope_map.c.type == "UserDefined",)),
            (webhook, ()),
            (replication, ()),
            (agent_pool, ()),
        )
    ]
    row = tx.execute(select(registry.c.bytes_used, *counts).where(registry.c.id == registry_id)).one()
    return Uses(*row)


def holds_anything(tx: Connection, registry_id: int) -> bool:
    """A repository, even an emptied one, an upload, a blob that collection has not come to, or a file."""
    return any(
        tx.execute(select(table.c.registry_id).where(table.c.registry_id == registry_id).limit(1)).one_or_none()
        for table in (repository, upload, registry_blob, kept_file)
    )


def hide_registry(tx: Connection, registry_id: int, subscription_id: str) -> None:
    """From everybody: under a name and in a group that no request can name. Its tokens, accounts and identities end."""
    group = {"subscription_id": subscription_id, "name": _HIDDEN_GROUP, "location": ""}
    tx.execute(upsert(resource_group).values(group).on_conflict_do_nothing(index_elements=["subscription_id", "name"]))
    hidden = select(resource_group.c.id).where(
        resource_group.c.subscription_id == subscription_id, resource_group.c.name == _HIDDEN_GROUP
    )
    values = {"name": f"{HIDDEN}{registry_id}", "resource_group_id": hidden.scalar_subquery()}
    tx.execute(update(registry).where(registry.c.id == registry_id).values(values))
    for table in (token, scope_map, principal):
        tx.execute(delete(table).where(table.c.registry_id == registry_id))
    tx.execute(delete(principal).where(principal.c.owner_id == registry_id))


def hidden_registries(tx: Connection) -> list[int]:
    """Those whose content is being deleted, or was."""
    rows = tx.execute(select(registry.c.id).where(registry.c.name.startswith(HIDDEN)).order_by(registry.c.id))
    return list(rows.scalars())


def filled_repositories(tx: Connection, registry_id: int) -> list[RepositoryId]:
    """Of one registry, those that still hold manifests."""
    holds_some = exists().where(manifest.c.repository_id == repository.c.id)
    rows = tx.execute(select(repository.c.id).where(repository.c.registry_id == registry_id, holds_some))
    return [RepositoryId(row) for row in rows.scalars()]


def delete_registry(tx: Connection, registry_id: int) -> None:
    """It was hidden, and holds nothing any more."""
    tx.execute(delete(registry).where(registry.c.id == registry_id))
