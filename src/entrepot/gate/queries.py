"""SQL of the gate: the registries that exist."""

from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from entrepot.db.tables import HIDDEN, registry, resource_group, subscription


class RegistryRow(NamedTuple):
    """What the gate must know of a registry."""

    id: int
    name: str
    rid: str
    anonymous_pull: bool
    subscription_id: str
    resource_group: str
    tenant_id: str
    arm_audience: bool
    role_mode: str
    network: str | None
    sku: str
    limits: str | None


_REGISTRIES: Final = (
    select(
        registry.c.id,
        registry.c.name,
        registry.c.rid,
        registry.c.anonymous_pull,
        resource_group.c.subscription_id,
        resource_group.c.name,
        subscription.c.tenant_id,
        registry.c.arm_audience,
        registry.c.role_mode,
        registry.c.network,
        registry.c.sku,
        registry.c.limits,
    )
    .join_from(registry, resource_group)
    .join(subscription)
    .where(registry.c.name.notlike(f"{HIDDEN}%"))
)


def registries(tx: Connection) -> list[RegistryRow]:
    return [RegistryRow(*row) for row in tx.execute(_REGISTRIES)]


def find_registry(tx: Connection, name: str) -> RegistryRow | None:
    """``name``: in lower case, as names are kept."""
    row = tx.execute(_REGISTRIES.where(registry.c.name == name)).one_or_none()
    return None if row is None else RegistryRow(*row)
