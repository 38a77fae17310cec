"""The room's own job: deletes the rows of runs that ended a while ago, a few at a time."""

from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from entrepot.jobs import queries
from entrepot.jobs.model import Every, Queue, Workflow
from entrepot.jobs.run import Run

PRUNE: Final = Workflow("jobs.prune", Queue("jobs", at_once=1), Every(300))

# A finished run is of no use but to whoever looks for the cause of a failure; and while its row is there, a worker
# whose clock is late cannot start the same moment of a schedule again.
_KEEP_DONE: Final = timedelta(hours=1)
_KEEP_FAILED: Final = timedelta(days=7)
_BATCH: Final = 200  # one transaction: SQLite has one writer, and pushes wait for it
_BATCHES: Final = 250  # one run: what is left is for the next


def prune(run: Run) -> None:
    run.step("delete", _delete_batches, run)


def _delete_batches(run: Run) -> int:
    """Twice is safe: it deletes what is due by then."""
    deleted = 0
    for _ in range(_BATCHES):
        batch = run.write(_delete_batch, run)
        deleted += batch
        if batch < _BATCH or run.stopping:
            break
    return deleted


def _delete_batch(tx: Connection, run: Run) -> int:
    finished = queries.find_finished(tx, run.now - _KEEP_DONE, run.now - _KEEP_FAILED, _BATCH)
    if finished:
        queries.delete_runs(tx, finished)
    return len(finished)
