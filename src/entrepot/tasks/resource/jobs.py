"""The room's workflow: an agent pool that was deleted goes when everybody has seen that it is going."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from entrepot.arm.operations.record import Outcome, end
from entrepot.jobs.model import Queue, Workflow
from entrepot.jobs.run import Body, Run
from entrepot.tasks.resource import queries

# Its ids: the operation, the pool's row.
POOL_DELETION: Final = Workflow("tasks.delete_pool", Queue("agent_pools", at_once=1))


def _delete(run: Run, operation: str, pool: int) -> None:
    run.once("delete", _delete_pool, run, operation, pool)


def _delete_pool(tx: Connection, run: Run, operation: str, pool: int) -> None:
    queries.delete_pool(tx, pool)
    end(tx, operation, Outcome.SUCCEEDED, run.now, None)


WORKFLOWS: Final[Mapping[Workflow, Body]] = {POOL_DELETION: _delete}
