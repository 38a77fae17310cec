"""SQL of repositories as a whole. Nothing here costs more for a repository that holds much, unless it says so."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, cast, delete, exists, literal, select, text, update
from sqlalchemy.types import String

from entrepot.catalog.model import RegistryId, RepositoryId
from entrepot.db.prepared import Prepared
from entrepot.db.tables import HIDDEN, LOCKED, event, manifest, manifest_reference, repository, tag

_HIDE: Final = Prepared(
    update(repository)
    .where(repository.c.id == bindparam("repository"))
    .values(
        name=literal(HIDDEN) + cast(repository.c.id, String),
        deleted_name=repository.c.name,
        deleted_at=bindparam("now"),
        is_kept=bindparam("is_kept"),
    )
)
_ADVANCE_HIDDEN: Final = Prepared(
    update(repository)
    .where(repository.c.id == bindparam("repository"), repository.c.deleted_at == bindparam("at"))
    .values(sequence=repository.c.sequence + 1)
    .returning(repository.c.sequence)
)


class Counts(NamedTuple):
    """What a repository holds for everybody to see."""

    manifests: int
    tags: int


def counts(tx: Connection, repository_id: RepositoryId) -> Counts:
    columns = (repository.c.manifest_count, repository.c.tag_count)
    return Counts(*tx.execute(select(*columns).where(repository.c.id == repository_id)).one())


def locked_tag(tx: Connection, repository_id: RepositoryId) -> str | None:
    """One of its tags that may not be deleted, if there is any."""
    locked = select(tag.c.name).where(tag.c.repository_id == repository_id, text(LOCKED)).limit(1)
    return tx.execute(locked).scalar_one_or_none()


def locked_manifest(tx: Connection, repository_id: RepositoryId) -> str | None:
    """The same of its manifests: a digest."""
    ours = (manifest.c.repository_id == repository_id, manifest.c.deleted_at.is_(None))
    return tx.execute(select(manifest.c.digest).where(*ours, text(LOCKED)).limit(1)).scalar_one_or_none()


def first_digests(tx: Connection, repository_id: RepositoryId, limit: int) -> tuple[str, ...]:
    ours = (manifest.c.repository_id == repository_id, manifest.c.deleted_at.is_(None))
    rows = tx.execute(select(manifest.c.digest).where(*ours).order_by(manifest.c.digest).limit(limit))
    return tuple(rows.scalars())


def first_tags(tx: Connection, repository_id: RepositoryId, limit: int) -> tuple[str, ...]:
    ours = tag.c.repository_id == repository_id
    return tuple(tx.execute(select(tag.c.name).where(ours).order_by(tag.c.name).limit(limit)).scalars())


def hide(tx: Connection, repository_id: RepositoryId, now: datetime, *, is_kept: bool) -> None:
    """From everybody, with all that it holds: under a name that no request can name."""
    _HIDE.run(tx, repository=repository_id, now=now, is_kept=is_kept)


# --- what went with it is told ----------------------------------------------------------------------------------------


class Cause(NamedTuple):
    """The event of a deletion; ``body`` is JSON."""

    registry_id: int
    at: datetime
    principal: str
    body: str


def cause_of(tx: Connection, event_id: str) -> Cause | None:
    """None: so long ago that nobody keeps it."""
    columns = (event.c.registry_id, event.c.at, event.c.principal, event.c.body)
    row = tx.execute(select(*columns).where(event.c.id == event_id)).one_or_none()
    return None if row is None else Cause(*row)


def advance_hidden(tx: Connection, repository_id: RepositoryId, deleted_at: datetime) -> int | None:
    """Take the row and its next sequence number; None when it is not what was deleted then any more."""
    row = _ADVANCE_HIDDEN.first(tx, repository=repository_id, at=deleted_at)
    return None if row is None else row[0]


class ToldManifest(NamedTuple):
    """A manifest as an event tells it."""

    id: int
    digest: str
    media_type: str
    size: int


def manifests_after(tx: Connection, repository_id: RepositoryId, after: str, limit: int) -> list[ToldManifest]:
    """In the order of their digests, without those that were deleted before."""
    rows = tx.execute(
        select(manifest.c.id, manifest.c.digest, manifest.c.media_type, manifest.c.size)
        .where(manifest.c.repository_id == repository_id, manifest.c.digest > after, manifest.c.deleted_at.is_(None))
        .order_by(manifest.c.digest)
        .limit(limit)
    )
    return [ToldManifest(*row) for row in rows]


def tags_of(tx: Connection, manifests: Sequence[int]) -> list[tuple[int, str]]:
    """The manifests' ids with the names of their tags."""
    rows = tx.execute(
        select(tag.c.manifest_id, tag.c.name).where(tag.c.manifest_id.in_(manifests)).order_by(tag.c.name)
    )
    return [(row[0], row[1]) for row in rows]


# --- it is emptied ----------------------------------------------------------------------------------------------------


def registry_of_going(tx: Connection, repository_id: RepositoryId) -> RegistryId | None:
    """The registry of a repository that was deleted for good; None of any other."""
    going = (repository.c.id == repository_id, repository.c.deleted_at.is_not(None), repository.c.is_kept.is_(False))
    found = tx.execute(select(repository.c.registry_id).where(*going)).scalar_one_or_none()
    return None if found is None else RegistryId(found)


class GoingManifest(NamedTuple):
    """A manifest that goes for good."""

    id: int
    size: int
    was_deleted: bool


def some_manifests(tx: Connection, repository_id: RepositoryId, limit: int) -> list[GoingManifest]:
    """Deleted or not."""
    rows = tx.execute(
        select(manifest.c.id, manifest.c.size, manifest.c.deleted_at.is_not(None))
        .where(manifest.c.repository_id == repository_id)
        .limit(limit)
    )
    return [GoingManifest(*row) for row in rows]


def delete_some(tx: Connection, manifests: Sequence[int]) -> int:
    """These with their tags; how many tags."""
    tags = tx.execute(delete(tag).where(tag.c.manifest_id.in_(manifests))).rowcount
    tx.execute(delete(manifest_reference).where(manifest_reference.c.manifest_id.in_(manifests)))
    tx.execute(delete(manifest).where(manifest.c.id.in_(manifests)))
    return tags


def holds_manifests(tx: Connection, repository_id: RepositoryId) -> bool:
    return tx.execute(select(exists().where(manifest.c.repository_id == repository_id))).scalar_one()
