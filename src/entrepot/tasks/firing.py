"""The job that looks at timers."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Body, Run
from entrepot.tasks.resource.queries import task_of
from entrepot.tasks.runs.model import Tick
from entrepot.tasks.runs.schedule import Scheduler
from entrepot.tasks.triggers.timers import fire_one
from entrepot.tasks.wishes import wish_of_tick

TIMERS: Final = Workflow("tasks.timers", Queue("task-timers", at_once=1), schedule=Every(15))


def workflows(scheduler: Scheduler) -> Mapping[Workflow, Body]:
    """What a job worker runs for triggers."""

    def look(run: Run) -> None:
        run.step("fire", _fire, run, scheduler)

    return {TIMERS: look}


def _fire(run: Run, scheduler: Scheduler) -> Json:
    """Twice is safe: each time of a timer is a row with its run."""

    def begin(tx: Connection, task_id: int, tick: Tick) -> int:
        row = task_of(tx, task_id)
        return scheduler.schedule(tx, row.registry_id, wish_of_tick(scheduler.sealer, row, tick), run.now)

    while not run.stopping and run.write(fire_one, begin, run.now):
        pass
    return None
