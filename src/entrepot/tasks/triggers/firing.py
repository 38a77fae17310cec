"""Firing: of each thing that happens one evaluation, and one run, or the place of a run that waits.

Each push of a storm is a run. A task with the tag ``entrepot.coalesce=true`` wants the newest state alone: while a run
of the trigger waits, what comes takes its place, and the row of what was there before tells so.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection

from entrepot.tasks.runs.schedule import Scheduler, Wish
from entrepot.tasks.triggers import queries
from entrepot.tasks.triggers.queries import Evaluation

COALESCE: Final = "entrepot.coalesce"


def coalesces(tags: Mapping[str, str]) -> bool:
    """Whether a task with these tags wants of many changes only the newest."""
    return {name.lower(): value for name, value in tags.items()}.get(COALESCE, "").lower() == "true"


class Firing(NamedTuple):
    """A run to be begun in a registry (by its row). ``subject``: what the keys of those evaluations begin with of which
    the newest alone counts; None: each counts.
    """

    registry_id: int
    wish: Wish
    subject: str | None = None


def fire(tx: Connection, scheduler: Scheduler, made: Evaluation, firing: Firing) -> int | None:
    """Begin the run of what happened: its row's id, and None where the same thing was looked at before.

    Whoever calls it holds the trigger, so that two do not take one place.
    """
    evaluation = queries.insert_evaluation(tx, made)
    if evaluation is None:
        return None
    waiting = None if firing.subject is None else queries.find_waiting(tx, made, firing.subject)
    if waiting is not None and scheduler.replace(tx, waiting.run_id, firing.wish, made.at):
        told = f" It waited as {waiting.run}, whose place went to what came later: {made.key}."
        queries.set_replaced(tx, waiting.evaluation, told)
        run_id = waiting.run_id
    else:
        run_id = scheduler.schedule(tx, firing.registry_id, firing.wish, made.at)
    queries.set_run(tx, evaluation, run_id)
    return run_id
