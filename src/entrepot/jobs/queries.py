"""The room's SQL: the workers' rows, and what DBOS's own statements do not offer on the rows of runs.

DBOS keeps a run as a row of ``workflow_status``: ENQUEUED (waits), DELAYED (waits for a time), PENDING (a worker has
it), then finished. ``owner_xid`` names the one execution that may write for it; ``recovery_attempts`` counts how often
a worker took it up. Its tables are described here as far as these statements need them; tests/integration/jobs
holds them against the installed version.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    CursorResult,
    Executable,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    union_all,
    update,
)

from entrepot.db.database import Database
from entrepot.db.hot import HotReader
from entrepot.db.prepared import Prepared
from entrepot.db.tables import worker

SCHEMA: Final = "dbos"  # on PostgreSQL; SQLite has none
_dbos: Final = MetaData(schema=SCHEMA)


def _runs(metadata: MetaData) -> Table:
    return Table(
        "workflow_status",
        metadata,
        Column("workflow_uuid", Text, primary_key=True),
        Column("status", Text),
        Column("name", Text),
        Column("executor_id", Text),
        Column("owner_xid", Text),
        Column("recovery_attempts", BigInteger),
        Column("queue_name", Text),
        Column("queue_partition_key", Text),
        Column("created_at", BigInteger),
        Column("started_at_epoch_ms", BigInteger),
        Column("updated_at", BigInteger),
        Column("completed_at", BigInteger),
    )


run: Final = _runs(_dbos)
run_input: Final = Table("workflow_input", _dbos, Column("workflow_uuid", Text))
run_output: Final = Table("workflow_output", _dbos, Column("workflow_uuid", Text))
step: Final = Table(
    "operation_outputs",
    _dbos,
    Column("workflow_uuid", Text),
    Column("function_id", Integer),
    Column("function_name", Text),
    Column("output", Text),
    Column("serialization", Text),
    Column("started_at_epoch_ms", BigInteger),
    Column("completed_at_epoch_ms", BigInteger),
    Column("retention_timestamp", BigInteger),
)

# Literals, and the IN beside them: SQLite uses DBOS's partial indexes only when it sees their very condition.
_ENQUEUED: Final = literal_column("'ENQUEUED'", Text())
_DELAYED: Final = literal_column("'DELAYED'", Text())
_PENDING: Final = literal_column("'PENDING'", Text())
_SUCCESS: Final = literal_column("'SUCCESS'", Text())
_IN_FLIGHT: Final = (_ENQUEUED, _PENDING)
_WITHOUT_SCHEMA: Final = {"schema_translate_map": {SCHEMA: None}}


def _execute(tx: Connection, statement: Executable, values: Mapping[str, object] | None = None) -> CursorResult[Any]:
    """Any: a row's types are each statement's own, and go into typed values at once."""
    options = _WITHOUT_SCHEMA if tx.dialect.name == "sqlite" else {}
    return tx.execute(statement, values, execution_options=options)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


# --- waking -----------------------------------------------------------------------------------------------------------

# The newest first: a worker claims the oldest, so wakers that hold others do not keep it from that.
_WAITING: Final = (
    select(literal(1))
    .where(
        run.c.queue_name == bindparam("queue"),
        run.c.queue_partition_key == bindparam("key"),
        run.c.status == _ENQUEUED,
        run.c.status.in_(_IN_FLIGHT),
    )
    .order_by(run.c.created_at.desc())
    .limit(1)
    .with_for_update(skip_locked=True)
)
_WAITING_FOR_TIME: Final = select(literal(1)).where(
    run.c.queue_name == bindparam("queue"),
    run.c.queue_partition_key == bindparam("key"),
    run.c.status == _DELAYED,
)


def hold_waiting(tx: Connection, queue: str, key: str) -> bool:
    """Whether a run waits that no worker can claim before this transaction has ended.

    On PostgreSQL by locking its row, and only a row that nobody else has locked: no waker ever waits for another. On
    SQLite the write door keeps everybody else out.
    """
    return _execute(tx, _WAITING, {"queue": queue, "key": key}).first() is not None


def is_delayed(tx: Connection, queue: str, key: str) -> bool:
    """Whether a run waits for its time."""
    return _execute(tx, _WAITING_FOR_TIME, {"queue": queue, "key": key}).first() is not None


_MOVE: Final = (
    update(run)
    .where(
        run.c.queue_name == bindparam("from_queue"),
        run.c.queue_partition_key == bindparam("key"),
        run.c.status == _ENQUEUED,
    )
    .values(queue_name=bindparam("to_queue"))
)


def move_waiting(tx: Connection, from_queue: str, key: str, to_queue: str) -> bool:
    """Let a run that waits wait in another queue. False: it does not wait there (any more)."""
    return _execute(tx, _MOVE, {"from_queue": from_queue, "key": key, "to_queue": to_queue}).rowcount > 0


# --- claiming ---------------------------------------------------------------------------------------------------------


class Claimable:
    """Which queues have a run that could begin. Asked several times a second, so a hot statement; for one thread."""

    def __init__(self, database: Database, queues: Sequence[str]) -> None:
        self._values = {f"queue_{number}": queue for number, queue in enumerate(queues)}
        self.statement = Prepared(_claimable(_runs(MetaData()) if database.is_sqlite else run, self._values))
        self._reader = HotReader(database)

    def find(self) -> list[str]:
        return [row[0] for row in self._reader.fetch(self.statement, self._values)]

    def close(self) -> None:
        self._reader.close()


def _claimable(table: Table, names: Iterable[str]) -> Select[tuple[str]]:
    """It stops at a queue's first run that waits for no other of its key."""
    waiting, going = table.alias("waiting"), table.alias("going")
    overlaps = exists().where(
        going.c.queue_name == waiting.c.queue_name,
        going.c.queue_partition_key == waiting.c.queue_partition_key,
        going.c.status == _PENDING,
        going.c.status.in_(_IN_FLIGHT),
    )
    parts = (
        select(bindparam(name, type_=Text).label("queue")).where(
            exists().where(
                waiting.c.queue_name == bindparam(name),
                waiting.c.status == _ENQUEUED,
                waiting.c.status.in_(_IN_FLIGHT),
                ~overlaps,
            )
        )
        for name in names
    )
    return select(union_all(*parts).subquery().c.queue)


