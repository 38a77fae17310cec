"""SQL of tags' histories: rows are written where tags move, and deleted by a job when they are old or many."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, select

from entrepot.catalog.history.model import NOW, Pointed
from entrepot.catalog.model import RepositoryId
from entrepot.db.tables import event, manifest, tag, tag_history
from entrepot.events.outbox import Action

# Of a repository's events the latest ones, which are searched for a deletion.
_EVENTS: Final = 10_000

_IS_HERE: Final = exists().where(
    manifest.c.repository_id == tag_history.c.repository_id,
    manifest.c.digest == tag_history.c.digest,
    manifest.c.deleted_at.is_(None),
)
# In the order of ids, which is that of time: rows of a repository are written under its lock, whatever clocks say.
HISTORY_PAGE: Final = (
    select(
        tag_history.c.id,
        tag_history.c.digest,
        tag_history.c.since,
        tag_history.c.until,
        tag_history.c.set_by,
        tag_history.c.ended_by,
        _IS_HERE,
    )
    .where(
        tag_history.c.repository_id == bindparam("repository"),
        tag_history.c.name == bindparam("name"),
        tag_history.c.id < bindparam("before"),
    )
    .order_by(tag_history.c.id.desc())
    .limit(bindparam("limit"))
)


def present(tx: Connection, repository_id: RepositoryId, name: str) -> Pointed | None:
    """What the tag points to now, if it is there."""
    row = tx.execute(
        select(manifest.c.digest, func.coalesce(tag.c.moved_at, tag.c.created_at), tag.c.updated_by)
        .join_from(tag, manifest, manifest.c.id == tag.c.manifest_id)
        .where(tag.c.repository_id == repository_id, tag.c.name == name, manifest.c.deleted_at.is_(None))
    ).one_or_none()
    return None if row is None else Pointed(NOW, row[0], row[1], None, row[2], None, exists=True)


def past(tx: Connection, repository_id: RepositoryId, name: str, before: int, limit: int) -> list[Pointed]:
    """The newest first, from before this id."""
    values = {"repository": repository_id, "name": name, "before": before, "limit": limit}
    return [Pointed(*row) for row in tx.execute(HISTORY_PAGE, values)]


# --- the way back -----------------------------------------------------------------------------------------------------


def was_named(tx: Connection, repository_id: RepositoryId, name: str, digest: str) -> bool:
    """Whether the tag's history has the digest."""
    return bool(
        tx.execute(
            select(
                exists().where(
                    tag_history.c.repository_id == repository_id,
                    tag_history.c.name == name,
                    tag_history.c.digest == digest,
                )
            )
        ).scalar_one()
    )


class Kept(NamedTuple):
    """A manifest that the repository holds, as it was pushed. ``deleted_at``: it is on its way out."""

    media_type: str
    body: bytes
    architecture: str | None
    os: str | None
    deleted_at: datetime | None


def kept(tx: Connection, repository_id: RepositoryId, digest: str) -> Kept | None:
    row: Sequence[Any] | None = tx.execute(
        select(
            manifest.c.media_type, manifest.c.body, manifest.c.architecture, manifest.c.os, manifest.c.deleted_at
        ).where(manifest.c.repository_id == repository_id, manifest.c.digest == digest)
    ).one_or_none()
    return None if row is None else Kept(row[0], bytes(row[1]), *row[2:])


def deletion_of(tx: Connection, repository_id: RepositoryId, digest: str) -> datetime | None:
    """When the manifest was deleted, as far as the repository's latest events tell."""
    latest = (
        select(event.c.at, event.c.action, event.c.body, event.c.sequence)
        .where(event.c.repository_id == repository_id)
        .order_by(event.c.sequence.desc())
        .limit(_EVENTS)
        .subquery()
    )
    named = latest.c.body.contains(f'"digest":"{digest}"', autoescape=True)
    return tx.execute(
        select(latest.c.at)
        .where(latest.c.action.in_([Action.DELETE, Action.DELETE_REPOSITORY]), named)
        .order_by(latest.c.sequence.desc())
        .limit(1)
    ).scalar_one_or_none()


# --- what goes --------------------------------------------------------------------------------------------------------


def delete_before(tx: Connection, moment: datetime, limit: int) -> int:
    """Of the oldest rows, so many at most, those that ended before the moment; how many."""
    oldest = select(tag_history.c.id, tag_history.c.until).order_by(tag_history.c.id).limit(limit).subquery()
    due = select(oldest.c.id).where(oldest.c.until < moment)
    return tx.execute(delete(tag_history).where(tag_history.c.id.in_(due))).rowcount


def long_histories(tx: Connection, rows: int, limit: int) -> list[tuple[RepositoryId, str]]:
    """Tags with more rows than this, some of them."""
    found = tx.execute(
        select(tag_history.c.repository_id, tag_history.c.name)
        .group_by(tag_history.c.repository_id, tag_history.c.name)
        .having(func.count() > rows)
        .limit(limit)
    )
    return [(RepositoryId(row[0]), row[1]) for row in found]


def shorten(tx: Connection, repository_id: RepositoryId, name: str, rows: int, limit: int) -> int:
    """Delete some of the tag's rows beyond the newest so many; how many."""
    of_tag = and_(tag_history.c.repository_id == repository_id, tag_history.c.name == name)
    last_kept = (
        select(tag_history.c.id).where(of_tag).order_by(tag_history.c.id.desc()).offset(rows - 1).limit(1)
    ).scalar_subquery()
    beyond = select(tag_history.c.id).where(of_tag, tag_history.c.id < last_kept).limit(limit)
    return tx.execute(delete(tag_history).where(tag_history.c.id.in_(beyond))).rowcount
