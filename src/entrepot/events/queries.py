"""SQL of the outbox and of the audit log."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    type_coerce,
    update,
)

from entrepot.db.access_tables import audit_checkpoint, audit_entry, audit_export
from entrepot.db.prepared import Prepared
from entrepot.db.tables import event
from entrepot.events.chain import START, Checkpoint, Link, Numbered, Tip

_COLUMNS: Final = ("id", "registry_id", "repository_id", "sequence", "action", "at", "principal", "body")
_INSERT: Final = Prepared(insert(event).values({column: bindparam(column) for column in _COLUMNS}))


def insert_event(tx: Connection, values: dict[str, object]) -> None:
    _INSERT.run(tx, **values)


# --- audit entries come in --------------------------------------------------------------------------------------------

# What is not here comes later: the number and the hash.
_OF_ENTRY: Final = (
    "at",
    "action",
    "result",
    "principal",
    "method",
    "credential",
    "registry",
    "target",
    "address",
    "user_agent",
    "request_id",
    "detail",
)
_INSERT_ENTRY: Final = Prepared(
    insert(audit_entry).values({column: bindparam(column) for column in _OF_ENTRY}).inline()
)


def insert_entry(tx: Connection, row: dict[str, object]) -> None:
    _INSERT_ENTRY.run(tx, **row)


def insert_entries(tx: Connection, rows: list[dict[str, object]]) -> None:
    tx.execute(insert(audit_entry), rows)


# --- they are numbered and chained ------------------------------------------------------------------------------------

_TIP: Final = (
    select(audit_entry.c.sequence, audit_entry.c.hash)
    .where(audit_entry.c.sequence.is_not(None))
    .order_by(audit_entry.c.sequence.desc())
    .limit(1)
)
_LAST_CHECKPOINT: Final = select(audit_checkpoint).order_by(audit_checkpoint.c.sequence.desc()).limit(1)
# Microseconds as they are kept: what is hashed does not pass through a type.
_MEMBERS: Final = tuple(
    type_coerce(audit_entry.c.at, BigInteger) if name == "at" else audit_entry.c[name]
    for name in Numbered.__struct_fields__
)
_CHAIN: Final = Prepared(
    update(audit_entry)
    .where(audit_entry.c.id == bindparam("entry"))
    .values(sequence=bindparam("number"), hash=bindparam("digest"))
)
_ANY_UNCHAINED: Final = select(audit_entry.c.id).where(audit_entry.c.sequence.is_(None)).limit(1)
_UNCHAINED: Final = (
    select(*_MEMBERS).where(audit_entry.c.sequence.is_(None)).order_by(audit_entry.c.id).limit(bindparam("count"))
)


def tip(tx: Connection) -> Tip:
    """Where the chain is: at its last entry, or where everything was pruned, at the last checkpoint."""
    row = tx.execute(_TIP).first()
    if row is not None:
        return Tip(row[0], row[1] or "")
    checkpoint = last_checkpoint(tx)
    return START if checkpoint is None else Tip(checkpoint.sequence, checkpoint.hash)


class Standing(NamedTuple):
    """How far the chain is, up to where it is signed, and whether anything waits for it."""

    tip: Tip
    signed: Checkpoint | None
    is_behind: bool


def standing(tx: Connection) -> Standing:
    is_behind = tx.execute(_ANY_UNCHAINED).first() is not None
    return Standing(tip(tx), last_checkpoint(tx), is_behind)


def unchained(tx: Connection, first: int, count: int) -> list[Numbered]:
    """Entries that wait for their number, by their ids, numbered from ``first`` on.

    Ids commit out of order on PostgreSQL: one that comes late gets a later number than higher ids that came before.
    """
    rows: list[dict[str, Any]] = [{**row} for row in tx.execute(_UNCHAINED, {"count": count}).mappings()]
    for number, row in enumerate(rows, first):
        row["sequence"] = number
    return [Numbered(**row) for row in rows]


def chain(tx: Connection, links: Sequence[Link]) -> None:
    _CHAIN.each(tx, [{"entry": entry.id, "number": entry.sequence, "digest": found} for entry, found in links])


def unchained_count(tx: Connection) -> int:
    return tx.execute(select(func.count()).where(audit_entry.c.sequence.is_(None))).scalar_one()


def links(tx: Connection) -> Iterator[Link]:
    """Every chained entry by its number, read as they are asked for (``Database.snapshot``)."""
    rows = tx.execute(
        select(*_MEMBERS, audit_entry.c.hash)
        .where(audit_entry.c.sequence.is_not(None))
        .order_by(audit_entry.c.sequence)
        .execution_options(yield_per=1000)
    )
    for *members, found in rows:
        yield Link(Numbered(*members), found)


# --- checkpoints, and what is pruned up to one ------------------------------------------------------------------------


def last_checkpoint(tx: Connection) -> Checkpoint | None:
    row = tx.execute(_LAST_CHECKPOINT).mappings().first()
    return None if row is None else Checkpoint(**row)


def checkpoints(tx: Connection) -> list[Checkpoint]:
    rows = tx.execute(select(audit_checkpoint).order_by(audit_checkpoint.c.sequence))
    return [Checkpoint(**row) for row in rows.mappings()]


def insert_checkpoint(tx: Connection, checkpoint: Checkpoint) -> None:
    tx.execute(insert(audit_checkpoint).values(_row(checkpoint)))


def oldest_prunable(tx: Connection, before: datetime, exported: int | None) -> Checkpoint | None:
    """The first checkpoint that the chain does not begin with already, if it is older than that.

    ``exported`` is the entry up to which every export has come, if there are exports.
    """
    conditions: list[ColumnElement[bool]] = [
        audit_checkpoint.c.at < before,
        audit_checkpoint.c.is_beginning.is_(False),
    ]
    if exported is not None:
        conditions.append(audit_checkpoint.c.sequence <= exported)
    statement = select(audit_checkpoint).where(*conditions).order_by(audit_checkpoint.c.sequence).limit(1)
    row = tx.execute(statement).mappings().first()
    return None if row is None else Checkpoint(**row)


def begin_after(tx: Connection, beginning: Checkpoint) -> int:
    """Delete the entries up to the checkpoint's, and older checkpoints. Answers how many entries."""
    tx.execute(delete(audit_checkpoint).where(audit_checkpoint.c.sequence <= beginning.sequence))
    insert_checkpoint(tx, beginning)
    return tx.execute(delete(audit_entry).where(audit_entry.c.sequence <= beginning.sequence)).rowcount