# --- running ----------------------------------------------------------------------------------------------------------

_HOLD: Final = (
    select(run.c.owner_xid, run.c.recovery_attempts)
    .where(run.c.workflow_uuid == bindparam("run"))
    .with_for_update(key_share=True)
)
_RECORDED: Final = select(step.c.function_name, step.c.output).where(
    step.c.workflow_uuid == bindparam("run"), step.c.function_id == bindparam("step")
)


@dataclass(frozen=True, slots=True)
class Holding:
    """Who may write for a run, and how often a worker has taken it up."""

    owner: str | None
    attempt: int


def hold_run(tx: Connection, run_id: str) -> Holding | None:
    """Who has the run; it stays so until this transaction has ended (write door)."""
    row = _execute(tx, _HOLD, {"run": run_id}).one_or_none()
    return None if row is None else Holding(row.owner_xid, row.recovery_attempts)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A step that was done before."""

    name: str
    output: str


def recorded_step(tx: Connection, run_id: str, number: int) -> Recorded | None:
    """What a step answered when it was done, in this attempt or an earlier one."""
    row = _execute(tx, _RECORDED, {"run": run_id, "step": number}).one_or_none()
    return None if row is None else Recorded(row.function_name, row.output)


def record_step(tx: Connection, run_id: str, number: int, recorded: Recorded, now: datetime) -> None:
    """Remember a step as DBOS does after a step of its own; here it commits together with what the step did."""
    at = _milliseconds(now)
    values = {
        "workflow_uuid": run_id,
        "function_id": number,
        "function_name": recorded.name,
        "output": recorded.output,
        "serialization": "portable_json",
        "started_at_epoch_ms": at,
        "completed_at_epoch_ms": at,
        "retention_timestamp": at,
    }
    _execute(tx, insert(step), values)


# --- workers ----------------------------------------------------------------------------------------------------------

_BEAT: Final = update(worker).where(worker.c.id == bindparam("worker")).values(seen_at=bindparam("now"))
_OTHERS: Final = select(worker.c.id, worker.c.seen_at).where(worker.c.id != bindparam("worker"))
# Skips a row that its own worker holds: stopped in the middle of a beat, it would hold us too.
_BURY: Final = delete(worker).where(
    worker.c.id.in_(
        select(worker.c.id)
        .where(worker.c.id == bindparam("worker"), worker.c.seen_at == bindparam("seen"))
        .with_for_update(skip_locked=True)
    )
)


def register(tx: Connection, worker_id: str, now: datetime) -> None:
    _execute(tx, insert(worker), {"id": worker_id, "started_at": now, "seen_at": now})


def beat(tx: Connection, worker_id: str, now: datetime) -> bool:
    """Say that the worker lives. False: others have declared it dead."""
    return _execute(tx, _BEAT, {"worker": worker_id, "now": now}).rowcount == 1


def other_workers(tx: Connection, worker_id: str) -> dict[str, datetime]:
    return {row.id: row.seen_at for row in _execute(tx, _OTHERS, {"worker": worker_id})}


def bury(tx: Connection, worker_id: str, seen_at: datetime) -> bool:
    """Remove a dead worker's row unless it has changed since; True for the one who did it."""
    return _execute(tx, _BURY, {"worker": worker_id, "seen": seen_at}).rowcount == 1


