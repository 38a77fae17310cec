"""SQL of tasks, agent pools and task runs as resources."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from entrepot.db.task_tables import agent_pool, task, task_run_resource

# --- tasks ------------------------------------------------------------------------------------------------------------


class TaskValues(NamedTuple):
    """What can be changed of a task. ``tags``, ``identity`` and ``properties`` are JSON, ``secrets`` is sealed."""

    tags: str
    identity: str | None
    properties: str
    secrets: str | None
    updated_at: datetime


class TaskRow(NamedTuple):
    id: int
    registry_id: int
    name: str
    location: str
    tags: str
    identity: str | None
    properties: str
    secrets: str | None
    created_at: datetime
    updated_at: datetime


_TASKS: Final = select(*(task.c[name] for name in TaskRow._fields))


def find_task(tx: Connection, registry_id: int, name: str) -> TaskRow | None:
    """Names compare without case."""
    row = tx.execute(_TASKS.where(task.c.registry_id == registry_id, task.c.key == name.lower())).one_or_none()
    return None if row is None else TaskRow(*row)


def task_of(tx: Connection, task_id: int) -> TaskRow:
    """By its row's id."""
    return TaskRow(*tx.execute(_TASKS.where(task.c.id == task_id)).one())


def find_task_of(tx: Connection, task_id: int) -> TaskRow | None:
    """By its row's id, where it may have been deleted."""
    row = tx.execute(_TASKS.where(task.c.id == task_id)).one_or_none()
    return None if row is None else TaskRow(*row)


def tasks(tx: Connection, registry_id: int, after: str, limit: int) -> list[TaskRow]:
    """In the order of their names, in lower case."""
    rows = tx.execute(
        _TASKS.where(task.c.registry_id == registry_id, task.c.key > after).order_by(task.c.key).limit(limit)
    )
    return [TaskRow(*row) for row in rows]


def insert_task(tx: Connection, registry_id: int, name: str, location: str, values: TaskValues) -> None:
    tx.execute(
        insert(task).values(
            registry_id=registry_id,
            key=name.lower(),
            name=name,
            location=location,
            created_at=values.updated_at,
            **values._asdict(),
        )
    )


def update_task(tx: Connection, task_id: int, values: TaskValues) -> None:
    tx.execute(update(task).where(task.c.id == task_id).values(values._asdict()))


def delete_task(tx: Connection, task_id: int) -> None:
    """What ran stays."""
    tx.execute(delete(task).where(task.c.id == task_id))


# --- agent pools ------------------------------------------------------------------------------------------------------


class PoolValues(NamedTuple):
    """What can be changed of an agent pool. ``tags`` and ``properties`` are JSON."""

    tags: str
    properties: str
    updated_at: datetime


class PoolRow(NamedTuple):
    id: int
    name: str
    location: str
    tags: str
    properties: str
    created_at: datetime
    updated_at: datetime


_POOLS: Final = select(*(agent_pool.c[name] for name in PoolRow._fields))


def find_pool(tx: Connection, registry_id: int, name: str) -> PoolRow | None:
    """Names compare without case."""
    row = tx.execute(
        _POOLS.where(agent_pool.c.registry_id == registry_id, agent_pool.c.key == name.lower())
    ).one_or_none()
    return None if row is None else PoolRow(*row)


def pools(tx: Connection, registry_id: int, after: str, limit: int) -> list[PoolRow]:
    """In the order of their names, in lower case."""
    rows = tx.execute(
        _POOLS.where(agent_pool.c.registry_id == registry_id, agent_pool.c.key > after)
        .order_by(agent_pool.c.key)
        .limit(limit)
    )
    return [PoolRow(*row) for row in rows]


def insert_pool(tx: Connection, registry_id: int, name: str, location: str, values: PoolValues) -> None:
    tx.execute(
        insert(agent_pool).values(
            registry_id=registry_id,
            key=name.lower(),
            name=name,
            location=location,
            created_at=values.updated_at,
            **values._asdict(),
        )
    )


def update_pool(tx: Connection, pool_id: int, values: PoolValues) -> None:
    tx.execute(update(agent_pool).where(agent_pool.c.id == pool_id).values(values._asdict()))


def delete_pool(tx: Connection, pool_id: int) -> None:
    tx.execute(delete(agent_pool).where(agent_pool.c.id == pool_id))


# --- task runs --------------------------------------------------------------------------------------------------------


class TaskRunValues(NamedTuple):
    """What can be changed of a task run. ``identity`` and ``properties`` are JSON, ``secrets`` is sealed; ``run_id``:
    the row of what it runs, or ran.
    """

    identity: str | None
    properties: str
    secrets: str | None
    run_id: int | None
    updated_at: datetime


class TaskRunRow(NamedTuple):
    id: int
    registry_id: int
    name: str
    location: str
    identity: str | None
    properties: str
    secrets: str | None
    run_id: int | None
    created_at: datetime
    updated_at: datetime


_TASK_RUNS: Final = select(*(task_run_resource.c[name] for name in TaskRunRow._fields))


def find_task_run(tx: Connection, registry_id: int, name: str) -> TaskRunRow | None:
    """Names compare without case."""
    row = tx.execute(
        _TASK_RUNS.where(task_run_resource.c.registry_id == registry_id, task_run_resource.c.key == name.lower())
    ).one_or_none()
    return None if row is None else TaskRunRow(*row)


def task_runs(tx: Connection, registry_id: int, after: str, limit: int) -> list[TaskRunRow]:
    """In the order of their names, in lower case."""
    rows = tx.execute(
        _TASK_RUNS.where(task_run_resource.c.registry_id == registry_id, task_run_resource.c.key > after)
        .order_by(task_run_resource.c.key)
        .limit(limit)
    )
    return [TaskRunRow(*row) for row in rows]


def insert_task_run(tx: Connection, registry_id: int, name: str, location: str, values: TaskRunValues) -> None:
    tx.execute(
        insert(task_run_resource).values(
            registry_id=registry_id,
            key=name.lower(),
            name=name,
            location=location,
            created_at=values.updated_at,
            **values._asdict(),
        )
    )


def update_task_run(tx: Connection, task_run_id: int, values: TaskRunValues) -> None:
    tx.execute(update(task_run_resource).where(task_run_resource.c.id == task_run_id).values(values._asdict()))


def delete_task_run(tx: Connection, task_run_id: int) -> None:
    """What ran stays."""
    tx.execute(delete(task_run_resource).where(task_run_resource.c.id == task_run_id))
