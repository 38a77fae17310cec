"""Forgets operations that ended a while ago."""

from collections.abc import Mapping
from typing import Final

from entrepot.arm.operations import queries
from entrepot.arm.operations.record import KEPT
from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Body, Run

_PRUNE: Final = Workflow("operations.prune", Queue("operations", at_once=1), Every(3600))


def _prune(run: Run) -> None:
    run.step("delete", _delete_ended, run)


def _delete_ended(run: Run) -> Json:
    """Twice is safe: it deletes what is due by then."""
    run.write(queries.delete_ended, run.now - KEPT)
    return None


WORKFLOWS: Final[Mapping[Workflow, Body]] = {_PRUNE: _prune}
