"""SQL of garbage collection.

On PostgreSQL what is held is held with SKIP LOCKED: collection never waits for a push, and what a push or another
collector holds is looked at later. On SQLite writers come one after the other, and these locks say nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, literal, select, tuple_, union_all, update

from entrepot.catalog.model import BlobId, RepositoryId
from entrepot.db.tables import (
    blob,
    blob_location,
    blob_review,
    collection_hold,
    event,
    manifest,
    manifest_reference,
    repository,
    repository_blob,
    retired_key,
    tag_history,
    upload,
)
from entrepot.db.task_tables import kept_block
from entrepot.retention.model import Link

Pair = tuple[RepositoryId, BlobId]

_REVIEW: Final = (blob_review.c.repository_id, blob_review.c.blob_id)
_LINK: Final = (repository_blob.c.repository_id, repository_blob.c.blob_id)
_HAS_LINK: Final = exists().where(
    repository_blob.c.repository_id == blob_review.c.repository_id, repository_blob.c.blob_id == blob_review.c.blob_id
)
_IS_NEEDED: Final = exists().where(
    manifest_reference.c.repository_id == repository_blob.c.repository_id, manifest_reference.c.digest == blob.c.digest
)

# --- reviews ----------------------------------------------------------------------------------------------------------

_DUE: Final = (
    select(*_REVIEW)
    .where(blob_review.c.due_at <= bindparam("now", type_=blob_review.c.due_at.type))
    .order_by(blob_review.c.due_at)
    .limit(bindparam("limit"))
    .with_for_update(of=blob_review, skip_locked=True)
)
_DUE_WITH_LINK: Final = _DUE.where(_HAS_LINK)
_DUE_WITHOUT_LINK: Final = _DUE.where(~_HAS_LINK)


def claim_linked(tx: Connection, now: datetime, limit: int) -> list[Pair]:
    """Reviews that are due and whose link is there, the oldest first; held, so that no new reason for one is lost."""
    return [_pair(row) for row in tx.execute(_DUE_WITH_LINK, {"now": now, "limit": limit})]


def claim_unlinked(tx: Connection, now: datetime, limit: int) -> list[Pair]:
    """Reviews that are due and whose link is gone; held."""
    return [_pair(row) for row in tx.execute(_DUE_WITHOUT_LINK, {"now": now, "limit": limit})]


def _pair(row: Sequence[int]) -> Pair:
    return RepositoryId(row[0]), BlobId(row[1])


def hold_links(tx: Connection, pairs: Sequence[Pair]) -> list[Pair]:
    """Of these links the ones that nobody else holds, held: a manifest that names one now waits for us."""
    rows = tx.execute(select(*_LINK).where(tuple_(*_LINK).in_(pairs)).with_for_update(skip_locked=True))
    return [_pair(row) for row in rows]


_FACTS: Final = (
    select(
        *_LINK,
        repository.c.registry_id,
        blob.c.size,
        repository_blob.c.linked_at,
        repository_blob.c.condemned_at,
        blob_review.c.due_at,
        func.coalesce(blob_review.c.reason, ""),
        _IS_NEEDED,
    )
    .join_from(repository_blob, blob)
    .join(repository, repository.c.id == repository_blob.c.repository_id)
    .outerjoin(
        blob_review,
        and_(
            blob_review.c.repository_id == repository_blob.c.repository_id,
            blob_review.c.blob_id == repository_blob.c.blob_id,
        ),
    )
)


def links(tx: Connection, pairs: Sequence[Pair]) -> list[Link]:
    """What a review must know of these links, as they are now."""
    return [Link(*row) for row in tx.execute(_FACTS.where(tuple_(*_LINK).in_(pairs)))]


def links_of(tx: Connection, blobs: Sequence[BlobId]) -> list[Link]:
    """The same of all links to these blobs."""
    return [Link(*row) for row in tx.execute(_FACTS.where(repository_blob.c.blob_id.in_(blobs)))]


def drop_reviews(tx: Connection, pairs: Sequence[Pair]) -> None:
    tx.execute(delete(blob_review).where(tuple_(*_REVIEW).in_(pairs)))


def review_again(tx: Connection, dues: Mapping[Pair, datetime], reason: str | None = None) -> None:
    """Look at these again when their time has come; the reason stays unless there is a new one."""
    by_due: dict[datetime, list[Pair]] = {}
    for pair, due in dues.items():
        by_due.setdefault(due, []).append(pair)
    for due, pairs in by_due.items():
        changed = {"due_at": due} if reason is None else {"due_at": due, "reason": reason}
        tx.execute(update(blob_review).where(tuple_(*_REVIEW).in_(pairs)).values(changed))


def condemn(tx: Connection, pairs: Sequence[Pair], now: datetime) -> None:
    tx.execute(update(repository_blob).where(tuple_(*_LINK).in_(pairs)).values(condemned_at=now))


def absolve(tx: Connection, pairs: Sequence[Pair]) -> None:
    """Links that are needed are not condemned."""
    tx.execute(update(repository_blob).where(tuple_(*_LINK).in_(pairs)).values(condemned_at=None))


def hide_kept(tx: Connection, pairs: Sequence[Pair], now: datetime) -> None:
    """Of these links those that only deleted manifests need are there for nobody, however they came back."""
    of_deleted = exists().where(
        manifest.c.repository_id == repository_blob.c.repository_id, manifest.c.deleted_at.is_not(None)
    )
    named_by_live = (
        select(manifest.c.id)
        .join_from(manifest_reference, manifest)
        .where(
            manifest_reference.c.repository_id == repository_blob.c.repository_id,
            manifest_reference.c.digest
            == select(blob.c.digest)
            .where(blob.c.id == repository_blob.c.blob_id)
            .correlate(repository_blob)
            .scalar_subquery(),
            manifest.c.deleted_at.is_(None),
        )
        .correlate(repository_blob)
        .exists()
    )
    links_of = (tuple_(*_LINK).in_(pairs), repository_blob.c.deleted_at.is_(None))
    tx.execute(update(repository_blob).where(*links_of, of_deleted, ~named_by_live).values(deleted_at=now))


# --- blobs without a link ---------------------------------------------------------------------------------------------


def hold_blobs(tx: Connection, blobs: Sequence[BlobId]) -> dict[BlobId, int]:
    """Of these blobs the ones that nobody else holds, with their sizes; held: nobody can link one meanwhile."""
    rows = tx.execute(select(blob.c.id, blob.c.size).where(blob.c.id.in_(blobs)).with_for_update(skip_locked=True))
    return {BlobId(row[0]): row[1] for row in rows}


def linked_among(tx: Connection, blobs: Sequence[BlobId]) -> set[BlobId]:
    rows = tx.execute(select(repository_blob.c.blob_id).where(repository_blob.c.blob_id.in_(blobs)).distinct())
    return {BlobId(row) for row in rows.scalars()}


# --- bytes that the catalog no longer names ---------------------------------------------------------------------------


def is_held(tx: Connection, now: datetime) -> bool:
    """Whether somebody needs the bytes to stay, such as a backup under way."""
    return tx.execute(select(exists().where(collection_hold.c.until > now))).scalar_one()


def due_keys(tx: Connection, store: str, now: datetime, limit: int) -> list[str]:
    return list(
        tx.execute(
            select(retired_key.c.key)
            .where(retired_key.c.due_at <= now, retired_key.c.store == store)
            .order_by(retired_key.c.due_at)
            .limit(limit)
        ).scalars()
    )


def located(tx: Connection, store: str, keys: Sequence[str]) -> set[str]:
    """Of these keys the ones that bytes of a blob or a file lie under."""
    named = [
        select(table.c.key).where(table.c.store == store, table.c.key.in_(keys))
        for table in (blob_location, kept_block)
    ]
    return set(tx.execute(union_all(*named)).scalars())


def forget_keys(tx: Connection, store: str, keys: Sequence[str]) -> list[tuple[str, int]]:
    """Answers those that nobody else forgot first, with their lengths."""
    rows = tx.execute(
        delete(retired_key)
        .where(retired_key.c.store == store, retired_key.c.key.in_(keys))
        .returning(retired_key.c.key, retired_key.c.length)
    )
    return [(row[0], row[1]) for row in rows]


def retry_keys(tx: Connection, store: str, keys: Sequence[str], due: datetime) -> None:
    tx.execute(update(retired_key).where(retired_key.c.store == store, retired_key.c.key.in_(keys)).values(due_at=due))


class Known(NamedTuple):
    """What the catalog knows of keys: those it names, and which of their sessions are open, of uploads or files."""

    keys: frozenset[str]
    sessions: frozenset[str]


def known(tx: Connection, store: str, keys: Sequence[str], sessions: Sequence[str]) -> Known:
    """One statement, so one state: a session that ends meanwhile leaves its key named."""
    named = [
        select(literal(1), table.c.key).where(table.c.store == store, table.c.key.in_(keys))
        for table in (blob_location, kept_block, retired_key)
    ]
    opened = [
        select(literal(2), upload.c.id).where(upload.c.id.in_(sessions)),
        select(literal(2), kept_block.c.session).where(
            kept_block.c.session.in_(sessions), kept_block.c.digest.is_(None)
        ),
    ]
    rows = tx.execute(union_all(*named, *opened)).fetchall()
    return Known(frozenset(row[1] for row in rows if row[0] == 1), frozenset(row[1] for row in rows if row[0] != 1))


# --- uploads and repositories -----------------------------------------------------------------------------------------


_IS_EMPTY: Final = (
    repository.c.manifest_count == 0,
    repository.c.write_enabled & repository.c.delete_enabled & repository.c.read_enabled & repository.c.list_enabled,
    ~exists().where(manifest.c.repository_id == repository.c.id),
    ~exists().where(repository_blob.c.repository_id == repository.c.id),
    ~exists().where(blob_review.c.repository_id == repository.c.id),
    ~exists().where(upload.c.registry_id == repository.c.registry_id, upload.c.repository_name == repository.c.name),
)


def claim_empty(tx: Connection, before: datetime, limit: int) -> list[RepositoryId]:
    """Repositories in which nothing is, or is on its way, and nothing changed since then; held. Locks on them count.

    Never the newest row: SQLite would give its id to the next repository, whose events would be numbered like old ones.
    """
    newest = select(func.max(repository.c.id)).scalar_subquery()
    rows = tx.execute(
        select(repository.c.id)
        .where(repository.c.updated_at < before, repository.c.id < newest, *_IS_EMPTY)
        .limit(limit)
        .with_for_update(of=repository, skip_locked=True)
    )
    return [RepositoryId(row) for row in rows.scalars()]


def still_empty(tx: Connection, repositories: Sequence[RepositoryId]) -> list[RepositoryId]:
    """Of these, which are held, the ones that nobody filled just before."""
    rows = tx.execute(select(repository.c.id).where(repository.c.id.in_(repositories), *_IS_EMPTY))
    return [RepositoryId(row) for row in rows.scalars()]


def delete_history(tx: Connection, repositories: Sequence[RepositoryId], limit: int) -> int:
    """Delete some rows of what their tags once pointed to; how many."""
    some = select(tag_history.c.id).where(tag_history.c.repository_id.in_(repositories)).limit(limit)
    return tx.execute(delete(tag_history).where(tag_history.c.id.in_(some))).rowcount


def delete_repositories(tx: Connection, repositories: Sequence[RepositoryId]) -> None:
    """Their events stay."""
    tx.execute(delete(repository).where(repository.c.id.in_(repositories)))


def count_idle(tx: Connection, before: datetime) -> int:
    return tx.execute(select(func.count()).where(upload.c.touched_at < before)).scalar_one()


def count_empty(tx: Connection, before: datetime) -> int:
    newest = select(func.max(repository.c.id)).scalar_subquery()
    empty = select(func.count()).where(repository.c.updated_at < before, repository.c.id < newest, *_IS_EMPTY)
    return tx.execute(empty).scalar_one()


# --- events -----------------------------------------------------------------------------------------------------------


# Everybody who follows events is named here: they have taken up what they wanted of the row.
_WAS_TAKEN_UP: Final = event.c.fanned_at.is_not(None) & event.c.evaluated_at.is_not(None)


def forget_events(tx: Connection, before: datetime, limit: int) -> int:
    """Delete some rows of what happened before then, and was taken up by all; how many."""
    some = (
        select(event.c.id)
        .where(event.c.at < before, _WAS_TAKEN_UP)
        .order_by(event.c.at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return tx.execute(delete(event).where(event.c.id.in_(some))).rowcount


# --- what waits, for metrics and for people ---------------------------------------------------------------------------


class Waiting(NamedTuple):
    """How many rows of a queue are due, and since when the oldest is."""

    due: int
    oldest: datetime | None


def waiting_reviews(tx: Connection, now: datetime) -> Waiting:
    return Waiting(
        *tx.execute(select(func.count(), func.min(blob_review.c.due_at)).where(blob_review.c.due_at <= now)).one()
    )


def waiting_keys(tx: Connection, store: str, now: datetime) -> Waiting:
    return Waiting(
        *tx.execute(
            select(func.count(), func.min(retired_key.c.due_at)).where(
                retired_key.c.due_at <= now, retired_key.c.store == store
            )
        ).one()
    )


def due_blobs(tx: Connection, now: datetime, above: int, limit: int) -> dict[BlobId, int]:
    """The next blobs, by id, of which a review is due, with their sizes."""
    rows = tx.execute(
        select(blob.c.id, blob.c.size)
        .where(blob.c.id > above, blob.c.id.in_(select(blob_review.c.blob_id).where(blob_review.c.due_at <= now)))
        .order_by(blob.c.id)
        .limit(limit)
    )
    return {BlobId(row[0]): row[1] for row in rows}


def due_bytes(tx: Connection, store: str, now: datetime) -> tuple[int, int]:
    """How many keys are due to be removed, and how many bytes lie under them; none while somebody holds them."""
    if is_held(tx, now):
        return 0, 0
    row = tx.execute(
        select(func.count(), func.coalesce(func.sum(retired_key.c.length), 0)).where(
            retired_key.c.due_at <= now, retired_key.c.store == store
        )
    ).one()
    return row[0], int(row[1])
