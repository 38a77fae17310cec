"""SQL of base images and of the triggers that wait for them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, false, func, insert, or_, select, update

from entrepot.db.tables import manifest, registry, repository, tag
from entrepot.db.task_tables import (
    task,
    task_base_image,
    task_evaluation,
    task_image_trigger,
    task_run,
    task_run_principal,
)
from entrepot.tasks.model import BaseImage, BaseImageKind
from entrepot.tasks.runs.model import Status
from entrepot.tasks.triggers.images.model import KIND, Trigger, Watched

_image: Final = task_base_image.c
_KEY: Final = ("task_id", "registry", "repository", "tag")
# A run may have pushed an image without us seeing who it was; one that ended long ago did not.
_REMEMBERED: Final = timedelta(days=2)

# --- what a task stands on --------------------------------------------------------------------------------------------


class ImageRow(NamedTuple):
    """A base image of a task. ``tag`` is empty where a digest says which one it is."""

    task_id: int
    registry: str
    repository: str
    tag: str
    own: str | None
    type: str
    digest: str | None
    seen: str | None
    repository_id: int | None
    sequence: int
    is_signed_in: bool
    checked_at: datetime | None
    next_at: datetime | None
    failures: int
    problem: str | None


_IMAGES: Final = select(*(_image[name] for name in ImageRow._fields)).order_by(
    _image.registry, _image.repository, _image.tag
)


def images_of(tx: Connection, task_id: int) -> list[ImageRow]:
    return [ImageRow(*row) for row in tx.execute(_IMAGES.where(_image.task_id == task_id))]


def shown_bases(tx: Connection, task_ids: Sequence[int]) -> dict[int, list[BaseImage]]:
    """As tasks show them, by the rows of the tasks."""
    found: dict[int, list[BaseImage]] = {}
    for row in tx.execute(_IMAGES.where(_image.task_id.in_(task_ids))):
        image = ImageRow(*row)
        base = BaseImage(
            BaseImageKind(image.type), image.registry, image.repository, image.tag or None, image.digest or image.seen
        )
        found.setdefault(image.task_id, []).append(base)
    return found


def home_of(tx: Connection, task_id: int) -> str:
    """The name of the task's own registry."""
    return tx.execute(
        select(registry.c.name).join(task, task.c.registry_id == registry.c.id).where(task.c.id == task_id)
    ).scalar_one()


def is_resolved(tx: Connection, task_id: int) -> bool:
    """Whether a run told what the task stands on."""
    found = select(_image.task_id).where(_image.task_id == task_id, _image.digest.is_not(None)).limit(1)
    return tx.execute(found).first() is not None


def insert_images(tx: Connection, rows: Iterable[ImageRow]) -> None:
    tx.execute(insert(task_base_image), [each._asdict() for each in rows])


_SET_IMAGE: Final = (
    update(task_base_image)
    .where(*(_image[name] == bindparam(f"of_{name}") for name in _KEY))
    .values(own=bindparam("to_own"), type=bindparam("to_type"), digest=bindparam("to_digest"))
)


def update_images(tx: Connection, rows: Iterable[ImageRow]) -> None:
    """What a run found anew. In its place: whoever waits for the row finds it again."""
    tx.execute(
        _SET_IMAGE,
        [{**_key_of(each), "to_own": each.own, "to_type": each.type, "to_digest": each.digest} for each in rows],
    )


def _key_of(row: ImageRow | Watched) -> dict[str, int | str]:
    return {f"of_{name}": getattr(row, name) for name in _KEY}


def delete_images(tx: Connection, rows: Iterable[ImageRow]) -> None:
    tx.execute(
        delete(task_base_image).where(*(_image[name] == bindparam(f"of_{name}") for name in _KEY)),
        [_key_of(each) for each in rows],
    )


# --- triggers ---------------------------------------------------------------------------------------------------------


