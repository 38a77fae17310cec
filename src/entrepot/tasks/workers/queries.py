"""SQL of workers that take runs, and of the runs that wait for one."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from entrepot.db.prepared import Prepared
from entrepot.db.tables import registry, worker
from entrepot.db.task_tables import agent_pool, task_run, task_worker
from entrepot.tasks.labels import read, written
from entrepot.tasks.runs.model import Status
from entrepot.tasks.workers.rules import Agent, Fit, Waiting

_WAITS: Final = and_(task_run.c.finished_at.is_(None), task_run.c.queue.is_(None))
_GOES: Final = and_(task_run.c.finished_at.is_(None), task_run.c.queue.is_not(None))
_lower_pool = func.lower(task_run.c.pool)
_STRANDED: Final = 100


# --- workers ----------------------------------------------------------------------------------------------------------


def insert_agent(tx: Connection, agent: Agent) -> None:
    values = {"pool": agent.pool, "architecture": agent.architecture, "at_once": agent.at_once}
    tx.execute(insert(task_worker).values(worker_id=agent.worker, labels=written(agent.labels), **values))


def set_drains(tx: Connection, worker_id: str, drains: bool) -> bool:  # noqa: FBT001  a column's value
    """Whether there is such a worker."""
    changed = tx.execute(update(task_worker).where(task_worker.c.worker_id == worker_id).values(drains=drains))
    return changed.rowcount == 1


def set_engine(tx: Connection, worker_id: str, engine: str) -> None:
    tx.execute(update(task_worker).where(task_worker.c.worker_id == worker_id).values(engine=engine))


def agents(tx: Connection) -> list[Agent]:
    """Every worker that is registered."""
    going = (
        select(func.count())
        .where(_GOES, task_run.c.worker == task_worker.c.worker_id, task_run.c.status != Status.QUEUED)
        .scalar_subquery()
    )
    rows = tx.execute(
        select(
            task_worker.c.worker_id,
            task_worker.c.pool,
            task_worker.c.architecture,
            task_worker.c.at_once,
            task_worker.c.drains,
            going,
            task_worker.c.labels,
        )
    )
    return [Agent(*row[:-1], labels=read(row.labels)) for row in rows]


@dataclass(frozen=True, slots=True)
class Seen:
    """A worker as an operator sees it. ``engine``: None before its first run."""

    agent: Agent
    engine: str | None
    started_at: datetime
    seen_at: datetime


def seen(tx: Connection) -> list[Seen]:
    """In the order of their ids."""
    known = {each.worker: each for each in agents(tx)}
    rows = tx.execute(
        select(task_worker.c.worker_id, task_worker.c.engine, worker.c.started_at, worker.c.seen_at)
        .join_from(task_worker, worker)
        .order_by(task_worker.c.worker_id)
    )
    return [Seen(known[row.worker_id], row.engine, row.started_at, row.seen_at) for row in rows]


# --- runs that wait ---------------------------------------------------------------------------------------------------


_WAITING: Final = Prepared(select(task_run.c.id).where(_WAITS).limit(1))


def has_waiting(tx: Connection) -> bool:
    """Asked several times a second by every worker."""
    return _WAITING.first(tx) is not None


def _fits(fit: Fit) -> ColumnElement[bool]:
    owner, _, name = fit.pool.rpartition("/")
    of_pool: ColumnElement[bool] = task_run.c.pool.is_(None) if not fit.pool else _lower_pool == name
    of_registry = [func.lower(registry.c.name) == owner] if owner else []
    takes = [
        and_(task_run.c.labels == needed, task_run.c.architecture.not_in(sorted(foreign)))
        for needed, foreign in fit.foreign.items()
    ]
    return and_(of_pool, *of_registry, or_(*takes))


def waiting(tx: Connection, fit: Fit, most: int) -> list[Waiting]:
    """The oldest first; so many at most of each registry."""
    turn = func.row_number().over(partition_by=task_run.c.registry_id, order_by=task_run.c.number).label("turn")
    lines = (
        select(task_run.c.id, task_run.c.registry_id, turn)
        .join_from(task_run, registry)
        .where(_WAITS, _fits(fit))
        .subquery()
    )
    rows = tx.execute(select(lines.c.id, lines.c.registry_id).where(lines.c.turn <= most).order_by(lines.c.id))
    return [Waiting(*row) for row in rows]


def going(tx: Connection, registries: Collection[int]) -> dict[tuple[int, str | None], int]:
    """How many runs were chosen and have not ended: by registry and pool, in lower case."""
    rows = tx.execute(
        select(task_run.c.registry_id, _lower_pool.label("pool"), func.count().label("runs"))
        .where(_GOES, task_run.c.registry_id.in_(registries))
        .group_by(task_run.c.registry_id, _lower_pool)
    )
    return {(row.registry_id, row.pool): row.runs for row in rows}


def pools(tx: Connection, registries: Collection[int]) -> dict[tuple[int, str], str]:
    """Properties of the registries' pools, JSON: by registry and name, in lower case."""
    rows = tx.execute(
        select(agent_pool.c.registry_id, agent_pool.c.key, agent_pool.c.properties).where(
            agent_pool.c.registry_id.in_(registries)
        )
    )
    return {(row.registry_id, row.key): row.properties for row in rows}


