"""What has been pushed and restored, for the triggers that wait for it: each event once, in order in its repository.

An event's row commits with the push. Looking at it, what is made of it and that it was looked at are one transaction.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

import msgspec
import structlog
from sqlalchemy import Connection
from structlog.typing import FilteringBoundLogger

from entrepot.errors import Problem
from entrepot.events.outbox import Action
from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Run
from entrepot.tasks.runs.model import PushedImage
from entrepot.tasks.triggers.chains import chain_after
from entrepot.tasks.triggers.events import queries
from entrepot.tasks.triggers.events.patterns import first_like
from entrepot.tasks.triggers.events.queries import EventTrigger, Happened, Listening
from entrepot.tasks.triggers.images import queries as images
from entrepot.tasks.triggers.images.changes import conclude, unchanged, why_cut
from entrepot.tasks.triggers.images.looking import look_at_own
from entrepot.tasks.triggers.images.model import Beginning, Occasion, Watched
from entrepot.tasks.triggers.queries import Evaluation, insert_evaluation, set_run

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.tasks")

KIND: Final = "event"
_PERIOD: Final = 60
FOLLOW: Final = Workflow("tasks.follow_events", Queue("task-events", at_once=1), Every(_PERIOD))
# Before its successor comes: what waits makes the worker look more often.
_EARLY: Final = 2.0
# Events of one transaction, runs after which it takes no more, and images that an event concerns at once: SQLite has
# one writer, and pushes wait for it.
_EVENTS: Final = 100
_RUNS: Final = 100
_IMAGES: Final = 500

# Makes the run of a task by its row's id, with the chain that led to it; its row's id. Raises Problem before it writes.
BeginPushed: TypeAlias = Callable[[Connection, int, PushedImage, tuple[str, ...], datetime], int]


@dataclass(frozen=True, slots=True)
class Following:
    """``login_server``: of a registry, by its name. ``look``: seconds between two looks for what is new."""

    beginning: Beginning
    begin_pushed: BeginPushed
    login_server: Callable[[str], str]
    look: float = 0.5

    def work(self, run: Run) -> Json:
        """Twice is safe: it does what is due by then. It lasts until shortly before the next run."""
        end = (math.floor(run.now.timestamp() / _PERIOD) + 1) * _PERIOD - _EARLY
        while run.now.timestamp() < end and not run.stopping:
            if not self._turn(run):
                run.pause(self.look)
        return None

    def _turn(self, run: Run) -> bool:
        """Whether there was anything to do."""
        is_busy = run.read(queries.has_waiting) and run.patiently(lambda: run.write(self.follow, run.now))
        # An own image that is new may have changed before anybody waited for it.
        is_due = run.read(images.has_due_own, run.now)
        return (is_due and run.patiently(lambda: run.write(look_at_own, self.beginning, run.now))) or is_busy

    def follow(self, tx: Connection, now: datetime) -> bool:
        """Look at the next events; False where there are none."""
        rows = queries.waiting_events(tx, _EVENTS)
        if not rows:
            return False
        around = _Round(tx, self, now, rows)
        done: list[Happened] = []
        for row in rows:
            if not around.take(row):
                break
            done.append(row)
        if done:
            queries.mark_evaluated(tx, done, now)
        return True


class _Push(msgspec.Struct):
    digest: str
    tags: tuple[str, ...] = ()


@dataclass(slots=True)
class _Round:
    """Some events, with all that waits for what happened in their repositories."""

    tx: Connection
    following: Following
    now: datetime
    rows: list[Happened]
    begun: int = 0
    watched: set[tuple[str | None, str]] = field(init=False)
    listening: list[Listening] = field(init=False)
    chains: dict[str, tuple[str, ...]] = field(init=False)

    def __post_init__(self) -> None:
        registries = {row.registry for row in self.rows if row.registry is not None}
        repositories = {row.repository for row in self.rows if row.repository is not None}
        self.watched = images.watched_repositories(self.tx, registries, repositories)
        self.listening = queries.listening(self.tx, {row.registry_id for row in self.rows})
        self.chains = {}
        if self.watched or self.listening:
            for pusher in images.pushers(self.tx, {row.principal for row in self.rows}):
                self.chains[pusher.principal or ""] = chain_after(pusher.label, pusher.request)

    def take(self, row: Happened) -> bool:
        """Whether all was made of it that is to be made; what is left is for another transaction."""
        if row.registry is None or row.repository is None or not (self.watched or self.listening):
            return True
        match row.action:
            case Action.PUSH:
                return self._take_push(row, row.registry, row.repository)
            case Action.RESTORE:
                images.look_soon(self.tx, row.registry, row.repository, self.now)
            case _:
                pass
        return True

    def _take_push(self, row: Happened, registry: str, repository: str) -> bool:
        try:
            push = msgspec.json.decode(row.body, type=_Push)
        except msgspec.MsgspecError:  # one row that nobody can read must not keep the others waiting
            log.error("event_unreadable", event_id=row.id)  # noqa: TRY400  a traceback would repeat the body
            return True
        is_whole = (registry, repository) not in self.watched or self._see_all(row, push, registry, repository)
        return is_whole and self._hear_all(row, push, registry, repository)

    def _see_all(self, row: Happened, push: _Push, registry: str, repository: str) -> bool:
        """Base images of tasks."""
        event = images.Event(registry, repository, push.tags, row.repository_id, row.sequence)
        found = images.watched_by(self.tx, event, _IMAGES)
        by_task: dict[int, list[Watched]] = {}
        for each in found:
            by_task.setdefault(each.task_id, []).append(each)
        if len(found) == _IMAGES and len(by_task) > 1:
            by_task.popitem()  # it may have more of them
        occasion = Occasion(row.id, row.at, self.chains.get(row.principal, ()))
        for of_task in by_task.values():
            if self.begun >= _RUNS:
                return False
            self._see(of_task, row, push.digest, occasion)
        return len(found) < _IMAGES

    def _hear_all(self, row: Happened, push: _Push, registry: str, repository: str) -> bool:
        """Triggers that are for pushes."""
        server = self.following.login_server(registry)
        pushed = PushedImage("", row.id, row.at, server, repository, "", push.digest)
        for each in self.listening:
            if self.begun >= _RUNS:
                return False
            self._hear(each, row, push.tags, pushed)
        return True

    def _see(self, of_task: list[Watched], row: Happened, digest: str, occasion: Occasion) -> None:
        """A base image of a task was pushed."""
        moved = [each for each in of_task if each.seen != digest]
        for each in of_task:
            each.seen, each.repository_id, each.sequence = digest, row.repository_id, row.sequence
            images.set_seen(self.tx, each, self.now, None, None)
        if moved:
            self.begun += conclude(self.tx, moved, occasion, self.following.beginning, self.now)
        else:
            unchanged(self.tx, of_task, occasion, self.now)

    def _hear(self, listening: Listening, row: Happened, tags: Iterable[str], pushed: PushedImage) -> None:
        """A push that a trigger may be for."""
        trigger = listening.trigger
        tag = _tag_for(trigger, row, tags, pushed.repository)
        if tag is None:
            return
        pushed = msgspec.structs.replace(pushed, event_trigger_name=trigger.name, tag=tag)
        chain = self.chains.get(row.principal, ())
        told = f"{pushed.registry}/{pushed.repository}:{tag} was pushed, {pushed.digest}"
        cut = why_cut(listening.label, chain)
        evaluation = Evaluation(
            trigger.task_id, KIND, trigger.name, f"{pushed.digest} {row.id}", self.now, f"{told}{cut or '.'}"
        )
        made = insert_evaluation(self.tx, evaluation)
        if made is None or cut:
            return
        try:
            run = self.following.begin_pushed(self.tx, trigger.task_id, pushed, chain, self.now)
        except Problem as problem:
            reason = problem.detail.get("reason", problem.kind.name)
            images.set_reason(self.tx, made, f"{told}, but no run could be made: {reason}")
            return
        set_run(self.tx, made, run)
        self.begun += 1


def _tag_for(trigger: EventTrigger, row: Happened, tags: Iterable[str], repository: str) -> str | None:
    """The first tag that it is for. What happened before the trigger was made is not for it."""
    if trigger.registry_id != row.registry_id or row.at < trigger.created_at:
        return None
    if first_like([repository], msgspec.json.decode(trigger.repositories, type=list[str])) is None:
        return None
    return first_like(tags, msgspec.json.decode(trigger.tags, type=list[str]))