def leave(tx: Connection, worker_id: str) -> None:
    _execute(tx, delete(worker).where(worker.c.id == bindparam("worker")), {"worker": worker_id})


# --- taking over ------------------------------------------------------------------------------------------------------

_REGISTERED: Final = select(worker.c.id)
_LEFT_BEHIND: Final = and_(
    run.c.status == _PENDING,
    or_(
        run.c.executor_id.not_in(_REGISTERED),
        and_(
            run.c.executor_id == bindparam("worker"),
            run.c.workflow_uuid.not_in(bindparam("active", expanding=True)),
            run.c.started_at_epoch_ms < bindparam("before"),
        ),
    ),
)
_FIND_LEFT_BEHIND: Final = select(literal(1)).where(_LEFT_BEHIND).limit(1)
_ENQUEUE_AGAIN: Final = {"status": "ENQUEUED", "owner_xid": null(), "started_at_epoch_ms": null()}
# Skips a run whose worker was stopped inside a transaction on it: it is for the next beat.
_REQUEUE: Final = (
    update(run)
    .where(run.c.workflow_uuid.in_(select(run.c.workflow_uuid).where(_LEFT_BEHIND).with_for_update(skip_locked=True)))
    .values(_ENQUEUE_AGAIN | {"updated_at": bindparam("at")})
    .returning(run.c.workflow_uuid, run.c.name, run.c.executor_id)
)
_HAND_BACK: Final = (
    update(run)
    .where(run.c.status == _PENDING, run.c.executor_id == bindparam("worker"))
    .values(_ENQUEUE_AGAIN | {"updated_at": bindparam("at")})
    .returning(run.c.workflow_uuid, run.c.name, run.c.executor_id)
)


@dataclass(frozen=True, slots=True)
class Looker:
    """A worker that looks for runs nobody works on: what it works on itself, and since when a claim counts as old."""

    worker_id: str
    active: Sequence[str]
    before: datetime

    def values(self) -> dict[str, object]:
        return {"worker": self.worker_id, "active": self.active, "before": _milliseconds(self.before)}


@dataclass(frozen=True, slots=True)
class Requeued:
    """A run that waits again, and who had it."""

    run_id: str
    name: str
    worker_id: str


def has_left_behind(tx: Connection, looker: Looker) -> bool:
    """Whether a run is held by a worker that has no row, or by this one, which knows nothing of it."""
    return _execute(tx, _FIND_LEFT_BEHIND, looker.values()).first() is not None


def requeue_left_behind(tx: Connection, looker: Looker, now: datetime) -> list[Requeued]:
    """Let such runs wait again; from now on nothing that their old executions write is taken."""
    rows = _execute(tx, _REQUEUE, looker.values() | {"at": _milliseconds(now)})
    return [Requeued(*row) for row in rows]


def hand_back(tx: Connection, worker_id: str, now: datetime) -> list[Requeued]:
    """Let everything that the worker holds wait again."""
    rows = _execute(tx, _HAND_BACK, {"worker": worker_id, "at": _milliseconds(now)})
    return [Requeued(*row) for row in rows]


# --- pruning ----------------------------------------------------------------------------------------------------------

_FINISHED: Final = (
    select(run.c.workflow_uuid)
    .where(
        run.c.completed_at.is_not(None),
        run.c.completed_at < bindparam("done_before"),
        or_(run.c.status == _SUCCESS, run.c.completed_at < bindparam("failed_before")),
    )
    .order_by(run.c.completed_at)
    .limit(bindparam("limit"))
)


def find_finished(tx: Connection, done_before: datetime, failed_before: datetime, limit: int) -> list[str]:
    """Runs that ended well before the one moment, or badly before the other; the oldest first."""
    values = {
        "done_before": _milliseconds(done_before),
        "failed_before": _milliseconds(failed_before),
        "limit": limit,
    }
    return list(_execute(tx, _FINISHED, values).scalars())


def delete_runs(tx: Connection, run_ids: Sequence[str]) -> None:
    """Delete finished runs with all that belongs to them; the tables of payloads have no foreign key."""
    for table in (step, run_input, run_output, run):
        _execute(
            tx, delete(table).where(table.c.workflow_uuid.in_(bindparam("runs", expanding=True))), {"runs": run_ids}
        )
