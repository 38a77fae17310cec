"""The worker process: runs what waits, says that it lives, and takes over what dead workers held."""

import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from types import FrameType
from typing import Final, NoReturn

import structlog
from sqlalchemy import Connection
from structlog.typing import FilteringBoundLogger

from entrepot.db.database import Database
from entrepot.errors import Problem
from entrepot.jobs import queries
from entrepot.jobs.engine import Engine, Entry
from entrepot.jobs.model import Cron, Every, Id, Intake, Pace, Workflow
from entrepot.jobs.notice import Notice
from entrepot.jobs.prune import PRUNE, prune
from entrepot.jobs.queries import Claimable, Looker, Requeued
from entrepot.jobs.rules import Vigil, first_due, next_due, queues_of
from entrepot.jobs.run import PASSING, Body, Claim, Run, Shared
from entrepot.jobs.wake import Jobs

log: FilteringBoundLogger = structlog.get_logger("entrepot.jobs")


class Ended(IntEnum):
    """How a worker ended, as its process's exit code."""

    STOPPED = 0
    REPLACED = 75  # EX_TEMPFAIL: others took over while it slept; its supervisor starts a new one


class JobFailed(Exception):
    """What the database keeps of a failure: the kind of error. Its text may hold what no row should."""


def run_worker(
    database: Database,
    bodies: Mapping[Workflow, Body],
    stop: threading.Event,
    pace: Pace | None = None,
    intake: Intake | None = None,
) -> Ended:
    """Work until told to stop, or until others took over; one at a time in a process, because DBOS is a singleton.

    A thread that is busy in a step cannot be ended and may outlive this call; nothing that it does counts any more.
    """
    return _run(Worker(database, bodies, pace or Pace(), intake), stop, threading.Event())


def _run(worker: "Worker", stop: threading.Event, hurry: threading.Event) -> Ended:
    worker.start()
    try:
        return worker.watch(stop, hurry)
    finally:
        worker.stop()


def worker_process(
    database: Database, bodies: Mapping[Workflow, Body], pace: Pace | None = None, intake: Intake | None = None
) -> NoReturn:
    """``run_worker`` as the whole of a process: stops at SIGTERM and SIGINT, and ends whatever threads are left.

    A second signal: without waiting.
    """
    stop, hurry = threading.Event(), threading.Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)
    ended = _run(Worker(database, bodies, pace or Pace(), intake), stop, hurry)
    logging.shutdown()
    # Python would first wait for every thread: a stuck step, or an execution that waits for its replacement's outcome.
    os._exit(ended)


class Active:
    """The executions that this process has going."""

    def __init__(self) -> None:
        self._workflows: dict[Claim, Workflow] = {}
        self._changed = threading.Condition()

    def enter(self, claim: Claim, workflow: Workflow) -> None:
        with self._changed:
            self._workflows[claim] = workflow

    def leave(self, claim: Claim) -> None:
        with self._changed:
            del self._workflows[claim]
            self._changed.notify_all()

    def run_ids(self) -> list[str]:
        with self._changed:
            return [claim.run_id for claim in self._workflows]

    def per_queue(self) -> Counter[str]:
        with self._changed:
            return Counter(workflow.queue.name for workflow in self._workflows.values())

    def wait_until_none(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._workflows, seconds)


