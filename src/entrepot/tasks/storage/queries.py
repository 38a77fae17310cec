"""SQL of the storage of runs."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from entrepot.db.tables import registry
from entrepot.db.task_tables import task_run


class RunName(NamedTuple):
    """What tells a run from every other one: its registry's own id, and its name there."""

    registry: str
    name: str


def find_run(tx: Connection, run_id: int) -> RunName | None:
    """Of a run by its row's id."""
    row = tx.execute(
        select(registry.c.rid, task_run.c.name).join_from(task_run, registry).where(task_run.c.id == run_id)
    ).one_or_none()
    return None if row is None else RunName(*row)
