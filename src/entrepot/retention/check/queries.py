"""SQL of a check. Each statement sees one state of the catalog, so a comparison within it is right beside writers.

The catalog is walked in windows of ids, so no statement runs for long and memory stays the same.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Select, and_, delete, exists, func, insert, or_, select, update

from entrepot.catalog.model import BlobId, RegistryId, RepositoryId
from entrepot.content.model import Piece
from entrepot.db.tables import (
    blob,
    blob_location,
    blob_review,
    manifest,
    manifest_reference,
    registry,
    registry_blob,
    repository,
    repository_blob,
    retired_key,
    tag,
)
from entrepot.db.task_tables import kept_block
from entrepot.oci.manifest import ReferenceKind
from entrepot.retention.check.model import Absent, CheckedBlob, CheckedBlock, Stray, WrongCounts, WrongUsage, WrongUses


class Window(NamedTuple):
    """Ids above the first and up to the last."""

    above: int
    last: int
    size: int


def next_blobs(tx: Connection, above: int, size: int) -> Window | None:
    return _window(tx, select(blob.c.id).where(blob.c.id > above).order_by(blob.c.id).limit(size), above)


def next_manifests(tx: Connection, above: int, size: int) -> Window | None:
    return _window(tx, select(manifest.c.id).where(manifest.c.id > above).order_by(manifest.c.id).limit(size), above)


def next_repositories(tx: Connection, above: int, size: int) -> Window | None:
    ids = select(repository.c.id).where(repository.c.id > above).order_by(repository.c.id).limit(size)
    return _window(tx, ids, above)


def _window(tx: Connection, ids: Select[int], above: int) -> Window | None:
    chosen = ids.subquery()
    last, size = tx.execute(select(func.max(chosen.c.id), func.count())).one()
    return None if last is None else Window(above, last, size)


# --- blobs ------------------------------------------------------------------------------------------------------------

_BLOB: Final = (
    select(
        blob.c.id,
        blob.c.digest,
        blob.c.size,
        blob.c.corrupt_since.is_not(None),
        blob_location.c.store,
        blob_location.c.key,
        blob_location.c.length,
        blob_location.c.key_scope,
    )
    .outerjoin_from(blob, blob_location)
    .order_by(blob.c.id, blob_location.c.store, blob_location.c.key_scope, blob_location.c.position)
)


def blobs_in(tx: Connection, window: Window) -> list[CheckedBlob]:
    rows = tx.execute(_BLOB.where(blob.c.id > window.above, blob.c.id <= window.last)).fetchall()
    return [
        CheckedBlob(BlobId(key[0]), key[1], key[2], key[3], tuple(Piece(*row[4:]) for row in group if row[5]))
        for key, group in groupby(rows, key=lambda row: (row[0], row[1], row[2], row[3]))
    ]


def find_blob(tx: Connection, blob_id: BlobId) -> CheckedBlob | None:
    return next(iter(blobs_in(tx, Window(blob_id - 1, blob_id, 1))), None)


def hold_blob(tx: Connection, blob_id: BlobId) -> CheckedBlob | None:
    """The blob as it is and stays until the transaction has ended."""
    tx.execute(select(blob.c.id).where(blob.c.id == blob_id).with_for_update())
    return find_blob(tx, blob_id)


def mark_corrupt(tx: Connection, blob_id: BlobId, now: datetime) -> None:
    tx.execute(update(blob).where(blob.c.id == blob_id, blob.c.corrupt_since.is_(None)).values(corrupt_since=now))


# --- links ------------------------------------------------------------------------------------------------------------

_NAMED: Final = and_(
    manifest_reference.c.repository_id == repository_blob.c.repository_id, manifest_reference.c.digest == blob.c.digest
)
_HAS_REVIEW: Final = exists().where(
    blob_review.c.repository_id == repository_blob.c.repository_id, blob_review.c.blob_id == repository_blob.c.blob_id
)
_LINKS: Final = (
    select(
        repository_blob.c.repository_id,
        repository.c.name,
        repository_blob.c.blob_id,
        blob.c.digest,
        repository_blob.c.condemned_at.is_not(None),
    )
    .join_from(repository_blob, blob)
    .join(repository, repository.c.id == repository_blob.c.repository_id)
)
# An index may name anything; only what a push requires revives what is condemned.
_CONDEMNED: Final = _LINKS.where(
    repository_blob.c.condemned_at.is_not(None),
    exists().where(_NAMED, manifest_reference.c.kind != ReferenceKind.CHILD),
)
_HIDDEN: Final = _LINKS.where(
    repository_blob.c.deleted_at.is_not(None),
    exists().where(
        _NAMED,
        manifest_reference.c.kind != ReferenceKind.CHILD,
        manifest.c.id == manifest_reference.c.manifest_id,
        manifest.c.deleted_at.is_(None),
    ),
)
_FORGOTTEN: Final = _LINKS.where(~_HAS_REVIEW, ~exists().where(_NAMED))


def needed_but_condemned(tx: Connection, window: Window) -> list[Stray]:
    return _strays(tx, _CONDEMNED, window)


def needed_but_hidden(tx: Connection, window: Window) -> list[Stray]:
    return _strays(tx, _HIDDEN, window)


def forgotten_links(tx: Connection, window: Window) -> list[Stray]:
    return _strays(tx, _FORGOTTEN, window)


# Any: SQLAlchemy's columns know their types only in part; the row becomes a typed value at once.
def _strays(tx: Connection, statement: Select[*tuple[Any, ...]], window: Window) -> list[Stray]:
    rows = tx.execute(
        statement.where(repository_blob.c.blob_id > window.above, repository_blob.c.blob_id <= window.last)
    )
    return [Stray(RepositoryId(row[0]), row[1], BlobId(row[2]), row[3], row[4]) for row in rows]


def forgotten_blobs(tx: Connection, window: Window) -> list[tuple[BlobId, str]]:
    """Blobs that no repository links and no review will find, with their digests."""
    rows = tx.execute(
        select(blob.c.id, blob.c.digest).where(
            blob.c.id > window.above,
            blob.c.id <= window.last,
            ~exists().where(repository_blob.c.blob_id == blob.c.id),
            ~exists().where(blob_review.c.blob_id == blob.c.id),
        )
    )
    return [(BlobId(row[0]), row[1]) for row in rows]


# --- manifests --------------------------------------------------------------------------------------------------------


def absent_blobs(tx: Connection, window: Window) -> list[Absent]:
    """What manifests name as blobs and their repositories do not link; the body tells whether it may be so."""
    linked = exists().where(
        repository_blob.c.repository_id == manifest_reference.c.repository_id,
        repository_blob.c.blob_id == blob.c.id,
        blob.c.digest == manifest_reference.c.digest,
    )
    rows = tx.execute(
        select(
            manifest.c.id,
            repository.c.name,
            manifest.c.digest,
            manifest.c.media_type,
            manifest.c.body,
            manifest_reference.c.digest,
        )
        .join_from(manifest_reference, manifest)
        .join(repository, repository.c.id == manifest.c.repository_id)
        .where(
            manifest_reference.c.manifest_id > window.above,
            manifest_reference.c.manifest_id <= window.last,
            manifest_reference.c.kind != ReferenceKind.CHILD,
            ~linked,
        )
    )
    return sorted((Absent(*row) for row in rows), key=lambda absent: absent.manifest)


# --- figures ----------------------------------------------------------------------------------------------------------

_COUNTED_USES: Final = (
    select(func.count())
    .select_from(repository_blob)
    .join(repository, repository.c.id == repository_blob.c.repository_id)
)


def wrong_uses(tx: Connection, window: Window) -> list[WrongUses]:
    """Uses that differ from the links that they count, and links that no use counts."""
    counted = (
        _COUNTED_USES.where(
            repository.c.registry_id == registry_blob.c.registry_id,
            repository_blob.c.blob_id == registry_blob.c.blob_id,
        )
        .correlate(registry_blob)
        .scalar_subquery()
    )
    said = (
        select(registry_blob.c.registry_id, registry_blob.c.blob_id, blob.c.digest, registry_blob.c.uses, counted)
        .join_from(registry_blob, blob)
        .where(registry_blob.c.blob_id > window.above, registry_blob.c.blob_id <= window.last)
    )
    unsaid = (
        select(repository.c.registry_id, blob.c.id, blob.c.digest, func.count())
        .join_from(repository_blob, blob)
        .join(repository, repository.c.id == repository_blob.c.repository_id)
        .where(
            blob.c.id > window.above,
            blob.c.id <= window.last,
            ~exists().where(
                registry_blob.c.registry_id == repository.c.registry_id, registry_blob.c.blob_id == blob.c.id
            ),
        )
        .group_by(repository.c.registry_id, blob.c.id, blob.c.digest)
    )
    wrong = [WrongUses(*row) for row in tx.execute(said.where(registry_blob.c.uses != counted))]
    return wrong + [WrongUses(row[0], row[1], row[2], 0, row[3]) for row in tx.execute(unsaid)]


def recount_uses(tx: Connection, registry_id: RegistryId, blob_id: BlobId) -> None:
    """Whoever changes the links has the use's row, or waits for it: see catalog/blobs/commit.py."""
    key = and_(registry_blob.c.registry_id == registry_id, registry_blob.c.blob_id == blob_id)
    is_there = tx.execute(select(registry_blob.c.uses).where(key).with_for_update()).one_or_none() is not None
    counted = tx.execute(
        _COUNTED_USES.where(repository.c.registry_id == registry_id, repository_blob.c.blob_id == blob_id)
    ).scalar_one()
    if counted == 0:
        tx.execute(delete(registry_blob).where(key))
    elif is_there:
        tx.execute(update(registry_blob).where(key).values(uses=counted))
    else:
        tx.execute(insert(registry_blob).values(registry_id=registry_id, blob_id=blob_id, uses=counted))


