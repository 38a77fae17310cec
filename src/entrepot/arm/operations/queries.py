"""SQL of long operations."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from entrepot.db.management_tables import operation


class OperationRow(NamedTuple):
    """``progress`` and ``error`` are JSON; ``ended_at`` None: it is still going."""

    id: str
    resource_id: str
    principal: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    progress: str
    error: str | None


_COLUMNS: Final = (
    operation.c.id,
    operation.c.resource_id,
    operation.c.principal,
    operation.c.status,
    operation.c.started_at,
    operation.c.ended_at,
    operation.c.progress,
    operation.c.error,
)


def insert_operation(tx: Connection, row: OperationRow) -> None:
    tx.execute(insert(operation).values(row._asdict()))


def find_operation(tx: Connection, operation_id: str) -> OperationRow | None:
    row = tx.execute(select(*_COLUMNS).where(operation.c.id == operation_id)).one_or_none()
    return None if row is None else OperationRow(*row)


def set_progress(tx: Connection, operation_id: str, progress: str) -> None:
    """Of one that is still going."""
    tx.execute(
        update(operation)
        .where(operation.c.id == operation_id, operation.c.ended_at.is_(None))
        .values(progress=progress)
    )


def end_operation(tx: Connection, operation_id: str, status: str, error: str | None, now: datetime) -> None:
    """Nothing happens to one that has ended."""
    tx.execute(
        update(operation)
        .where(operation.c.id == operation_id, operation.c.ended_at.is_(None))
        .values(status=status, error=error, ended_at=now)
    )


def delete_ended(tx: Connection, before: datetime) -> None:
    tx.execute(delete(operation).where(operation.c.ended_at < before))
