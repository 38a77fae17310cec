"""Rows of tasks as no request makes them."""

import msgspec
from sqlalchemy import Connection, delete, select, update

from entrepot.db.task_tables import task, task_run_principal


def lose_step(tx: Connection) -> None:
    """The one task says no longer what it does."""
    row = tx.execute(select(task.c.id, task.c.properties)).one()
    told = msgspec.json.decode(row.properties, type=dict[str, object])
    properties = msgspec.json.encode({name: value for name, value in told.items() if name != "step"}).decode()
    tx.execute(update(task).where(task.c.id == row.id).values(properties=properties))


def forget_principals(tx: Connection) -> None:
    """Nobody is a run any more."""
    tx.execute(delete(task_run_principal))
