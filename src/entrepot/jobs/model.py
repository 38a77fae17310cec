"""What a feature declares of its background work: workflows, where they wait, when they run by themselves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

import msgspec
from sqlalchemy import Connection

from entrepot.db.database import Database

# What a run is about, and what its steps answer with: kept as JSON, so nothing else comes back after a restart.
Id: TypeAlias = str | int
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``limit`` runs begin within any ``seconds``, over all workers."""

    limit: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Queue:
    """Where runs wait. One worker process has at most ``at_once`` of them going, each in a thread."""

    name: str
    at_once: int = 4
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class Every:
    """At each multiple of ``seconds`` since 1970, and when the first worker starts.

    ``when``: reads whether there is anything to do then; a run costs a hundred times as much as to ask.
    """

    seconds: int
    when: Callable[[Connection, datetime], bool] | None = None


@dataclass(frozen=True, slots=True)
class Cron:
    """At the moments of a cron expression, in UTC; one that passed while no worker ran is left out."""

    expression: str


@dataclass(frozen=True, slots=True)
class Workflow:
    """A kind of work. Runs with the same ids never overlap, and wakes of one that already waits add nothing.

    The name is written in the database, where a newer version of the program finds it: never change or reuse it.
    """

    name: str
    queue: Queue
    schedule: Every | Cron | None = None

    def key(self, ids: tuple[Id, ...]) -> str:
        """What makes two wakes the same. JSON: a separator may occur in an id, and 1 is not "1"."""
        return self.name + msgspec.json.encode(ids).decode()


class Intake(Protocol):
    """What comes into one of a worker's queues, where the worker itself chooses that. Called by its main thread.

    ``drain_seconds``: how long a worker that is told to stop lets what came in that way end.
    """

    @property
    def queue(self) -> str: ...

    @property
    def drain_seconds(self) -> float: ...

    def join(self, tx: Connection, worker_id: str) -> None:
        """In the transaction that registers the worker."""
        ...

    def turn(self, database: Database, worker_id: str, places: int) -> bool:
        """Choose what comes in, for so many free places. False: the worker is to take nothing from the queue."""
        ...

    def drain(self, tx: Connection, worker_id: str) -> None:
        """The worker takes nothing more."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a worker does what, in seconds. Tests hurry; a server has no reason to."""

    look: float = 0.2  # for runs that wait; five times as often while there are some, and notice.py
    beat: float = 5.0  # says that it lives
    dead_after: float = 30.0  # takes over from a worker that did not say so for this long
    retry_after: float = 30.0  # runs again what failed
    stop_within: float = 20.0  # lets steps end, then hands the rest to others