def trigger_of(tx: Connection, task_id: int) -> Trigger | None:
    """One that is enabled, of a task that is."""
    columns = task_image_trigger.c
    row = tx.execute(
        select(columns.name, columns.counts_all, columns.endpoint, columns.tells_all).where(columns.task_id == task_id)
    ).one_or_none()
    return None if row is None else Trigger(*row)


def replace_trigger(tx: Connection, task_id: int, trigger: Trigger | None) -> None:
    tx.execute(delete(task_image_trigger).where(task_image_trigger.c.task_id == task_id))
    if trigger is not None:
        tx.execute(insert(task_image_trigger).values(task_id=task_id, **asdict(trigger)))


def set_signed_in(tx: Connection, task_id: int, registries: Collection[str]) -> None:
    """For which registries the task has an account; where that changes, it is used soon."""
    has_account = _image.registry.in_(registries) if registries else false()
    tx.execute(
        update(task_base_image)
        .where(_image.task_id == task_id, _image.is_signed_in != has_account)
        .values(is_signed_in=has_account, failures=0)
    )


def set_next(tx: Connection, task_id: int, at: datetime | None) -> None:
    """Of all images of the task that can change."""
    tx.execute(update(task_base_image).where(_image.task_id == task_id, _image.tag != "").values(next_at=at))


# --- images that triggers wait for ------------------------------------------------------------------------------------

_OF_IMAGE: Final = (*_KEY, "own", "type", "seen", "repository_id", "sequence", "is_signed_in", "failures")
_WATCHED: Final = (
    select(
        *(_image[name] for name in _OF_IMAGE),
        task_image_trigger.c.name,
        task_image_trigger.c.counts_all,
        task_image_trigger.c.endpoint,
        registry.c.name + "/" + task.c.name,
    )
    .select_from(task_base_image)
    .join(task_image_trigger, task_image_trigger.c.task_id == _image.task_id)
    .join(task, task.c.id == _image.task_id)
    .join(registry, registry.c.id == task.c.registry_id)
    .where(_image.tag != "")
)


def _watched(tx: Connection, *conditions: ColumnElement[bool], limit: int, skips: bool = False) -> list[Watched]:
    """Held until the transaction ends, always in the same order. ``skips``: those that others hold."""
    statement = (
        _WATCHED.where(*conditions)
        .order_by(*(_image[name] for name in _KEY))
        .limit(limit)
        .with_for_update(of=task_base_image, skip_locked=skips)
    )
    return [Watched(*row) for row in tx.execute(statement)]


def watched_repositories(
    tx: Connection, own: Collection[str], repositories: Collection[str]
) -> set[tuple[str | None, str]]:
    """Of these repositories of these registries of ours: those with an image that a trigger waits for."""
    watched = select(_image.own, _image.repository).join(
        task_image_trigger, task_image_trigger.c.task_id == _image.task_id
    )
    rows = tx.execute(watched.where(_image.own.in_(own), _image.repository.in_(repositories)).distinct())
    return {(row[0], row[1]) for row in rows}


class Event(NamedTuple):
    """Something that happened to these tags of a repository of ours: its number there."""

    own: str
    repository: str
    tags: Collection[str]
    repository_id: int
    sequence: int


def watched_by(tx: Connection, event: Event, limit: int) -> list[Watched]:
    """Images that the event concerns, and that did not take it up yet; those of a task beside each other."""
    is_news = or_(
        _image.repository_id.is_(None), _image.repository_id != event.repository_id, _image.sequence < event.sequence
    )
    place = (_image.own == event.own, _image.repository == event.repository, _image.tag.in_(event.tags))
    return _watched(tx, *place, is_news, limit=limit)


def has_due_own(tx: Connection, now: datetime) -> bool:
    """Whether one of our own registries is to be looked at."""
    found = select(_image.task_id).where(_image.own.is_not(None), _image.next_at <= now).limit(1)
    return tx.execute(found).first() is not None