_MANIFEST_BYTES: Final = (
    select(func.coalesce(func.sum(manifest.c.size), 0))
    .join_from(manifest, repository)
    .where(repository.c.registry_id == registry.c.id)
    .correlate(registry)
    .scalar_subquery()
)
_BLOB_BYTES: Final = (
    select(func.coalesce(func.sum(blob.c.size), 0))
    .join_from(registry_blob, blob)
    .where(registry_blob.c.registry_id == registry.c.id)
    .correlate(registry)
    .scalar_subquery()
)
_COUNTED_BYTES: Final = _MANIFEST_BYTES + _BLOB_BYTES


def wrong_usage(tx: Connection) -> list[WrongUsage]:
    rows = tx.execute(
        select(registry.c.id, registry.c.name, registry.c.bytes_used, _COUNTED_BYTES).where(
            registry.c.bytes_used != _COUNTED_BYTES
        )
    )
    return [WrongUsage(RegistryId(row[0]), row[1], int(row[2]), int(row[3])) for row in rows]


def recount_usage(tx: Connection, registry_id: RegistryId) -> None:
    """Every change of what is counted ends with a change of this row, so who changes it waits for us or is counted."""
    tx.execute(select(registry.c.id).where(registry.c.id == registry_id).with_for_update())
    tx.execute(update(registry).where(registry.c.id == registry_id).values(bytes_used=_COUNTED_BYTES))


