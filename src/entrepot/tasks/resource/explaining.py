"""Why a task ran, or did not: what its triggers wait for, and what they made of what happened. Ours, not ACR's."""

from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from entrepot.tasks.triggers import queries

# Evaluations that are told.
_SHOWN: Final = 50


class TimerState(Struct, frozen=True, rename="camel"):
    """A timer that begins runs, and when it does next."""

    name: str
    schedule: str
    next_time: str


class EvaluationDocument(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a trigger made of one thing. ``key``: which one; ``run_id``: what it began."""

    kind: str
    trigger: str
    key: str
    time: str
    reason: str
    run_id: str | None = None


class Explanation(Struct, frozen=True):
    """``evaluations``: the newest first."""

    timers: list[TimerState]
    evaluations: list[EvaluationDocument]


def explain(tx: Connection, task_id: int) -> Explanation:
    """Of a task by its row's id."""
    timers = [TimerState(each.name, each.schedule, _moment(each.due_at)) for each in queries.timers_of(tx, task_id)]
    evaluations = [
        EvaluationDocument(each.kind, each.trigger, each.key, _moment(each.at), each.reason, each.run)
        for each in queries.latest(tx, task_id, _SHOWN)
    ]
    return Explanation(timers, evaluations)


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
