"""Making runs: in the transaction of whoever asks, or of the trigger that fires."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from entrepot.access.sealing import Sealer
from entrepot.arm.identities import read_identity
from entrepot.jobs.model import Queue, Workflow
from entrepot.tasks.labels import labels_of
from entrepot.tasks.model import Platform
from entrepot.tasks.runs import queries
from entrepot.tasks.runs.acting import lent_of
from entrepot.tasks.runs.model import Plan, RunType, Secrets
from entrepot.tasks.runs.names import run_name
from entrepot.tasks.runs.queries import NewRun


def workflow_of(queue: str, at_once: int) -> Workflow:
    """A run's work; its id: the run's row. A worker has ``at_once`` of them, from the queue that is its own kind's."""
    return Workflow("tasks.run", Queue(queue, at_once=at_once))


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
    """Makes runs. They wait until a worker chooses them (workers/intake.py)."""

    sealer: Sealer

    def schedule(self, tx: Connection, registry_id: int, wish: Wish, now: datetime) -> int:
        """The row's id."""
        plan = _with_identities(tx, registry_id, wish)
        number = queries.next_number(tx, registry_id)
        name = run_name(number)
        content = msgspec.json.encode(wish.secrets).decode()
        made = NewRun(
            registry_id,
            number,
            name,
            wish.task,
            wish.pool or None,
            wish.type,
            msgspec.json.encode(plan).decode(),
            self.sealer.seal(content, purpose_of(registry_id, name)),
            wish.is_archived,
            now,
            _architecture(wish.plan.platform),
            labels_of(queries.tags_of(tx, registry_id, wish.task)),
        )
        return queries.insert_run(tx, made)

    def replace(self, tx: Connection, run_id: int, wish: Wish, now: datetime) -> bool:
        """Let a run that waits do this in place of what it was made for; False where it does not wait any more."""
        row = queries.run_of(tx, run_id)
        if row is None or row.pool != wish.pool:
            return False
        sealed = self.sealer.seal(msgspec.json.encode(wish.secrets).decode(), purpose_of(row.registry_id, row.name))
        return queries.replace_waiting(tx, run_id, msgspec.json.encode(wish.plan).decode(), sealed, now)


def _with_identities(tx: Connection, registry_id: int, wish: Wish) -> Plan:
    """Those of the wish, or else of its task as it is now."""
    lent = wish.plan.identities
    if not lent and wish.task is not None:
        lent = lent_of(read_identity(queries.identity_of_task(tx, registry_id, wish.task)))
    clients = queries.client_ids(tx, [each.principal for each in lent])
    known = [replace(each, client=clients.get(each.principal, each.client)) for each in lent]
    return replace(wish.plan, identities=tuple(known))


def _architecture(platform: Platform) -> str:
    """What a worker is chosen by: any for an image of several."""
    wanted = (platform.architecture or "").lower()
    return "" if "," in wanted else wanted.partition("/")[0]


def purpose_of(registry_id: int, name: str) -> str:
    """Under which a run's secrets are sealed."""
    return f"run {registry_id}/{name}"
