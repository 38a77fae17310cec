"""The job that forgets evaluations of triggers once the runs of that age are gone."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Body, Run
from entrepot.tasks.triggers.queries import delete_evaluations

FORGET: Final = Workflow("tasks.forget_evaluations", Queue("task-evaluations", at_once=1), schedule=Every(3600))
_AT_A_TIME: Final = 500


def workflows(kept: timedelta) -> Mapping[Workflow, Body]:
    """``kept``: how long they are."""

    def forget(run: Run) -> None:
        run.step("forget", _forget, run, kept)

    return {FORGET: forget}


def _forget(run: Run, kept: timedelta) -> Json:
    """Twice is safe: what is gone is gone."""
    while not run.stopping and run.write(delete_evaluations, run.now - kept, _AT_A_TIME) == _AT_A_TIME:
        pass
    return None
