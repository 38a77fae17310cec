"""SQL of runs."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, select, update

from entrepot.db.access_tables import principal
from entrepot.db.columns import Instant
from entrepot.db.tables import registry
from entrepot.db.task_tables import task, task_run, task_run_principal
from entrepot.tasks.runs.model import Status

_COLUMNS: Final = (
    task_run.c.id,
    task_run.c.registry_id,
    task_run.c.number,
    task_run.c.name,
    task_run.c.task,
    task_run.c.pool,
    task_run.c.type,
    task_run.c.status,
    task_run.c.request,
    task_run.c.secrets,
    task_run.c.outcome,
    task_run.c.is_archived,
    task_run.c.is_canceled,
    task_run.c.created_at,
    task_run.c.started_at,
    task_run.c.finished_at,
    task_run.c.updated_at,
    task_run.c.log_file,
    task_run.c.waits,
)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run. ``request``, ``outcome``: JSON; ``secrets``: sealed."""

    id: int
    registry_id: int
    number: int
    name: str
    task: str | None
    pool: str | None
    type: str
    status: str
    request: str
    secrets: str | None
    outcome: str
    is_archived: bool
    is_canceled: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    log_file: str | None
    waits: str | None


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be made. It waits."""

    registry_id: int
    number: int
    name: str
    task: str | None
    pool: str | None
    type: str
    request: str
    secrets: str | None
    is_archived: bool
    created_at: datetime
    architecture: str
    labels: str


def next_number(tx: Connection, registry_id: int) -> int:
    """The number of the registry's next run; nobody else gets it."""
    return tx.execute(
        update(registry)
        .where(registry.c.id == registry_id)
        .values(run_count=registry.c.run_count + 1)
        .returning(registry.c.run_count)
    ).scalar_one()


def identity_of_task(tx: Connection, registry_id: int, name: str) -> str | None:
    """JSON; None for a task without one, or that is gone."""
    found = select(task.c.identity).where(task.c.registry_id == registry_id, task.c.key == name.lower())
    return tx.execute(found).scalar_one_or_none()


class _Tagged(msgspec.Struct):
    tags: dict[str, str] = {}


def tags_of(tx: Connection, registry_id: int, name: str | None) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The registry's, and the task's; none of a task that is gone, or of a run without one."""
    kept = tx.execute(select(registry.c.settings).where(registry.c.id == registry_id)).scalar_one()
    of_registry = msgspec.json.decode(kept, type=_Tagged).tags
    if name is None:
        return of_registry, {}
    found = select(task.c.tags).where(task.c.registry_id == registry_id, task.c.key == name.lower())
    written = tx.execute(found).scalar_one_or_none()
    return of_registry, {} if written is None else msgspec.json.decode(written, type=dict[str, str])


def client_ids(tx: Connection, principals: Collection[str]) -> dict[str, str]:
    """By object id, of those that have one."""
    found = select(principal.c.id, principal.c.client_id).where(
        principal.c.id.in_(principals), principal.c.client_id.is_not(None)
    )
    return {row[0]: row[1] for row in tx.execute(found)}


def insert_run(tx: Connection, made: NewRun) -> int:
    """The row's id."""
    return tx.execute(
        insert(task_run)
        .values(**asdict(made), status=Status.QUEUED.value, updated_at=made.created_at)
        .returning(task_run.c.id)
    ).scalar_one()


def find_run(tx: Connection, registry_id: int, number: int) -> RunRow | None:
    return _one(tx, task_run.c.registry_id == registry_id, task_run.c.number == number)


def run_of(tx: Connection, run_id: int) -> RunRow | None:
    """By its row's id."""
    return _one(tx, task_run.c.id == run_id)


def _one(tx: Connection, *conditions: ColumnElement[bool]) -> RunRow | None:
    row = tx.execute(select(*_COLUMNS).where(*conditions)).one_or_none()
    return None if row is None else RunRow(*row)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs of a registry: those for which all of this holds. ``below``: with a lower number."""

    below: int | None = None
    number: int | None = None
    task: str | None = None
    pool: str | None = None
    status: str | None = None
    type: str | None = None
    is_archived: bool | None = None
    image: str | None = None
    created: tuple[tuple[str, datetime], ...] = ()
    finished: tuple[tuple[str, datetime], ...] = ()


def runs(tx: Connection, registry_id: int, wanted: Wanted, limit: int) -> list[RunRow]:
    """The newest first."""
    rows = tx.execute(
        select(*_COLUMNS)
        .where(task_run.c.registry_id == registry_id, *_conditions(wanted))
        .order_by(task_run.c.number.desc())
        .limit(limit)
    )
    return [RunRow(*row) for row in rows]


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    exact = {
        task_run.c.number: wanted.number,
        task_run.c.status: wanted.status,
        task_run.c.type: wanted.type,
        task_run.c.is_archived: wanted.is_archived,
        func.lower(task_run.c.task): wanted.task and wanted.task.lower(),
        func.lower(task_run.c.pool): wanted.pool and wanted.pool.lower(),
    }
    found: list[ColumnElement[bool]] = [column == value for column, value in exact.items() if value is not None]
    if wanted.below is not None:
        found.append(task_run.c.number < wanted.below)
    if wanted.image is not None:
        found.append(task_run.c.outcome.contains(wanted.image, autoescape=True))
    for column, terms in ((task_run.c.created_at, wanted.created), (task_run.c.finished_at, wanted.finished)):
        found += [_compared(column, sign, at) for sign, at in terms]
    return found


def _compared(column: ColumnElement[Any], sign: str, at: datetime) -> ColumnElement[bool]:
    match sign:
        case "ge":
            return column >= at
        case "gt":
            return column > at
        case "le":
            return column <= at
        case "lt":
            return column < at
        case _:
            return column == at


def place_of(tx: Connection, row: RunRow) -> int:
    """How many runs of the registry and the pool wait or go before this one."""
    pool: ColumnElement[bool] = (
        task_run.c.pool.is_(None) if row.pool is None else func.lower(task_run.c.pool) == row.pool.lower()
    )
    return tx.execute(
        select(func.count()).where(
            task_run.c.registry_id == row.registry_id,
            task_run.c.number < row.number,
            task_run.c.finished_at.is_(None),
            pool,
        )
    ).scalar_one()


def waiting_in_pool(tx: Connection, registry_id: int, pool: str) -> int:
    """How many runs wait for a pool's agents."""
    return tx.execute(
        select(func.count()).where(
            task_run.c.registry_id == registry_id,
            func.lower(task_run.c.pool) == pool.lower(),
            task_run.c.finished_at.is_(None),
            task_run.c.started_at.is_(None),
        )
    ).scalar_one()