def _row(checkpoint: Checkpoint) -> dict[str, object]:
    return {name: getattr(checkpoint, name) for name in Checkpoint.__struct_fields__}


# --- they are read ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are asked for; what is None does not matter. ``action`` may end with ``*``."""

    since: datetime | None = None
    until: datetime | None = None
    principal: str | None = None
    action: str | None = None
    registry: str | None = None
    result: str | None = None


_SHOWN: Final = tuple(column for column in audit_entry.columns if column.name != "id")


def chained_after(tx: Connection, wanted: Filter, after: int, count: int) -> Sequence[Mapping[str, Any]]:
    """Entries with numbers above ``after``, by their numbers."""
    statement = _filtered(wanted).where(audit_entry.c.sequence > after).order_by(audit_entry.c.sequence)
    return [{**row} for row in tx.execute(statement.limit(count)).mappings()]


def waiting_after(tx: Connection, wanted: Filter, after: int, count: int) -> Sequence[Mapping[str, Any]]:
    """Entries that have no number yet, with ids above ``after``, by their ids; with the id."""
    statement = _filtered(wanted).add_columns(audit_entry.c.id)
    statement = statement.where(audit_entry.c.sequence.is_(None), audit_entry.c.id > after).order_by(audit_entry.c.id)
    return [{**row} for row in tx.execute(statement.limit(count)).mappings()]


def _filtered(wanted: Filter) -> Select[Any]:
    statement = select(*_SHOWN)
    if wanted.since is not None:
        statement = statement.where(audit_entry.c.at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(audit_entry.c.at < wanted.until)
    if wanted.action is not None and wanted.action.endswith("*"):
        statement = statement.where(audit_entry.c.action.startswith(wanted.action[:-1], autoescape=True))
    elif wanted.action is not None:
        statement = statement.where(audit_entry.c.action == wanted.action)
    for name in ("principal", "registry", "result"):
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(audit_entry.c[name] == value)
    return statement


# --- and exported -----------------------------------------------------------------------------------------------------


def exported_to(tx: Connection, name: str) -> int:
    """The number of the last entry that went to this export."""
    found = tx.execute(select(audit_export.c.sequence).where(audit_export.c.name == name)).scalar()
    return found or 0


def set_exported(tx: Connection, name: str, sequence: int) -> None:
    changed = tx.execute(update(audit_export).where(audit_export.c.name == name).values(sequence=sequence))
    if changed.rowcount == 0:
        tx.execute(insert(audit_export).values(name=name, sequence=sequence))
