"""SQL of locks."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, select

from entrepot.db.management_tables import management_lock
from entrepot.db.statements import upsert


class LockRow(NamedTuple):
    """``scope``: the id of what is locked, as it is written."""

    name: str
    scope: str
    level: str
    notes: str


_COLUMNS: Final = (
    management_lock.c.name,
    management_lock.c.scope,
    management_lock.c.level,
    management_lock.c.notes,
)


def find_lock(tx: Connection, scope: str, name: str) -> LockRow | None:
    """Names compare without case, as those of all resources."""
    found = [lock for lock in locks_at(tx, [scope]) if lock.name.lower() == name.lower()]
    return found[0] if found else None


def locks_at(tx: Connection, scopes: Sequence[str]) -> list[LockRow]:
    """Of these resources themselves, in the order of their names."""
    keys = [scope.lower() for scope in scopes]
    rows = tx.execute(select(*_COLUMNS).where(management_lock.c.scope_key.in_(keys)).order_by(management_lock.c.name))
    return [LockRow(*row) for row in rows]


def put_lock(tx: Connection, row: LockRow) -> None:
    values = {"scope_key": row.scope.lower(), **row._asdict()}
    changed = {"level": row.level, "notes": row.notes}
    tx.execute(
        upsert(management_lock).values(values).on_conflict_do_update(index_elements=["scope_key", "name"], set_=changed)
    )


def delete_lock(tx: Connection, scope: str, name: str) -> None:
    tx.execute(
        delete(management_lock).where(management_lock.c.scope_key == scope.lower(), management_lock.c.name == name)
    )
