"""Looks at repositories whose server cannot call us: which commits their branches and pull requests have now.

The first look only remembers. What differs at a later one is a change, with the same key that a webhook's delivery has.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from entrepot.access.sealing import SealBrokenError
from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Body, Run
from entrepot.jobs.wake import Jobs
from entrepot.outbound.client import Outbound
from entrepot.tasks.context import Git
from entrepot.tasks.contexts.model import Bounds, ContextFailed, Means
from entrepot.tasks.contexts.repositories import references
from entrepot.tasks.removing import remove_tree
from entrepot.tasks.resource.model import SourceEvent, SourceTrigger
from entrepot.tasks.resource.queries import task_of
from entrepot.tasks.resource.source_triggers import branch_of, repository_of
from entrepot.tasks.resource.tasks import full_settings
from entrepot.tasks.sources.evaluating import Evaluator
from entrepot.tasks.sources.model import BRANCH, Change, parse_ref
from entrepot.tasks.sources.rules import find_trigger, token_of
from entrepot.tasks.triggers import queries
from entrepot.tasks.triggers.queries import Source
from entrepot.tasks.triggers.sources import Seen, seen_of

LOOK: Final = Workflow("tasks.sources", Queue("task-sources", at_once=1), Every(10, queries.has_due_sources))
# Its id: the trigger's row.
POLL: Final = Workflow("tasks.poll", Queue("task-polls", at_once=4))
_AT_A_TIME: Final = 100
# A look that was woken says itself when the next one is; if its worker is lost, it is this late.
_LOST: Final = timedelta(minutes=10)
_BOUNDS: Final = Bounds(packed=64 * 1024 * 1024, unpacked=1024 * 1024, seconds=30.0, memory=1024**3)
# As GitHub and Gitea call them, and GitLab.
_PULL_REQUESTS: Final = ("refs/pull/", "refs/merge-requests/")
_HEAD: Final = "/head"
# The newest, of each kind.
_WATCHED: Final = 1000
# Where deliveries come, looks are only for those that get lost.
_RARELY: Final = 12
_DOUBLINGS: Final = 6
_LONGEST: Final = timedelta(hours=6)
_JITTER: Final = 0.1
_PROBLEM_LENGTH: Final = 1000


class Looked(NamedTuple):
    """What a look has found; ``problem``: why there may be less than is wanted."""

    seen: Seen
    default_branch: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class Polling:
    """``folder``: of the worker's own. ``interval``: between two looks at one repository."""

    evaluator: Evaluator
    jobs: Jobs
    outbound: Outbound
    folder: Path
    interval: timedelta


def workflows(polling: Polling) -> Mapping[Workflow, Body]:
    """What a job worker runs for repositories."""

    def look(run: Run) -> None:
        run.step("wake", _wake, run, polling)

    def poll(run: Run, source_id: int) -> None:
        run.step("look", _poll, run, polling, source_id)

    return {LOOK: look, POLL: poll}


def _wake(run: Run, polling: Polling) -> Json:
    """Twice is safe: what was taken is not due any more."""
    while not run.stopping and run.write(_wake_some, polling, run.now) == _AT_A_TIME:
        pass
    return None


def _wake_some(tx: Connection, polling: Polling, now: datetime) -> int:
    taken = queries.take_due_sources(tx, now, now + _LOST, _AT_A_TIME)
    for source_id in taken:
        polling.jobs.wake(tx, POLL, source_id)
    return len(taken)


def _poll(run: Run, polling: Polling, source_id: int) -> Json:
    """Twice is safe: a commit begins one run."""
    found = run.read(_watched, polling.evaluator, source_id)
    if found is None:
        return None
    source, trigger, context = found
    folder = polling.folder / f"look-{source_id}"
    remove_tree(folder)
    folder.mkdir(parents=True, mode=0o700)
    try:
        looked = _look(context, trigger, Means(polling.outbound, folder, _BOUNDS))
    except ContextFailed as problem:
        run.write(_fail, source, str(problem), polling.interval, run.now)
    else:
        run.write(_evaluate, polling, source, looked, run.now)
    finally:
        remove_tree(folder)
    return None


def _watched(tx: Connection, evaluator: Evaluator, source_id: int) -> tuple[Source, SourceTrigger, Git] | None:
    """None for one that is gone, or is not looked at any more."""
    source = queries.find_source(tx, source_id)
    if source is None or source.due_at is None:
        return None
    try:
        settings = full_settings(evaluator.sealer, task_of(tx, source.task_id))
    except SealBrokenError:
        return None
    trigger = find_trigger(settings, source.name)
    if trigger is None:
        return None
    context = repository_of(trigger.source_repository.repository_url, token_of(settings, trigger))
    return None if context is None else (source, trigger, context)