_MANIFESTS: Final = (
    select(func.count())
    .where(manifest.c.repository_id == repository.c.id, manifest.c.deleted_at.is_(None))
    .correlate(repository)
    .scalar_subquery()
)
_TAGS: Final = (
    select(func.count()).where(tag.c.repository_id == repository.c.id).correlate(repository).scalar_subquery()
)


def wrong_counts(tx: Connection, window: Window) -> list[WrongCounts]:
    rows = tx.execute(
        select(
            repository.c.id,
            repository.c.name,
            repository.c.manifest_count,
            _MANIFESTS,
            repository.c.tag_count,
            _TAGS,
        ).where(
            repository.c.id > window.above,
            repository.c.id <= window.last,
            (repository.c.manifest_count != _MANIFESTS) | (repository.c.tag_count != _TAGS),
        )
    )
    return [WrongCounts(*row) for row in rows]


def recount(tx: Connection, repository_id: RepositoryId) -> None:
    """Its writers hold the repository's row."""
    tx.execute(select(repository.c.id).where(repository.c.id == repository_id).with_for_update())
    tx.execute(
        update(repository).where(repository.c.id == repository_id).values(manifest_count=_MANIFESTS, tag_count=_TAGS)
    )


# --- files ------------------------------------------------------------------------------------------------------------

_BLOCKS: Final = select(
    kept_block.c.session,
    kept_block.c.file_id,
    kept_block.c.digest,
    kept_block.c.length,
    kept_block.c.store,
    kept_block.c.key,
    kept_block.c.key_scope,
).where(kept_block.c.digest.is_not(None))


def next_blocks(tx: Connection, above: str, limit: int) -> list[CheckedBlock]:
    """Parts of files by their sessions, also of those that are not whole yet."""
    rows = tx.execute(_BLOCKS.where(kept_block.c.session > above).order_by(kept_block.c.session).limit(limit))
    return [_block(row) for row in rows]


def find_block(tx: Connection, session: str) -> CheckedBlock | None:
    row = tx.execute(_BLOCKS.where(kept_block.c.session == session)).one_or_none()
    return None if row is None else _block(row)


# Any: SQLAlchemy's columns know their types only in part; the row becomes a typed value at once.
def _block(row: Row[*tuple[Any, ...]]) -> CheckedBlock:
    pieces = () if row.key is None else (Piece(row.store, row.key, row.length, row.key_scope),)
    return CheckedBlock(row.session, row.file_id, row.digest, row.length, pieces)


# --- keys -------------------------------------------------------------------------------------------------------------


def doomed_keys(tx: Connection, limit: int) -> list[tuple[str, str]]:
    """Bytes of a blob or a file that are queued to be removed: store and key."""
    named = [
        exists().where(table.c.store == retired_key.c.store, table.c.key == retired_key.c.key)
        for table in (blob_location, kept_block)
    ]
    rows = tx.execute(select(retired_key.c.store, retired_key.c.key).where(or_(*named)).limit(limit))
    return [(row[0], row[1]) for row in rows]


def any_located(tx: Connection, store: str, keys: Sequence[str]) -> bool:
    named = [exists().where(table.c.store == store, table.c.key.in_(keys)) for table in (blob_location, kept_block)]
    return tx.execute(select(or_(*named))).scalar_one()
