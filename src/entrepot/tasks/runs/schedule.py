"""Making runs: in the transaction of whoever asks, or of the trigger that fires."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.access.sealing import Sealer
from entrepot.jobs.model import Queue, Workflow
from entrepot.jobs.wake import Jobs
from entrepot.tasks.runs import queries
from entrepot.tasks.runs.model import Plan, RunType, Secrets
from entrepot.tasks.runs.names import run_name
from entrepot.tasks.runs.queries import NewRun

QUEUE: Final = "task-runs"


def workflow_of(at_once: int) -> Workflow:
    """A run's work; its id: the run's row. A worker has ``at_once`` of them."""
    return Workflow("tasks.run", Queue(QUEUE, at_once=at_once))


# For who wakes: how many a worker has at once is its own matter.
RUN: Final = workflow_of(1)


@dataclass(frozen=True, slots=True)
class Wish:
    """A run to be made. ``task``, ``pool``: by their names."""

    plan: Plan
    secrets: Secrets
    type: RunType = RunType.QUICK
    task: str | None = None
    pool: str | None = None
    is_archived: bool = False


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Makes runs and wakes their work."""

    sealer: Sealer
    jobs: Jobs

    def schedule(self, tx: Connection, registry_id: int, wish: Wish, now: datetime) -> int:
        """The row's id."""
        number = queries.next_number(tx, registry_id)
        name = run_name(number)
        content = msgspec.json.encode(wish.secrets).decode()
        made = NewRun(
            registry_id,
            number,
            name,
            wish.task,
            wish.pool,
            wish.type,
            msgspec.json.encode(wish.plan).decode(),
            self.sealer.seal(content, purpose_of(registry_id, name)),
            wish.is_archived,
            now,
        )
        run_id = queries.insert_run(tx, made)
        self.jobs.wake(tx, RUN, run_id)
        return run_id


def purpose_of(registry_id: int, name: str) -> str:
    """Under which a run's secrets are sealed."""
    return f"run {registry_id}/{name}"
