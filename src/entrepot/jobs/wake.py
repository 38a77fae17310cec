"""Waking workflows: in the caller's transaction, from any process, many wakes of one thing making one run."""

import threading
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from entrepot.db.database import Database
from entrepot.jobs import queries
from entrepot.jobs.model import Id, Workflow

if TYPE_CHECKING:
    from entrepot.jobs.engine import Client


class Jobs:
    """Wakes workflows and runs none, so a web worker has one as well. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._made: Client | None = None

    def wake(self, tx: Connection, workflow: Workflow, *ids: Id) -> None:
        """Let the workflow look at what these ids name, once the transaction has committed (write door).

        A run that has not begun yet serves this wake too. One that has begun may have looked already, so another
        follows it. Two transactions that wake the same thing at the same moment may make one run each.
        """
        if not queries.hold_waiting(tx, workflow.queue.name, workflow.key(ids)):
            self._client().enqueue(tx, workflow, ids)

    def move(self, tx: Connection, from_queue: str, workflow: Workflow, *ids: Id) -> bool:
        """Let what waits in a queue that no worker has wait in the workflow's. Whether it waited there."""
        return queries.move_waiting(tx, from_queue, workflow.key(ids), workflow.queue.name)

    def wake_at(self, tx: Connection, workflow: Workflow, due: datetime) -> None:
        """Wake for a moment of the workflow's schedule; whoever else does the same adds nothing, even much later."""
        if not queries.hold_waiting(tx, workflow.queue.name, workflow.key(())):
            self._client().enqueue_as(tx, workflow, f"{workflow.name}@{due.isoformat()}")

    def wake_later(self, tx: Connection, workflow: Workflow, *ids: Id, seconds: float) -> None:
        """Wake after a while, unless a run waits already."""
        queue, key = workflow.queue.name, workflow.key(ids)
        if not queries.is_delayed(tx, queue, key) and not queries.hold_waiting(tx, queue, key):
            self._client().enqueue_later(tx, workflow, ids, seconds)

    def _client(self) -> "Client":
        with self._lock:
            if self._made is None:
                # Half a second and 24 MB that a web worker spends only when it first causes work.
                from entrepot.jobs.engine import Client  # noqa: PLC0415 - see above

                self._made = Client(self._database)
            return self._made