def take_due_own(tx: Connection, now: datetime) -> Watched | None:
    """One of our own registries that is to be looked at, and is nobody else's."""
    found = _watched(tx, _image.own.is_not(None), _image.next_at <= now, limit=1, skips=True)
    return found[0] if found else None


def has_due_elsewhere(tx: Connection, now: datetime) -> bool:
    found = select(_image.task_id).where(_image.own.is_(None), _image.next_at <= now).limit(1)
    return tx.execute(found).first() is not None


def due_elsewhere(tx: Connection, now: datetime, limit: int) -> list[Watched]:
    """Those of other registries that are to be looked at, the one first that waits longest."""
    rows = tx.execute(_WATCHED.where(_image.own.is_(None), _image.next_at <= now).order_by(_image.next_at).limit(limit))
    return [Watched(*row) for row in rows]


def concerned(tx: Connection, image: Watched, digest: str | None, now: datetime, limit: int) -> list[Watched]:
    """Whom what was learnt of the image concerns: the task that asked with an account of its own, or all that have
    none. Those that are due, or know another digest.
    """
    whose = _image.task_id == image.task_id if image.is_signed_in else _image.is_signed_in.is_(False)
    is_old = _image.next_at <= now
    if digest is not None:
        is_old = or_(is_old, _image.seen != digest)
    place = (_image.registry == image.registry, _image.repository == image.repository, _image.tag == image.tag)
    return _watched(tx, *place, _image.own.is_(None), whose, is_old, limit=limit)


_SET_SEEN: Final = (
    update(task_base_image)
    .where(*(_image[name] == bindparam(f"of_{name}") for name in _KEY))
    .values(
        seen=bindparam("to_seen"),
        repository_id=bindparam("to_repository_id"),
        sequence=bindparam("to_sequence"),
        checked_at=bindparam("to_checked_at"),
        next_at=bindparam("to_next_at"),
        failures=bindparam("to_failures"),
        problem=bindparam("to_problem"),
    )
)


def set_seen(tx: Connection, image: Watched, now: datetime, next_at: datetime | None, problem: str | None) -> None:
    """What is known of it now, and when it is looked at again."""
    values = {
        "to_seen": image.seen,
        "to_repository_id": image.repository_id,
        "to_sequence": image.sequence,
        "to_checked_at": now,
        "to_next_at": next_at,
        "to_failures": image.failures,
        "to_problem": problem,
    }
    tx.execute(_SET_SEEN, {**_key_of(image), **values})


def look_soon(tx: Connection, own: str, in_repository: str, now: datetime) -> None:
    """At all images of the repository that a trigger waits for."""
    has_trigger = _image.task_id.in_(select(task_image_trigger.c.task_id))
    tx.execute(
        update(task_base_image)
        .where(_image.own == own, _image.repository == in_repository, _image.tag != "", has_trigger)
        .values(next_at=now)
    )


# --- what is there ----------------------------------------------------------------------------------------------------


class Present(NamedTuple):
    """A tag of a registry of ours, with the number that its repository's events had by then."""

    repository_id: int
    sequence: int
    digest: str | None
    moved_at: datetime | None


def present(tx: Connection, own: str, in_repository: str, name: str) -> Present | None:
    """``digest`` None: there is no such tag. None: there is no such repository."""
    row = tx.execute(
        select(
            repository.c.id, repository.c.sequence, manifest.c.digest, func.coalesce(tag.c.moved_at, tag.c.created_at)
        )
        .select_from(repository)
        .join(registry, registry.c.id == repository.c.registry_id)
        .outerjoin(tag, (tag.c.repository_id == repository.c.id) & (tag.c.name == name))
        .outerjoin(manifest, (manifest.c.id == tag.c.manifest_id) & manifest.c.deleted_at.is_(None))
        .where(registry.c.name == own, repository.c.name == in_repository)
    ).one_or_none()
    return None if row is None else Present(*row)


# --- runs -------------------------------------------------------------------------------------------------------------


