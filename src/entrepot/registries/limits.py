"""The limits of one registry: what holds, what its operator changes of it, and the column that every commit checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from entrepot.access.queries import raise_epoch
from entrepot.catalog.model import Change, RegistryId
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Act, record_change
from entrepot.registries import queries
from entrepot.registries.tiers import Feature, Limit, SkuName, Tier, parse_limit, read_own, tier_of, write_own

_OF_REGISTRY: Final = "registry"
_OF_DEPLOYMENT: Final = "deployment"
_OF_TIER: Final = "tier"


@dataclass(frozen=True, slots=True)
class Held:
    """One limit or feature of a registry, and what says so: its tier, the deployment's setting, or its own."""

    name: str
    value: int | bool
    source: str


def limits_of(tx: Connection, registry_id: RegistryId, changes: tuple[str, ...]) -> Tier:
    """What the registry may hold and do. ``changes``: the setting ``tier_limits``."""
    row = queries.registry_row(tx, registry_id)
    return tier_of(row.sku, row.limits, changes)


def show_limits(tx: Connection, registry: str, changes: tuple[str, ...]) -> tuple[SkuName, list[Held]]:
    """The registry's tier, and all that holds for it. Raises RESOURCE_UNKNOWN."""
    row = _row(tx, registry)
    own, table, deployment = read_own(row.limits), tier_of(row.sku, None, ()), tier_of(row.sku, None, changes)
    tier = tier_of(row.sku, row.limits, changes)
    names: list[Limit | Feature] = [*Limit, *Feature]
    held = [
        Held(_written(name), _value(tier, name), _source(name in own, _value(table, name) != _value(deployment, name)))
        for name in names
    ]
    return tier.name, held


def change_limits(
    tx: Connection, registry: str, written: Sequence[str], changes: tuple[str, ...], change: Change
) -> None:
    """Let the registry have these, ``webhooks=30``, or its tier's again, ``webhooks=``.

    Requests know it within two seconds. Raises RESOURCE_UNKNOWN, RESOURCE_INVALID.
    """
    row = _row(tx, registry)
    before = read_own(row.limits)
    own = dict(before)
    for text in written:
        try:
            name, value = parse_limit(text)
        except ValueError as error:
            raise Problem(Kind.RESOURCE_INVALID, target="limits", reason=str(error)) from None
        own.pop(name, None)
        if value is not None:
            own[name] = value
    limits = write_own(own)
    storage = tier_of(row.sku, limits, changes).limits[Limit.STORAGE]
    queries.set_limits(tx, row.id, limits, storage)
    raise_epoch(tx)
    detail = {"before": _told(before), "after": _told(own)}
    record_change(tx, change, Act.REGISTRY_SETTING, row.name, detail)


def settle_storage(tx: Connection, changes: tuple[str, ...]) -> None:
    """The setting may have changed between starts: each registry's column says what it says now. Twice is safe.

    Raises ValueError for a setting that names nothing of the table.
    """
    for sku in SkuName:
        queries.settle_storage(tx, sku, tier_of(sku, None, changes).limits[Limit.STORAGE])
    for row in queries.registries_with_limits(tx):
        queries.set_limits(tx, row.id, row.limits, tier_of(row.sku, row.limits, changes).limits[Limit.STORAGE])


def _row(tx: Connection, registry: str) -> queries.LimitsRow:
    row = queries.limits_row(tx, registry)
    if row is None:
        raise Problem(Kind.RESOURCE_UNKNOWN, reason=f"there is no registry '{registry}'")
    return row


def _written(name: Limit | Feature) -> str:
    return name.key if isinstance(name, Feature) else name.value


def _value(tier: Tier, name: Limit | Feature) -> int | bool:
    return name in tier.features if isinstance(name, Feature) else tier.limits[name]


def _source(is_own: bool, is_changed: bool) -> str:  # noqa: FBT001  two facts
    if is_own:
        return _OF_REGISTRY
    return _OF_DEPLOYMENT if is_changed else _OF_TIER


def _told(own: Mapping[Limit | Feature, int | bool]) -> dict[str, int | bool]:
    return {_written(name): value for name, value in own.items()}