def not_begun(tx: Connection, queue: str) -> int:
    """How many were chosen for a queue and no worker has: not begun yet, or handed back by one that has gone."""
    has_none = or_(task_run.c.status == Status.QUEUED, task_run.c.worker.not_in(select(task_worker.c.worker_id)))
    return tx.execute(select(func.count()).where(_GOES, task_run.c.queue == queue, has_none)).scalar_one()


def stranded(tx: Connection, fit: Fit, known: Collection[str]) -> list[tuple[int, str]]:
    """Runs that fit and were chosen for a queue that no worker has any more: by their rows, with the queue."""
    rows = tx.execute(
        select(task_run.c.id, task_run.c.queue)
        .join_from(task_run, registry)
        .where(_GOES, _fits(fit), task_run.c.queue.not_in(sorted(known)))
        .order_by(task_run.c.id)
        .limit(_STRANDED)
    )
    return [(row.id, row.queue) for row in rows]


def move(tx: Connection, run_id: int, queue: str) -> None:
    tx.execute(update(task_run).where(task_run.c.id == run_id).values(queue=queue))


def set_queue(tx: Connection, run_id: int, queue: str) -> bool:
    """A worker has chosen the run. False when another one has, or it has ended."""
    changed = tx.execute(update(task_run).where(task_run.c.id == run_id, _WAITS).values(queue=queue, waits=None))
    return changed.rowcount == 1


@dataclass(frozen=True, slots=True)
class Untold:
    """A run that may have to be told why it waits. ``registry``: by its row, and by name."""

    id: int
    registry_id: int
    registry: str
    number: int
    pool: str | None
    labels: str
    waits: str | None
    told_at: datetime | None


def untold(tx: Connection, created_before: datetime, told_before: datetime | None, limit: int) -> list[Untold]:
    """Runs that wait since before the one moment and were told nothing, or nothing since the other."""
    due = and_(task_run.c.told_at.is_(None), task_run.c.created_at < created_before)
    if told_before is not None:
        due = or_(due, task_run.c.told_at < told_before)
    rows = tx.execute(
        select(
            task_run.c.id,
            task_run.c.registry_id,
            registry.c.name.label("registry"),
            task_run.c.number,
            task_run.c.pool,
            task_run.c.labels,
            task_run.c.waits,
            task_run.c.told_at,
        )
        .join_from(task_run, registry)
        .where(_WAITS, due)
        .order_by(task_run.c.told_at.is_not(None), task_run.c.told_at, task_run.c.id)
        .limit(limit)
    )
    return [Untold(*row) for row in rows]


def waiting_before(tx: Connection, run: Untold) -> int:
    """How many of its registry that want the same of a worker wait before it."""
    same: ColumnElement[bool] = task_run.c.pool.is_(None) if run.pool is None else _lower_pool == run.pool.lower()
    return tx.execute(
        select(func.count()).where(
            _WAITS,
            task_run.c.registry_id == run.registry_id,
            task_run.c.number < run.number,
            task_run.c.labels == run.labels,
            same,
        )
    ).scalar_one()


def set_told(tx: Connection, run_id: int, waits: str, now: datetime) -> bool:
    """Whether it still waits."""
    changed = tx.execute(update(task_run).where(task_run.c.id == run_id, _WAITS).values(waits=waits, told_at=now))
    return changed.rowcount == 1