def _look(context: Git, trigger: SourceTrigger, means: Means) -> Looked:
    """Raises ContextFailed."""
    events, branch = trigger.source_trigger_events, branch_of(trigger)
    kinds = _PULL_REQUESTS if SourceEvent.PULL_REQUEST in events else ()
    wanted = [*([BRANCH + branch] if branch else []), *(f"{kind}*{_HEAD}" for kind in kinds)]
    found = references(context, wanted, means)
    default = found.default.removeprefix(BRANCH)
    watched = [BRANCH + (branch or default)] if SourceEvent.COMMIT in events else []
    for kind in kinds:
        numbers = sorted((number for name in found.commits if (number := _number(kind, name))), reverse=True)
        watched += [f"{kind}{number}{_HEAD}" for number in numbers[:_WATCHED]]
    seen = {name: found.commits[name] for name in watched if name in found.commits}
    is_there = SourceEvent.COMMIT not in events or BRANCH + (branch or default) in seen
    return Looked(
        Seen([each.value for each in events], seen),
        default,
        None if is_there else f"the repository has no branch {branch or 'at all'}",
    )


def _number(kind: str, name: str) -> int:
    """Of a pull request; 0 for what is none."""
    middle = name.removeprefix(kind).removesuffix(_HEAD)
    is_one = name == f"{kind}{middle}{_HEAD}" and middle.isascii() and middle.isdecimal() and len(middle) < 10  # noqa: PLR2004  as deliveries have them
    return int(middle) if is_one else 0


def _evaluate(tx: Connection, polling: Polling, source: Source, looked: Looked, now: datetime) -> None:
    held = queries.hold_source(tx, source.id)
    if held is None or held.due_at is None or (held.repository, held.branch) != (source.repository, source.branch):
        return  # it was changed meanwhile, and is due by itself
    before = seen_of(held)
    for ref in [] if before is None else new_references(before, looked.seen):
        change = _change(ref, looked.seen.commits[ref], looked.default_branch)
        polling.evaluator.evaluate(tx, held, change, now)
    interval = polling.interval * (1 if held.delivered_at is None else _RARELY)
    seen = msgspec.json.encode(looked.seen).decode()
    values = {"seen": seen, "checked_at": now, "failures": 0, "problem": looked.problem}
    queries.update_source(tx, held.id, {**values, "due_at": now + interval * _jitter()})


def new_references(before: Seen, after: Seen) -> list[str]:
    """Those whose commit is another one. What was not watched before is none, nor is a pull request that was not among
    the newest then: all there are would begin runs.
    """
    found: list[str] = []
    for ref, commit in after.commits.items():
        was = before.commits.get(ref)
        if was is None and not _may_be_new(ref, before):
            continue
        if was != commit:
            found.append(ref)
    return found


def _may_be_new(ref: str, before: Seen) -> bool:
    kind = next((kind for kind in _PULL_REQUESTS if ref.startswith(kind)), None)
    if kind is None:
        return SourceEvent.COMMIT in before.events
    newest = max((_number(kind, name) for name in before.commits), default=0)
    return SourceEvent.PULL_REQUEST in before.events and _number(kind, ref) > newest


def _change(ref: str, commit: str, default: str) -> Change:
    told_by = "a look at the repository"
    if ref.startswith(BRANCH):
        return Change(
            event=SourceEvent.COMMIT,
            ref=parse_ref(ref),
            commit=commit,
            branch=ref.removeprefix(BRANCH),
            default_branch=default,
            told_by=told_by,
        )
    number = ref.removesuffix(_HEAD).rpartition("/")[2]
    return Change(
        event=SourceEvent.PULL_REQUEST, ref=ref, commit=commit, branch=None, pull_request=number, told_by=told_by
    )


def _fail(tx: Connection, source: Source, problem: str, interval: timedelta, now: datetime) -> None:
    held = queries.hold_source(tx, source.id)
    if held is None or held.due_at is None:
        return
    failures = held.failures + 1
    values = {"failures": failures, "problem": problem[:_PROBLEM_LENGTH], "checked_at": now}
    queries.update_source(tx, source.id, {**values, "due_at": now + after_failures(interval, failures) * _jitter()})


def after_failures(interval: timedelta, failures: int) -> timedelta:
    """How long until the next look: twice as long each time, within bounds."""
    return max(interval, min(interval * 2 ** min(failures, _DOUBLINGS), _LONGEST))


def _jitter() -> float:
    """So that what began together does not go on together."""
    return random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  nobody gains by guessing it
