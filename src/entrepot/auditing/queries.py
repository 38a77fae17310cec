"""SQL of the activity log: the audit log's entries of changes by the management API."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from entrepot.db.access_tables import OF_MANAGEMENT, audit_entry


class ChangeRow(NamedTuple):
    """``detail`` is JSON."""

    id: int
    at: datetime
    action: str
    principal: str
    target: str
    address: str
    request_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """``below``: resources that it lies at or below, in lower case, all of them. ``provider`` in lower case."""

    since: datetime
    until: datetime
    below: tuple[str, ...]
    provider: str | None = None
    principal: str | None = None
    request_id: str | None = None


class Place(NamedTuple):
    """Of an entry in the log's order."""

    at: datetime
    id: int


_COLUMNS: Final = tuple(audit_entry.c[name] for name in ChangeRow._fields)


def changes(tx: Connection, wanted: Wanted, before: Place | None, count: int) -> list[ChangeRow]:
    """The newest first, from behind a place on; index ix_audit_entry_management."""
    statement = (
        select(*_COLUMNS)
        .where(OF_MANAGEMENT, *_conditions(wanted))
        .order_by(audit_entry.c.at.desc(), audit_entry.c.id.desc())
        .limit(count)
    )
    if before is not None:
        at, entry = audit_entry.c.at, audit_entry.c.id
        statement = statement.where(at <= before.at, or_(at < before.at, and_(at == before.at, entry < before.id)))
    return [ChangeRow(*row) for row in tx.execute(statement)]


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    yield audit_entry.c.at >= wanted.since
    yield audit_entry.c.at <= wanted.until
    target = func.lower(audit_entry.c.target)
    for resource in wanted.below:
        yield or_(target == resource, target.startswith(f"{resource}/", autoescape=True))
    if wanted.provider is not None:
        yield func.lower(audit_entry.c.action).startswith(f"{wanted.provider}/", autoescape=True)
    if wanted.principal is not None:
        yield audit_entry.c.principal == wanted.principal
    if wanted.request_id is not None:
        yield audit_entry.c.request_id == wanted.request_id
