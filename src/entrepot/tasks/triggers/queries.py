"""SQL of timers and of evaluations."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from entrepot.db.task_tables import task_evaluation, task_run, task_timer


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer of a task, and when it is due."""

    task_id: int
    name: str
    schedule: str
    due_at: datetime


def timers_of(tx: Connection, task_id: int) -> list[Timer]:
    """By their names."""
    rows = tx.execute(select(*task_timer.c).where(task_timer.c.task_id == task_id).order_by(task_timer.c.name))
    return [Timer(*row) for row in rows]


def delete_timers(tx: Connection, task_id: int) -> None:
    tx.execute(delete(task_timer).where(task_timer.c.task_id == task_id))


def insert_timers(tx: Connection, timers: list[Timer]) -> None:
    tx.execute(insert(task_timer), [asdict(each) for each in timers])


def take_due(tx: Connection, now: datetime) -> Timer | None:
    """One that is due, which nobody else takes until the transaction has ended."""
    row = tx.execute(
        select(*task_timer.c)
        .where(task_timer.c.due_at <= now)
        .order_by(task_timer.c.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    return None if row is None else Timer(*row)


def set_due(tx: Connection, timer: Timer, due_at: datetime | None) -> None:
    """None: it never comes again."""
    ours = (task_timer.c.task_id == timer.task_id, task_timer.c.name == timer.name)
    if due_at is None:
        tx.execute(delete(task_timer).where(*ours))
    else:
        tx.execute(update(task_timer).where(*ours).values(due_at=due_at))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a trigger makes of one thing: ``kind``, ``trigger`` and ``key`` say which."""

    task_id: int
    kind: str
    trigger: str
    key: str
    at: datetime
    reason: str


def insert_evaluation(tx: Connection, made: Evaluation) -> int | None:
    """Its row's id; None where the same thing was looked at before."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    return tx.execute(
        dialect.insert(task_evaluation).values(**asdict(made)).on_conflict_do_nothing().returning(task_evaluation.c.id)
    ).scalar_one_or_none()


def set_run(tx: Connection, evaluation: int, run_id: int) -> None:
    tx.execute(update(task_evaluation).where(task_evaluation.c.id == evaluation).values(run_id=run_id))


@dataclass(frozen=True, slots=True)
class Told:
    """An evaluation, with the run's name where it began one."""

    kind: str
    trigger: str
    key: str
    at: datetime
    reason: str
    run: str | None


def latest(tx: Connection, task_id: int, limit: int) -> list[Told]:
    """The newest first."""
    rows = tx.execute(
        select(
            task_evaluation.c.kind,
            task_evaluation.c.trigger,
            task_evaluation.c.key,
            task_evaluation.c.at,
            task_evaluation.c.reason,
            task_run.c.name,
        )
        .outerjoin_from(task_evaluation, task_run, task_run.c.id == task_evaluation.c.run_id)
        .where(task_evaluation.c.task_id == task_id)
        .order_by(task_evaluation.c.id.desc())
        .limit(limit)
    )
    return [Told(*row) for row in rows]


def delete_evaluations(tx: Connection, before: datetime, limit: int) -> int:
    """Forget old ones, some at a time; how many."""
    old = select(task_evaluation.c.id).where(task_evaluation.c.at < before).order_by(task_evaluation.c.at).limit(limit)
    return tx.execute(delete(task_evaluation).where(task_evaluation.c.id.in_(old))).rowcount