class Worker:
    """One worker, from its registration to its end."""

    def __init__(self, database: Database, bodies: Mapping[Workflow, Body], pace: Pace, intake: Intake | None) -> None:
        self.id: Final = f"{socket.gethostname()[:40]}-{uuid.uuid4().hex[:16]}"
        self._database = database
        self._bodies: dict[Workflow, Body] = {PRUNE: prune, **bodies}
        self._intake = intake
        self._held: frozenset[str] = frozenset()
        self._pace = pace
        self._now = lambda: datetime.now(UTC)
        self._replaced = False
        self._is_draining = False
        self._active = Active()
        self._stopping = threading.Event()
        self._jobs = Jobs(database)
        self._vigil = Vigil(pace.dead_after)
        self._engine = Engine(database, self.id)
        self._shared = Shared(database, self._engine, self._stopping, self._now, self.id)
        self._queues = queues_of(self._bodies)
        self._claimable = Claimable(database, list(self._queues))
        self._notice = Notice(database, pace.look)
        self._schedules = {w: w.schedule for w in self._bodies if w.schedule is not None}
        self._due = {workflow: first_due(schedule, self._now()) for workflow, schedule in self._schedules.items()}
        self._woke = self._now()
        self._next_beat = time.monotonic()

    def start(self) -> None:
        self._database.write(self._join)
        self._engine.start({workflow: self._entry(workflow, body) for workflow, body in self._bodies.items()})
        log.info("worker_started", worker=self.id, workflows=len(self._bodies))

    def _join(self, tx: Connection) -> None:
        queries.register(tx, self.id, self._now())
        if self._intake is not None:
            self._intake.join(tx, self.id)

    def watch(self, stop: threading.Event, hurry: threading.Event) -> Ended:
        """What the worker's main thread does: beat, wake what is due, and let the queues claim what waits."""
        pause = self._pace.look
        while not self._pauses(stop, pause) and not self._replaced:
            pause = self._turn()
        if self._intake is not None and not self._replaced:
            self._drain(self._intake, hurry)
        if self._replaced:
            log.warning("worker_replaced", worker=self.id)
        return Ended.REPLACED if self._replaced else Ended.STOPPED

    def _pauses(self, stop: threading.Event, seconds: float) -> bool:
        """Whether it was told to stop."""
        try:
            return self._notice.wait(stop, seconds)
        except Problem:  # the next turn tells
            return stop.wait(seconds)

    def _turn(self) -> float:
        """Seconds until the next one, if nothing is told."""
        try:
            # First of all: a process that slept learns here that it was replaced, before it claims anything.
            self._beat_if_due()
            if self._replaced:
                return 0
            self._wake_due()
            if self._intake is not None and not self._is_draining:
                self._take_in(self._intake)
            return self._pace.look / 5 if self._let_claim() else self._notice.idle
        except Problem as problem:
            if problem.kind not in PASSING:
                raise
            log.warning("worker_waits", worker=self.id, problem=problem.kind.name)
            return self._pace.beat

    def _take_in(self, intake: Intake) -> None:
        queue = self._queues.get(intake.queue)
        places = 0 if queue is None else queue.at_once - self._active.per_queue()[queue.name]
        takes = intake.turn(self._database, self.id, places)
        self._held = frozenset[str]() if takes else frozenset({intake.queue})

    def _drain(self, intake: Intake, hurry: threading.Event) -> None:
        """Let what came in end, within its time, while everything else goes on."""
        self._is_draining, self._held = True, frozenset({intake.queue})
        until, is_told, pause = time.monotonic() + intake.drain_seconds, False, 0.0
        while self._active.per_queue()[intake.queue] and time.monotonic() < until and not self._pauses(hurry, pause):
            if not is_told:
                log.info("worker_draining", worker=self.id, runs=self._active.per_queue()[intake.queue])
                self._database.write(intake.drain, self.id)
                is_told = True
            pause = self._turn()
            if self._replaced:
                return

    def stop(self) -> None:
        """Let steps end, within the limit; what is not done goes to others, at once."""
        log.info("worker_stopping", worker=self.id)
        self._stopping.set()
        self._engine.stop_claiming()
        quiet = self._active.wait_until_none(0 if self._replaced else self._pace.stop_within)
        self._engine.end()
        self._claimable.close()
        self._notice.close()
        try:
            handed_back = self._database.write(self._leave)
        except Problem as problem:  # without its catalog: others find out by themselves
            log.warning("worker_stopped", worker=self.id, problem=problem.kind.name)
        else:
            log.info("worker_stopped", worker=self.id, in_time=quiet, handed_back=len(handed_back))

    def _leave(self, tx: Connection) -> list[Requeued]:
        queries.leave(tx, self.id)
        return queries.hand_back(tx, self.id, self._now())

    # --- runs ---------------------------------------------------------------------------------------------------------

    def _entry(self, workflow: Workflow, body: Body) -> Entry:
        def enter(*ids: Id) -> None:
            claim = self._engine.claim()
            self._active.enter(claim, workflow)
            try:
                self._attempt(Run(self._shared, claim), workflow, body, ids)
            finally:
                self._active.leave(claim)

        return enter

    def _attempt(self, run: Run, workflow: Workflow, body: Body, ids: tuple[Id, ...]) -> None:
        bound = log.bind(workflow=workflow.name, ids=ids, run=run.id, attempt=run.attempt)
        bound.debug("job_started")
        try:
            body(run, *ids)
        except Exception as error:  # noqa: BLE001 - the worker's loop: whatever a body raises ends that run alone
            bound.exception("job_failed")
            seconds = self._pace.retry_after
            run.patiently(lambda: run.write(self._jobs.wake_later, workflow, *ids, seconds=seconds))
            raise JobFailed(type(error).__name__) from None
        bound.debug("job_done")

    # --- the main thread ----------------------------------------------------------------------------------------------

    def _beat_if_due(self) -> None:
        at = time.monotonic()
        if at < self._next_beat:
            return
        self._replaced = not self._database.write(queries.beat, self.id, self._now())
        if self._replaced:
            return
        self._take_over(self._vigil.look(self._database.read(queries.other_workers, self.id), at))
        self._next_beat = at + self._pace.beat

    def _take_over(self, dead: Mapping[str, datetime]) -> None:
        old = self._now() - timedelta(seconds=self._pace.dead_after)
        looker = Looker(self.id, self._active.run_ids(), old)
        if dead or self._database.read(queries.has_left_behind, looker):
            for requeued in self._database.write(self._requeue, dead, looker):
                log.warning("run_taken_over", run=requeued.run_id, workflow=requeued.name, worker=requeued.worker_id)

    def _requeue(self, tx: Connection, dead: Mapping[str, datetime], looker: Looker) -> list[Requeued]:
        """One transaction: a worker's row goes together with its hold on its runs, whoever of us comes first."""
        for worker_id, seen_at in dead.items():
            if queries.bury(tx, worker_id, seen_at):
                log.warning("worker_dead", worker=worker_id, seen_at=seen_at.isoformat())
        return queries.requeue_left_behind(tx, looker, self._now())

    def _is_wanted(self, schedule: Every | Cron, now: datetime) -> bool:
        match schedule:
            case Every(when=when) if when is not None:
                return self._database.read(when, now)
            case _:
                return True

    def _wake_due(self) -> None:
        now = self._now()
        went_back, self._woke = now < self._woke, now
        for workflow, schedule in self._schedules.items():
            due = self._due[workflow]
            if due <= now:
                if self._is_wanted(schedule, now):
                    self._database.write(self._jobs.wake_at, workflow, due)
                self._due[workflow] = next_due(schedule, now)
            elif went_back:
                self._due[workflow] = min(due, next_due(schedule, now))

    def _let_claim(self) -> bool:
        """Whether it is worth to look again soon: a run waits for a place, not for the queue's rate."""
        waiting = [self._queues[name] for name in self._claimable.find() if name not in self._held]
        going = self._active.per_queue()
        self._engine.ring(queue.name for queue in waiting if going[queue.name] < queue.at_once)
        return any(queue.rate is None for queue in waiting)
