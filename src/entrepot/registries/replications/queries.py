"""SQL of replications."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from entrepot.db.management_tables import replication
from entrepot.db.statements import upsert


class ReplicationRow(NamedTuple):
    """``tags`` is JSON."""

    id: int
    name: str
    location: str
    tags: str
    region_endpoint: bool
    created_at: datetime
    updated_at: datetime


_COLUMNS: Final = tuple(replication.c[name] for name in ReplicationRow._fields)


def find_replication(tx: Connection, registry_id: int, name: str) -> ReplicationRow | None:
    """Names compare without case."""
    return _one(tx, registry_id, key=name.lower())


def find_at(tx: Connection, registry_id: int, location: str) -> ReplicationRow | None:
    return _one(tx, registry_id, location=location)


def _one(tx: Connection, registry_id: int, **equal: str) -> ReplicationRow | None:
    row = tx.execute(select(*_COLUMNS).where(replication.c.registry_id == registry_id).filter_by(**equal)).one_or_none()
    return None if row is None else ReplicationRow(*row)


def replications(tx: Connection, registry_id: int, after: str, limit: int) -> list[ReplicationRow]:
    """In the order of their names."""
    rows = tx.execute(
        select(*_COLUMNS)
        .where(replication.c.registry_id == registry_id, replication.c.key > after)
        .order_by(replication.c.key)
        .limit(limit)
    )
    return [ReplicationRow(*row) for row in rows]


class Place(NamedTuple):
    """A replication that is to be there."""

    registry_id: int
    name: str
    location: str


def insert_replication(tx: Connection, place: Place, values: Mapping[str, Any], now: datetime) -> None:
    tx.execute(insert(replication).values(_row(place, values, now)))


def ensure_replication(tx: Connection, place: Place, now: datetime) -> None:
    """Nothing happens to one that is there already."""
    row = _row(place, {"tags": "{}", "region_endpoint": True}, now)
    tx.execute(upsert(replication).values(row).on_conflict_do_nothing(index_elements=["registry_id", "location"]))


def _row(place: Place, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {**place._asdict(), "key": place.name.lower(), **values, "created_at": now, "updated_at": now}


def update_replication(tx: Connection, replication_id: int, values: Mapping[str, Any], now: datetime) -> None:
    tx.execute(update(replication).where(replication.c.id == replication_id).values(updated_at=now, **values))


def delete_replication(tx: Connection, registry_id: int, location: str) -> None:
    tx.execute(delete(replication).where(replication.c.registry_id == registry_id, replication.c.location == location))


def is_elsewhere(tx: Connection, registry_id: int, home: str) -> bool:
    """Whether there is one at another location than the registry's own."""
    there = select(replication.c.id).where(replication.c.registry_id == registry_id, replication.c.location != home)
    return tx.execute(there.limit(1)).one_or_none() is not None
