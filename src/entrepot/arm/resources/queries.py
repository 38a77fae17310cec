"""SQL of tenants, subscriptions and resource groups."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Function, delete, func, insert, select, update

from entrepot.arm.descriptor import Page
from entrepot.db.tables import HIDDEN, registry, resource, resource_group, subscription, tenant


class TenantRow(NamedTuple):
    id: str
    name: str
    domain: str | None


def find_tenant(tx: Connection, tenant_id: str) -> TenantRow | None:
    row = tx.execute(select(tenant.c.id, tenant.c.name, tenant.c.domain).where(tenant.c.id == tenant_id)).one_or_none()
    return None if row is None else TenantRow(*row)


class SubscriptionRow(NamedTuple):
    id: str
    tenant_id: str
    name: str


def subscriptions(tx: Connection, tenant_id: str) -> list[SubscriptionRow]:
    """Of one tenant, in the order of their ids."""
    rows = tx.execute(
        select(subscription.c.id, subscription.c.tenant_id, subscription.c.name)
        .where(subscription.c.tenant_id == tenant_id)
        .order_by(subscription.c.id)
    )
    return [SubscriptionRow(*row) for row in rows]


class GroupRow(NamedTuple):
    id: int
    subscription_id: str
    name: str
    location: str
    tags: dict[str, str]


_GROUP: Final = (
    resource_group.c.id,
    resource_group.c.subscription_id,
    resource_group.c.name,
    resource_group.c.location,
    resource_group.c.tags,
)
_SHOWN: Final = resource_group.c.name.notlike(f"{HIDDEN}%")


def _group_name() -> Function[str]:
    """Names compare without case."""
    return func.lower(resource_group.c.name)


def find_group(tx: Connection, subscription_id: str, name: str) -> GroupRow | None:
    """Names compare without case."""
    row = tx.execute(
        select(*_GROUP).where(
            resource_group.c.subscription_id == subscription_id.lower(), _group_name() == name.lower(), _SHOWN
        )
    ).one_or_none()
    return None if row is None else _group(row)


def groups(tx: Connection, subscription_id: str, page: Page) -> list[GroupRow]:
    rows = tx.execute(
        select(*_GROUP)
        .where(resource_group.c.subscription_id == subscription_id.lower(), page.after < _group_name(), _SHOWN)
        .order_by(_group_name())
        .limit(page.limit)
    )
    return [_group(row) for row in rows]


def _group(row: Sequence[object]) -> GroupRow:
    *columns, tags = row
    return msgspec.convert((*columns, msgspec.json.decode(str(tags))), type=GroupRow)


def hold_subscription(tx: Connection, subscription_id: str) -> None:
    """Until the transaction ends nobody else makes or removes one of its groups."""
    tx.execute(select(subscription.c.id).where(subscription.c.id == subscription_id.lower()).with_for_update())


def insert_group(tx: Connection, subscription_id: str, name: str, location: str, tags: Mapping[str, str]) -> None:
    tx.execute(
        insert(resource_group).values(
            subscription_id=subscription_id.lower(), name=name, location=location, tags=_json(tags)
        )
    )


def update_group(tx: Connection, group_id: int, tags: Mapping[str, str]) -> None:
    tx.execute(update(resource_group).where(resource_group.c.id == group_id).values(tags=_json(tags)))


def is_empty_group(tx: Connection, group_id: int) -> bool:
    held = (
        select(registry.c.id).where(registry.c.resource_group_id == group_id).limit(1),
        select(resource.c.id).where(resource.c.resource_group_id == group_id).limit(1),
    )
    return all(tx.execute(statement).one_or_none() is None for statement in held)


def delete_group(tx: Connection, group_id: int) -> None:
    tx.execute(delete(resource_group).where(resource_group.c.id == group_id))


def _json(tags: Mapping[str, str]) -> str:
    return msgspec.json.encode(tags).decode()
