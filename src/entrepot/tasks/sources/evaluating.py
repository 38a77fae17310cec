"""From a change to its evaluation: a row with the reason, and a run where there is cause for one."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from entrepot.access.sealing import Sealer
from entrepot.errors import Kind, Problem
from entrepot.tasks.resource.model import SourceTrigger, TaskSettings
from entrepot.tasks.resource.queries import TaskRow, task_of
from entrepot.tasks.resource.tasks import full_settings
from entrepot.tasks.runs.model import RunType, SourceChange
from entrepot.tasks.runs.queries import run_of
from entrepot.tasks.runs.requests import TaskStepOverrides
from entrepot.tasks.runs.schedule import Scheduler, Wish
from entrepot.tasks.sources.model import Change
from entrepot.tasks.sources.rules import PATHS, find_trigger, is_same_repository, token_of, why_not
from entrepot.tasks.triggers import queries
from entrepot.tasks.triggers.firing import Firing, coalesces, fire
from entrepot.tasks.triggers.queries import SOURCE, Evaluation, Source
from entrepot.tasks.wishes import of_task

_MARK: Final = 16
_SHORT: Final = 12


class Verdict(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What became of a change. ``run_id``: the run's name."""

    reason: str
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates changes, each once, in the transaction of whoever tells of them."""

    sealer: Sealer
    scheduler: Scheduler

    def evaluate(self, tx: Connection, source: Source, change: Change, now: datetime, mark: str = "") -> Verdict:
        """``source``: held by the transaction. ``mark``: of a delivery: one that begins nothing is told once, too."""
        row = task_of(tx, source.task_id)
        settings = full_settings(self.sealer, row)
        trigger = find_trigger(settings, source.name)
        if trigger is None:  # its row goes with it
            raise Problem(Kind.RESOURCE_UNKNOWN, reason="the trigger is gone")
        tags = msgspec.json.decode(row.tags, type=dict[str, str])
        refusal = why_not(settings, trigger, tags.get(PATHS, ""), change)
        if not refusal:
            try:
                wish = wish_of_change(row, settings, trigger, change)
            except Problem as problem:
                refusal = f"The task cannot be run: {problem.detail.get('reason', problem.kind.name)}."
            else:
                subject = f"{change.ref}@" if coalesces(tags) else None
                return self._fire(tx, source, change, Firing(row.registry_id, wish, subject), now)
        key = f"{change.key} {mark or change.told_by}"
        queries.insert_evaluation(tx, Evaluation(row.id, SOURCE, source.name, key, now, refusal))
        return Verdict(refusal)

    def _fire(self, tx: Connection, source: Source, change: Change, firing: Firing, now: datetime) -> Verdict:
        reason = _reason(change)
        made = Evaluation(source.task_id, SOURCE, source.name, change.key, now, reason)
        run_id = fire(tx, self.scheduler, made, firing)
        run = None if run_id is None else run_of(tx, run_id)
        if run is None:
            return Verdict("It was seen before, and one commit begins one run: az acr task run begins another.")
        return Verdict(reason, run.name)


def _reason(change: Change) -> str:
    what = f"The pull request {change.pull_request}" if change.pull_request else f"The branch {change.branch}"
    unknown = "" if change.paths is not None else " Which files it changes was not told."
    return f"{what} has the commit {change.commit[:_SHORT]}, by {change.told_by}.{unknown}"


def mark_of(body: bytes) -> str:
    """Of a delivery, by what of it is signed: one that comes again is the same."""
    return hashlib.sha256(body).hexdigest()[:_MARK]


def wish_of_change(row: TaskRow, settings: TaskSettings, trigger: SourceTrigger, change: Change) -> Wish:
    """The run of a task for a change: of its commit, where the task's context is the trigger's repository.

    ``settings``: with their secrets. Raises RESOURCE_INVALID.
    """
    repository = trigger.source_repository
    context = None if settings.step is None else settings.step.context_path
    at = None if context is None else _at_commit(context, repository.repository_url, change.commit)
    plan, secrets = of_task(settings, TaskStepOverrides(context_path=at), "")
    if at is not None:
        secrets = replace(secrets, token=token_of(settings, trigger))
    source = SourceChange(
        id=change.id,
        event_type=change.event.value,
        commit_id=change.commit,
        repository_url=repository.repository_url,
        branch_name=change.branch,
        pull_request_id=change.pull_request,
        provider_type=repository.source_control_type.value,
    )
    return Wish(replace(plan, source=source), secrets, RunType.AUTO, row.name, settings.agent_pool_name)


def _at_commit(context: str, repository: str, commit: str) -> str | None:
    """The context at this commit; None where it is of another repository."""
    if not is_same_repository(context, repository):
        return None
    address, _, fragment = context.partition("#")
    folder = fragment.partition(":")[2]
    return f"{address}#{commit}" + (f":{folder}" if folder else "")
