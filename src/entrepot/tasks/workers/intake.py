"""Runs come to a worker when it has a place: it chooses those whose turn it is, and tells the others why they wait.

Every worker does so for itself, a few times a second, so a run waits for nobody in between. What all of them decide
together (a registry's limit) they decide one after the other.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.db.database import Database
from entrepot.db.locks import lock_name
from entrepot.jobs.model import Workflow
from entrepot.jobs.wake import Jobs
from entrepot.tasks.labels import read
from entrepot.tasks.logs.queries import append_log
from entrepot.tasks.workers import queries
from entrepot.tasks.workers.queries import Untold
from entrepot.tasks.workers.rules import Agent, Fit, Wanted, choose, fit_of, queue_of, why

_LOCK: Final = "queue of task runs"
# A run that begins at once is told nothing.
_UNTOLD: Final = timedelta(seconds=1)
# How often it is looked whether what was told still holds, and how often it is told again although it does.
_AGAIN: Final = timedelta(seconds=10)
_SILENCE: Final = timedelta(minutes=5)
# Seconds for which it is known which workers there are, while no run waits for one.
_KNOWN: Final = 1.0
_AT_A_TIME: Final = 50


class _Pool(msgspec.Struct):
    count: int


@dataclass(slots=True)
class RunIntake:
    """``workflow``: of runs, in this worker's queue. ``pool``, ``architecture``, ``labels``: the worker's.

    ``per_registry``: how many runs a registry may have going; None: any number. ``engine``: what the worker's engine
    is called, once it is known.
    """

    workflow: Workflow
    jobs: Jobs
    pool: str
    architecture: str
    labels: frozenset[str]
    at_once: int
    per_registry: int | None
    drain_seconds: float
    engine: Callable[[], str | None]
    _told_engine: str | None = field(default=None, init=False)
    _looked: float = field(default=0.0, init=False)
    _knew: float = field(default=0.0, init=False)
    _known: list[Agent] = field(default_factory=list[Agent], init=False)

    @property
    def queue(self) -> str:
        return self.workflow.queue.name

    def join(self, tx: Connection, worker_id: str) -> None:
        queries.insert_agent(tx, self._agent(worker_id))

    def drain(self, tx: Connection, worker_id: str) -> None:
        queries.set_drains(tx, worker_id, True)  # noqa: FBT003  a column's value

    def turn(self, database: Database, worker_id: str, places: int) -> bool:
        self._tell_engine(database, worker_id)
        now, waits = time.monotonic(), database.read(queries.has_waiting)
        is_time = now - self._looked > _AGAIN.total_seconds()
        if waits or is_time or now - self._knew > _KNOWN:
            self._known, self._knew = database.read(queries.agents), now
        known = self._known
        me = next((each for each in known if each.worker == worker_id), None)
        takes = me is not None and not me.drains
        if is_time:
            self._looked = now
            if takes and database.read(self._stranded, known, worker_id):
                database.write(self._adopt, known, worker_id)
        if waits:
            if takes and places > 0 and database.read(queries.waiting, self._fit(known, worker_id), 1):
                database.write(self._choose, known, worker_id, places)
            self._tell(database, datetime.now(UTC), is_time=is_time)
        return takes

    def _agent(self, worker_id: str) -> Agent:
        return Agent(worker_id, self.pool, self.architecture, self.at_once, drains=False, going=0, labels=self.labels)

    def _fit(self, known: Collection[Agent], worker_id: str) -> Fit:
        return fit_of(self._agent(worker_id), known)

    def _tell_engine(self, database: Database, worker_id: str) -> None:
        engine = self.engine()
        if engine is not None and engine != self._told_engine:
            database.write(queries.set_engine, worker_id, engine)
            self._told_engine = engine

    # --- who comes in -------------------------------------------------------------------------------------------------

    def _choose(self, tx: Connection, known: Collection[Agent], worker_id: str, places: int) -> None:
        lock_name(tx, _LOCK)
        free = places - queries.not_begun(tx, self.queue)
        if free <= 0:
            return
        found = queries.waiting(tx, self._fit(known, worker_id), free)
        registries = {each.registry for each in found}
        going, room = self._room(tx, registries, self.pool.rpartition("/")[2] or None)
        for run_id in choose(found, going, room, free):
            if queries.set_queue(tx, run_id, self.queue):
                self.jobs.wake(tx, self.workflow, run_id)

    def _room(
        self, tx: Connection, registries: Collection[int], pool: str | None
    ) -> tuple[dict[int, int], dict[int, int]]:
        """How many runs each registry has, and how many more of this pool it may have."""
        counted = queries.going(tx, registries)
        going = {each: sum(runs for (of, _), runs in counted.items() if of == each) for each in registries}
        room: dict[int, int] = {}
        if self.per_registry is not None:
            room = {each: self.per_registry - going[each] for each in registries}
        if pool is not None:
            for (registry, name), properties in queries.pools(tx, registries).items():
                if name == pool:
                    left = msgspec.json.decode(properties, type=_Pool).count - counted.get((registry, pool), 0)
                    room[registry] = min(left, room.get(registry, left))
        return going, room

    def _stranded(self, tx: Connection, known: Collection[Agent], worker_id: str) -> list[tuple[int, str]]:
        queues = {queue_of(each.pool, each.architecture, each.labels) for each in known}
        return queries.stranded(tx, self._fit(known, worker_id), queues)

    def _adopt(self, tx: Connection, known: Collection[Agent], worker_id: str) -> None:
        """Runs of workers that were the last of their kind, and have gone."""
        lock_name(tx, _LOCK)
        for run_id, queue in self._stranded(tx, known, worker_id):
            if self.jobs.move(tx, queue, self.workflow, run_id):
                queries.move(tx, run_id, self.queue)

    # --- who waits ----------------------------------------------------------------------------------------------------

    def _tell(self, database: Database, now: datetime, *, is_time: bool) -> None:
        told_before = now - _AGAIN if is_time else None
        if database.read(queries.untold, now - _UNTOLD, told_before, 1):
            database.write(self._tell_some, now, told_before)

    def _tell_some(self, tx: Connection, now: datetime, told_before: datetime | None) -> None:
        lock_name(tx, _LOCK)
        known = queries.agents(tx)
        for run in queries.untold(tx, now - _UNTOLD, told_before, _AT_A_TIME):
            serving = [each for each in known if each.serves(run.registry, run.pool, read(run.labels))]
            wanted = Wanted(run.pool, run.labels)
            text = why(queries.waiting_before(tx, run), wanted, serving, self._limit(tx, run))
            is_silent = run.told_at is None or now - run.told_at > _SILENCE
            if (text != run.waits or is_silent) and queries.set_told(tx, run.id, text, now):
                append_log(tx, run.id, f"{now:%Y/%m/%d %H:%M:%S} {text}\r\n".encode())

    def _limit(self, tx: Connection, run: Untold) -> str | None:
        """Which limit its registry has reached."""
        pool = None if run.pool is None else run.pool.lower()
        going, room = self._room(tx, {run.registry_id}, pool)
        if room.get(run.registry_id, 1) > 0:
            return None
        if self.per_registry is not None and going[run.registry_id] >= self.per_registry:
            return f"the registry has {going[run.registry_id]} runs at once, as many as it may (task_runs_per_registry)"
        return f"the agent pool {run.pool} has as many runs as its count: az acr agentpool update --count"