def begin(tx: Connection, run_id: int, worker: str, attempt: int, now: datetime) -> bool:
    """This worker has it. False for a run that has ended, or that is to end."""
    changed = tx.execute(
        update(task_run)
        .where(task_run.c.id == run_id, task_run.c.finished_at.is_(None), task_run.c.is_canceled.is_(False))
        .values(
            status=Status.STARTED.value,
            worker=worker,
            attempt=attempt,
            updated_at=now,
            started_at=func.coalesce(task_run.c.started_at, literal(now, Instant)),
        )
    )
    return changed.rowcount == 1


def replace_waiting(tx: Connection, run_id: int, request: str, secrets: str, now: datetime) -> bool:
    """Let it do something else. False for one that a worker has taken, or that is to end."""
    changed = tx.execute(
        update(task_run)
        .where(task_run.c.id == run_id, task_run.c.status == Status.QUEUED.value, task_run.c.is_canceled.is_(False))
        .values(request=request, secrets=secrets, updated_at=now)
    )
    return changed.rowcount == 1


def set_running(tx: Connection, run_id: int, now: datetime) -> None:
    """Its first step begins."""
    tx.execute(
        update(task_run)
        .where(task_run.c.id == run_id, task_run.c.finished_at.is_(None))
        .values(status=Status.RUNNING.value, updated_at=now)
    )


def insert_principal(tx: Connection, run_id: int, principal_id: str) -> None:
    """Who it is in a registry; known after its end, too."""
    tx.execute(insert(task_run_principal).values(principal_id=principal_id, run_id=run_id))


def going(tx: Connection) -> dict[int, int]:
    """The runs that workers have, each with its attempt."""
    rows = tx.execute(
        select(task_run.c.id, task_run.c.attempt).where(task_run.c.finished_at.is_(None), task_run.c.attempt > 0)
    )
    return {row.id: row.attempt for row in rows}


def finish(tx: Connection, run_id: int, status: Status, outcome: str, now: datetime) -> bool:
    """End the run, and drop its secrets. Whether it had not ended before."""
    changed = tx.execute(
        update(task_run)
        .where(task_run.c.id == run_id, task_run.c.finished_at.is_(None))
        .values(status=status.value, outcome=outcome, secrets=None, finished_at=now, updated_at=now)
    )
    return changed.rowcount == 1


def cancel(tx: Connection, run_id: int, now: datetime) -> None:
    """Let its worker end it."""
    tx.execute(
        update(task_run)
        .where(task_run.c.id == run_id, task_run.c.finished_at.is_(None))
        .values(is_canceled=True, updated_at=now)
    )


def is_canceled(tx: Connection, run_id: int) -> bool:
    """Also where there is no such run any more."""
    found = tx.execute(select(task_run.c.is_canceled).where(task_run.c.id == run_id)).scalar_one_or_none()
    return found is None or found


def set_archived(tx: Connection, run_id: int, is_archived: bool, now: datetime) -> None:  # noqa: FBT001  a column's value
    tx.execute(update(task_run).where(task_run.c.id == run_id).values(is_archived=is_archived, updated_at=now))


def delete_finished(tx: Connection, before: datetime, limit: int) -> tuple[int, list[str]]:
    """Forget runs that ended before and are not archived, some at a time; how many, and their logs' files."""
    old = (
        select(task_run.c.id)
        .where(task_run.c.finished_at < before, task_run.c.is_archived.is_(False))
        .order_by(task_run.c.finished_at)
        .limit(limit)
    )
    gone = tx.execute(delete(task_run).where(task_run.c.id.in_(old)).returning(task_run.c.log_file)).scalars().all()
    return len(gone), [file for file in gone if file is not None]
