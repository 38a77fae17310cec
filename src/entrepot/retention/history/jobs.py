"""Keeps tags' histories in bounds: what ended a year ago goes, and what comes after a tag's thousand newest entries."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from entrepot.catalog.history import queries
from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Body, Run

KEPT: Final = timedelta(days=365)
ROWS: Final = 1000
# Rows of one transaction: SQLite has one writer, and pushes wait for it.
_BATCH: Final = 500
_TAGS: Final = 100
_PRUNE: Final = Workflow("history.prune", Queue("history", at_once=1), Every(24 * 3600))


def _prune(run: Run) -> None:
    run.step("delete", _delete, run)


def _delete(run: Run) -> Json:
    """Twice is safe: it deletes what is due by then."""
    deleted = 0
    while not run.stopping and (some := run.write(queries.delete_before, run.now - KEPT, _BATCH)):
        deleted += some
    while not run.stopping and (long := run.read(queries.long_histories, ROWS, _TAGS)):
        for repository, name in long:
            while not run.stopping and (some := run.write(queries.shorten, repository, name, ROWS, _BATCH)):
                deleted += some
    return deleted


WORKFLOWS: Final[Mapping[Workflow, Body]] = {_PRUNE: _prune}
