"""A table for what the tests' workflows do, and DBOS's own as far as the tests look into them."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    CursorResult,
    Executable,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from entrepot.jobs import queries

EFFECTS = Table(
    "effect",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("thing", String(64), nullable=False),
    Column("what", String(64), nullable=False),
    Column("by", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
)

_DBOS = MetaData(schema=queries.SCHEMA)
RUNS = Table(
    "workflow_status",
    _DBOS,
    Column("workflow_uuid", Text),
    Column("status", Text),
    Column("owner_xid", Text),
    Column("recovery_attempts", BigInteger),
    Column("queue_partition_key", Text),
    Column("serialization", Text),
    Column("created_at", BigInteger),
    Column("started_at_epoch_ms", BigInteger),
    Column("completed_at", BigInteger),
)
INPUTS = Table("workflow_input", _DBOS, Column("workflow_uuid", Text), Column("inputs", Text))
OUTPUTS = Table("workflow_output", _DBOS, Column("workflow_uuid", Text), Column("error", Text))
STEPS = Table(
    "operation_outputs",
    _DBOS,
    Column("workflow_uuid", Text),
    Column("function_id", Integer),
    Column("output", Text),
    Column("serialization", Text),
)


def note(tx: Connection, thing: str, what: str, by: str = "", attempt: int = 0) -> None:
    tx.execute(insert(EFFECTS).values(thing=thing, what=what, by=by, attempt=attempt))


def noted(tx: Connection, thing: str) -> list[tuple[str, str, int]]:
    """What was done for a thing, in order: what, by whom, in which attempt."""
    rows = tx.execute(
        select(EFFECTS.c.what, EFFECTS.c.by, EFFECTS.c.attempt).where(EFFECTS.c.thing == thing).order_by(EFFECTS.c.id)
    )
    return [tuple(row) for row in rows]


def is_asked(tx: Connection, _now: datetime) -> bool:
    return tx.execute(select(EFFECTS.c.id).where(EFFECTS.c.what == "asked").limit(1)).first() is not None


def answer(tx: Connection) -> None:
    tx.execute(delete(EFFECTS).where(EFFECTS.c.what == "asked"))


def dbos(tx: Connection, statement: Executable) -> CursorResult[Any]:
    """Execute a statement on the tables above, whichever schema they are in."""
    return queries._execute(tx, statement)


def statuses(tx: Connection, key: str) -> list[tuple[str, int]]:
    """The runs of a key: status, and how often a worker took it up."""
    chosen = select(RUNS.c.status, RUNS.c.recovery_attempts).where(RUNS.c.queue_partition_key == key)
    return [tuple(row) for row in dbos(tx, chosen.order_by(RUNS.c.created_at, RUNS.c.workflow_uuid))]


def finished(tx: Connection, key: str) -> bool:
    """Whether no run of the key waits or goes."""
    found = statuses(tx, key)
    return bool(found) and all(status not in {"ENQUEUED", "PENDING", "DELAYED"} for status, _ in found)


def answers(tx: Connection, key: str) -> list[str]:
    """What the steps of a key's runs are remembered to have answered, as JSON."""
    joined = select(STEPS.c.output).join_from(STEPS, RUNS, STEPS.c.workflow_uuid == RUNS.c.workflow_uuid)
    chosen = joined.where(RUNS.c.queue_partition_key == key).order_by(STEPS.c.function_id)
    return list(dbos(tx, chosen).scalars())


def take_away(tx: Connection, key: str) -> None:
    """What a takeover does to a run."""
    going = update(RUNS).where(RUNS.c.queue_partition_key == key, RUNS.c.status == "PENDING")
    dbos(tx, going.values(status="ENQUEUED", owner_xid=None))
