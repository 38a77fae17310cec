"""Why a task ran, or did not: what its triggers wait for, and what they made of what happened. Ours, not ACR's."""

from itertools import islice
from typing import Final

from msgspec import Struct
from msgspec.json import decode
from sqlalchemy import Connection

from entrepot.tasks.model import shown
from entrepot.tasks.resource.source_triggers import moment, shown_moment
from entrepot.tasks.triggers import queries
from entrepot.tasks.triggers.events import queries as events
from entrepot.tasks.triggers.images import queries as images
from entrepot.tasks.triggers.images.queries import ImageRow
from entrepot.tasks.triggers.sources import seen_of

# Evaluations that are told.
_SHOWN: Final = 50
# References of a repository.
_SEEN: Final = 20


class TimerState(Struct, frozen=True, rename="camel"):
    """A timer that begins runs, and when it does next."""

    name: str
    schedule: str
    next_time: str


class SourceState(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A source trigger. ``branch``: absent for the default one. ``last_delivery``: of a webhook that was signed.
    ``last_check``, ``next_check``: of the repository, by us; ``problem``: why the last one found less than it should.
    """

    name: str
    repository: str
    branch: str | None = None
    last_delivery: str | None = None
    last_check: str | None = None
    next_check: str | None = None
    seen: dict[str, str] = {}
    problem: str | None = None


class ImageState(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A base image. ``digest``: what the last run built on; ``last_digest``: what its tag was last seen to be.

    ``is_told``: it is in a registry of ours, whose pushes are seen at once. Without ``next_check``, and not told:
    nothing waits for a change. ``problem``: why the last check failed.
    """

    type: str
    registry: str
    repository: str
    tag: str | None
    digest: str | None
    last_digest: str | None
    is_told: bool = shown(default=False)
    last_check: str | None = None
    next_check: str | None = None
    problem: str | None = None


class EventTriggerState(Struct, frozen=True, rename="camel"):
    """A trigger that waits for pushes."""

    name: str
    repositories: list[str]
    tags: list[str]


class EvaluationDocument(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a trigger made of one thing. ``key``: which one; ``run_id``: what it began."""

    kind: str
    trigger: str
    key: str
    time: str
    reason: str
    run_id: str | None = None


class Explanation(Struct, frozen=True, rename="camel"):
    """``base_image_trigger``: the name of the one that is enabled. ``evaluations``: the newest first."""

    timers: list[TimerState]
    sources: list[SourceState]
    base_image_trigger: str | None
    base_images: list[ImageState]
    event_triggers: list[EventTriggerState]
    evaluations: list[EvaluationDocument]


def explain(tx: Connection, task_id: int) -> Explanation:
    """Of a task by its row's id."""
    timers = [
        TimerState(each.name, each.schedule, shown_moment(each.due_at)) for each in queries.timers_of(tx, task_id)
    ]
    evaluations = [
        EvaluationDocument(each.kind, each.trigger, each.key, shown_moment(each.at), each.reason, each.run)
        for each in queries.latest(tx, task_id, _SHOWN)
    ]
    sources = [_state(each) for each in queries.sources_of(tx, task_id)]
    trigger = images.trigger_of(tx, task_id)
    listening = [
        EventTriggerState(each.name, decode(each.repositories, type=list[str]), decode(each.tags, type=list[str]))
        for each in events.triggers_of(tx, task_id)
    ]
    found = [_image(each, is_awaited=trigger is not None) for each in images.images_of(tx, task_id)]
    return Explanation(timers, sources, trigger and trigger.name, found, listening, evaluations)


def _image(row: ImageRow, *, is_awaited: bool) -> ImageState:
    return ImageState(
        row.type,
        row.registry,
        row.repository,
        row.tag or None,
        row.digest,
        row.seen,
        is_awaited and row.own is not None and bool(row.tag),
        moment(row.checked_at),
        moment(row.next_at),
        row.problem,
    )


def _state(source: queries.Source) -> SourceState:
    seen = seen_of(source)
    return SourceState(
        source.name,
        source.repository,
        source.branch or None,
        moment(source.delivered_at),
        moment(source.checked_at),
        moment(source.due_at),
        {} if seen is None else dict(islice(seen.commits.items(), _SEEN)),
        source.problem,
    )