class Pusher(NamedTuple):
    """A run that pushed something. ``label``: REGISTRY/TASK of its task, None for a quick run. ``request``: JSON."""

    principal: str | None
    label: str | None
    request: str


_PUSHERS: Final = (
    select(task_run_principal.c.principal_id, registry.c.name + "/" + task_run.c.task, task_run.c.request)
    .join_from(task_run, registry, registry.c.id == task_run.c.registry_id)
    .outerjoin(task_run_principal, task_run_principal.c.run_id == task_run.c.id)
)


def pushers(tx: Connection, principals: Collection[str]) -> list[Pusher]:
    """Of these principals those that are runs."""
    return [Pusher(*row) for row in tx.execute(_PUSHERS.where(task_run_principal.c.principal_id.in_(principals)))]


def pusher_of(tx: Connection, image: Watched, digest: str, now: datetime) -> Pusher | None:
    """The last run that told of pushing this, wherever it was to."""
    told = f"{image.repository}@{digest}"
    row = tx.execute(
        _PUSHERS.where(task_run.c.finished_at >= now - _REMEMBERED, task_run.c.outcome.contains(told, autoescape=True))
        .order_by(task_run.c.finished_at.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Pusher(*row)


def waiting_run(tx: Connection, task_id: int, digest: str) -> str | None:
    """A run of the task that an image with this digest began, and no worker has begun yet; its name."""
    return tx.execute(
        select(task_run.c.name)
        .join_from(task_evaluation, task_run, task_run.c.id == task_evaluation.c.run_id)
        .where(
            task_evaluation.c.task_id == task_id,
            task_evaluation.c.kind == KIND,
            task_evaluation.c.key.startswith(f"{digest} ", autoescape=True),
            task_run.c.status == Status.QUEUED.value,
            task_run.c.attempt == 0,
        )
        .limit(1)
    ).scalar_one_or_none()


def is_running(tx: Connection, image: Watched) -> bool:
    """Whether a run of the task goes on: it may be what pushed, and has not told yet."""
    found = (
        select(task_run.c.id)
        .join(task, (task.c.registry_id == task_run.c.registry_id) & (task.c.name == task_run.c.task))
        .where(task.c.id == image.task_id, task_run.c.finished_at.is_(None), task_run.c.attempt > 0)
        .limit(1)
    )
    return tx.execute(found).first() is not None


class Telling(NamedTuple):
    """What is to be told of an evaluation, and to whom. ``request``: JSON of its run, and of the newest run of the task
    that has a token.
    """

    endpoint: str
    tells_all: bool
    reason: str
    registry_id: int
    task: str
    run: str
    request: str


def telling(tx: Connection, evaluation: int) -> Telling | None:
    """None where nobody is to be told any more."""
    row = tx.execute(
        select(
            task_image_trigger.c.endpoint,
            task_image_trigger.c.tells_all,
            task_evaluation.c.reason,
            task_run.c.registry_id,
            task_run.c.task,
            task_run.c.name,
            task_run.c.request,
        )
        .select_from(task_evaluation)
        .join(task_run, task_run.c.id == task_evaluation.c.run_id)
        .join(task_image_trigger, task_image_trigger.c.task_id == task_evaluation.c.task_id)
        .where(task_evaluation.c.id == evaluation, task_image_trigger.c.endpoint.is_not(None))
    ).one_or_none()
    return None if row is None else Telling(*row)


def last_with_token(tx: Connection, registry_id: int, name: str) -> str | None:
    """What the newest run of the task that was given a token does: JSON."""
    return tx.execute(
        select(task_run.c.request)
        .where(
            task_run.c.registry_id == registry_id,
            task_run.c.task == name,
            task_run.c.request.contains('"update_trigger_token":"'),
        )
        .order_by(task_run.c.number.desc())
        .limit(1)
    ).scalar_one_or_none()


def set_reason(tx: Connection, evaluation: int, reason: str) -> None:
    tx.execute(update(task_evaluation).where(task_evaluation.c.id == evaluation).values(reason=reason))
