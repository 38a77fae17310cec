"""SQL of timers, of source triggers and of evaluations."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from entrepot.db.task_tables import task_evaluation, task_run, task_source, task_timer
from entrepot.tasks.runs.model import Status


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


def has_due(tx: Connection, now: datetime) -> bool:
    return tx.execute(select(task_timer.c.task_id).where(task_timer.c.due_at <= now).limit(1)).first() is not None


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


# --- source triggers --------------------------------------------------------------------------------------------------


class Source(NamedTuple):
    """A source trigger of a task. ``secret``: sealed; ``seen``: JSON; ``due_at``: None: never."""

    id: int
    task_id: int
    name: str
    hook: str
    secret: str
    delivered_at: datetime | None
    repository: str
    branch: str
    seen: str | None
    due_at: datetime | None
    checked_at: datetime | None
    failures: int
    problem: str | None


_SOURCES: Final = select(*(task_source.c[name] for name in Source._fields))


def sources_of(tx: Connection, task_id: int) -> list[Source]:
    """By their names."""
    rows = tx.execute(_SOURCES.where(task_source.c.task_id == task_id).order_by(task_source.c.name))
    return [Source(*row) for row in rows]


def find_hook(tx: Connection, hook: str) -> Source | None:
    row = tx.execute(_SOURCES.where(task_source.c.hook == hook)).one_or_none()
    return None if row is None else Source(*row)


def find_source(tx: Connection, source_id: int) -> Source | None:
    row = tx.execute(_SOURCES.where(task_source.c.id == source_id)).one_or_none()
    return None if row is None else Source(*row)


def hold_source(tx: Connection, source_id: int) -> Source | None:
    """The same, and nobody else evaluates what happens to it until the transaction has ended."""
    row = tx.execute(_SOURCES.where(task_source.c.id == source_id).with_for_update()).one_or_none()
    return None if row is None else Source(*row)


def insert_source(tx: Connection, values: Mapping[str, object]) -> None:
    tx.execute(insert(task_source).values(values))


def update_source(tx: Connection, source_id: int, values: Mapping[str, object]) -> None:
    tx.execute(update(task_source).where(task_source.c.id == source_id).values(values))


def delete_source(tx: Connection, source_id: int) -> None:
    tx.execute(delete(task_source).where(task_source.c.id == source_id))


def has_due_sources(tx: Connection, now: datetime) -> bool:
    return tx.execute(select(task_source.c.id).where(task_source.c.due_at <= now).limit(1)).first() is not None


def take_due_sources(tx: Connection, now: datetime, until: datetime, limit: int) -> list[int]:
    """Some that are due, which are not until then; whoever looks at one says when it is due again."""
    due = (
        select(task_source.c.id)
        .where(task_source.c.due_at <= now)
        .order_by(task_source.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = list(tx.execute(due).scalars())
    tx.execute(update(task_source).where(task_source.c.id.in_(taken)).values(due_at=until))
    return taken


# --- evaluations ------------------------------------------------------------------------------------------------------


# Of the evaluations of source triggers.
SOURCE: Final = "source"


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


class Waiting(NamedTuple):
    """A run that no worker has taken yet, and the evaluation that began it."""

    evaluation: int
    run_id: int
    run: str


def find_waiting(tx: Connection, made: Evaluation, subject: str) -> Waiting | None:
    """The newest that this trigger began, for a thing whose key begins so."""
    row = tx.execute(
        select(task_evaluation.c.id, task_run.c.id, task_run.c.name)
        .join_from(task_evaluation, task_run, task_run.c.id == task_evaluation.c.run_id)
        .where(
            task_evaluation.c.task_id == made.task_id,
            task_evaluation.c.kind == made.kind,
            task_evaluation.c.trigger == made.trigger,
            task_evaluation.c.key.startswith(subject, autoescape=True),
            task_run.c.status == Status.QUEUED.value,
        )
        .order_by(task_evaluation.c.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Waiting(*row)


def set_replaced(tx: Connection, evaluation: int, reason: str) -> None:
    """It begins no run after all: what else there is to say."""
    tx.execute(
        update(task_evaluation)
        .where(task_evaluation.c.id == evaluation)
        .values(run_id=None, reason=task_evaluation.c.reason + reason)
    )


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
    """Forget old ones, some at a time; how many. Of a source trigger those that began nothing: a delivery that comes
    again after years must find the row of its commit, whose key has no blank.
    """
    is_needed = (task_evaluation.c.kind == SOURCE) & ~task_evaluation.c.key.contains(" ")
    old = (
        select(task_evaluation.c.id)
        .where(task_evaluation.c.at < before, ~is_needed)
        .order_by(task_evaluation.c.at)
        .limit(limit)
    )
    return tx.execute(delete(task_evaluation).where(task_evaluation.c.id.in_(old))).rowcount
