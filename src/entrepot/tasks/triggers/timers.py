"""Timers: rows that say when each is due, and a job that looks at them (ACR-TASKS 7.3).

Times that passed while nobody looked are made up for once: the last of them begins a run, the others are told.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection

from entrepot.tasks.runs.model import Tick
from entrepot.tasks.schedule import Schedule, parse_schedule
from entrepot.tasks.triggers import queries
from entrepot.tasks.triggers.queries import Evaluation, Timer

KIND: Final = "timer"
_MINUTE: Final = timedelta(minutes=1)


class Named(NamedTuple):
    """A timer as a task has it."""

    name: str
    schedule: str


def set_timers(tx: Connection, task_id: int, timers: Iterable[Named], now: datetime) -> None:
    """The task's timers from now on; one that stays as it was keeps its time. Raises ScheduleInvalid."""
    before = {(each.name, each.schedule): each.due_at for each in queries.timers_of(tx, task_id)}
    queries.delete_timers(tx, task_id)
    made: list[Timer] = []
    for timer in timers:
        due_at = before.get(timer) or parse_schedule(timer.schedule).after(now)
        if due_at is not None:
            made.append(Timer(task_id, timer.name, timer.schedule, due_at))
    if made:
        queries.insert_timers(tx, made)


def last_of(schedule: Schedule, first: datetime, now: datetime) -> datetime:
    """The last time up to now. ``first``: one that is not after now."""
    # The next time after a moment only grows with the moment, so the last one is found by halves.
    low, high = 0, int((now - first) / _MINUTE)
    while low < high:
        middle = (low + high + 1) // 2
        after = schedule.after(first + (middle - 1) * _MINUTE)
        low, high = (middle, high) if after is not None and after <= now else (low, middle - 1)
    return schedule.after(first + (low - 1) * _MINUTE) or first


# Makes the run of a task by its row's id; its row's id.
Begin = Callable[[Connection, int, Tick], int]


def fire_one(tx: Connection, begin: Begin, now: datetime) -> bool:
    """Begin the run of one timer that is due; False where none is. Each time of a timer begins one run at most."""
    timer = queries.take_due(tx, now)
    if timer is None:
        return False
    schedule = parse_schedule(timer.schedule)
    tick = last_of(schedule, timer.due_at, now)
    queries.set_due(tx, timer, schedule.after(now))
    key = f"{tick:%Y-%m-%dT%H:%MZ}"
    reason = f"It was {key}, a time of {timer.schedule}."
    if tick != timer.due_at:
        reason += f" Those before it, from {timer.due_at:%Y-%m-%dT%H:%MZ} on, passed without a worker: left out."
    made = queries.insert_evaluation(tx, Evaluation(timer.task_id, KIND, timer.name, key, now, reason))
    if made is not None:
        occurrence = Tick(timer.name, f"{tick:%Y-%m-%dT%H:%M:%S}+00:00")
        queries.set_run(tx, made, begin(tx, timer.task_id, occurrence))
    return True
