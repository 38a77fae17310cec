"""SQL of explanations. Every list is bounded: an explanation is for a person."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, func, select

from entrepot.db.tables import (
    blob,
    blob_review,
    collection_hold,
    manifest,
    manifest_reference,
    registry,
    repository,
    repository_blob,
    retired_key,
    tag,
)
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import ReferenceKind

SHOWN: Final = 20


class FoundBlob(NamedTuple):
    """A blob's row."""

    id: int
    size: int
    corrupt_since: datetime | None


class FoundLink(NamedTuple):
    """A repository's link to a blob, and when its review is due."""

    repository_id: int
    registry: str
    repository: str
    linked_at: datetime
    condemned_at: datetime | None
    review_due: datetime | None


class FoundManifest(NamedTuple):
    """A manifest, and how it uses what was asked for, if it does."""

    id: int
    repository_id: int
    registry: str
    repository: str
    digest: str
    deleted_at: datetime | None
    """When it, or its repository, was deleted."""
    is_kept: bool
    """Whether what was deleted can be restored, for so many ``days`` from then."""
    days: int
    uses_as: str | None = None


class Retired(NamedTuple):
    """Bytes that wait to be removed."""

    store: str
    key: str
    due_at: datetime


def find_blob(tx: Connection, digest: Digest) -> FoundBlob | None:
    row = tx.execute(
        select(blob.c.id, blob.c.size, blob.c.corrupt_since).where(blob.c.digest == str(digest))
    ).one_or_none()
    return None if row is None else FoundBlob(*row)


def links_of(tx: Connection, blob_id: int, repository_name: str | None) -> Sequence[FoundLink]:
    statement = (
        select(
            repository.c.id,
            registry.c.name,
            _NAME,
            repository_blob.c.linked_at,
            repository_blob.c.condemned_at,
            blob_review.c.due_at,
        )
        .join_from(repository_blob, repository, repository.c.id == repository_blob.c.repository_id)
        .join(registry, registry.c.id == repository.c.registry_id)
        .outerjoin(
            blob_review,
            and_(
                blob_review.c.repository_id == repository_blob.c.repository_id,
                blob_review.c.blob_id == repository_blob.c.blob_id,
            ),
        )
        .where(repository_blob.c.blob_id == blob_id)
        .order_by(registry.c.name, repository.c.name)
        .limit(SHOWN)
    )
    if repository_name is not None:
        statement = statement.where(_NAME.in_((repository_name,)))
    return [FoundLink(*row) for row in tx.execute(statement)]


def is_linked(tx: Connection, blob_id: int) -> bool:
    return tx.execute(select(exists().where(repository_blob.c.blob_id == blob_id))).scalar_one()


def first_review(tx: Connection, blob_id: int) -> datetime | None:
    return tx.execute(
        select(blob_review.c.due_at).where(blob_review.c.blob_id == blob_id).order_by(blob_review.c.due_at).limit(1)
    ).scalar_one_or_none()


_NAME: Final[ColumnElement[str]] = func.coalesce(repository.c.deleted_name, repository.c.name)
_MANIFEST: Final = (
    manifest.c.id,
    manifest.c.repository_id,
    registry.c.name,
    _NAME,
    manifest.c.digest,
    func.coalesce(manifest.c.deleted_at, repository.c.deleted_at),
    repository.c.deleted_at.is_(None) | repository.c.is_kept,
    registry.c.soft_delete_days,
)


def manifests_with(tx: Connection, digest: Digest, repository_name: str | None) -> Sequence[FoundManifest]:
    """The manifest of this digest, in each repository that has it."""
    statement = (
        select(*_MANIFEST)
        .join_from(manifest, repository, repository.c.id == manifest.c.repository_id)
        .join(registry, registry.c.id == repository.c.registry_id)
        .where(manifest.c.digest == str(digest))
        .order_by(registry.c.name, repository.c.name)
        .limit(SHOWN)
    )
    if repository_name is not None:
        statement = statement.where(_NAME.in_((repository_name,)))
    return [FoundManifest(*row) for row in tx.execute(statement)]


_NAMING: Final = (
    select(*_MANIFEST, manifest_reference.c.kind)
    .join_from(manifest_reference, manifest)
    .join(repository, repository.c.id == manifest.c.repository_id)
    .join(registry, registry.c.id == repository.c.registry_id)
    .where(
        manifest_reference.c.repository_id == bindparam("repository"),
        manifest_reference.c.digest == bindparam("digest"),
    )
    .order_by(manifest.c.id)
    .limit(SHOWN)
)
_INDEXES: Final = _NAMING.where(manifest_reference.c.kind == ReferenceKind.CHILD)


def naming(tx: Connection, repository_id: int, digest: str) -> Sequence[FoundManifest]:
    """Manifests of the repository that name the digest."""
    rows = tx.execute(_NAMING, {"repository": repository_id, "digest": digest})
    return [FoundManifest(*row) for row in rows]


def indexes_of(tx: Connection, repository_id: int, digest: str) -> Sequence[FoundManifest]:
    """Indexes of the repository that name the manifest as a child."""
    rows = tx.execute(_INDEXES, {"repository": repository_id, "digest": digest})
    return [FoundManifest(*row) for row in rows]


def tags_of(tx: Connection, manifest_id: int) -> Sequence[str]:
    return list(
        tx.execute(
            select(tag.c.name).where(tag.c.manifest_id == manifest_id).order_by(tag.c.name).limit(SHOWN)
        ).scalars()
    )


def retired_of(tx: Connection, digest: Digest) -> Sequence[Retired]:
    """A folder's files of this digest that wait to be removed; the keys of an object store do not tell theirs."""
    prefix = f"blobs/{digest.algorithm}/{digest.encoded[:2]}/{digest.encoded}."
    rows = tx.execute(
        select(retired_key.c.store, retired_key.c.key, retired_key.c.due_at)
        .where(retired_key.c.key.startswith(prefix))
        .limit(SHOWN)
    )
    return [Retired(*row) for row in rows]


def held_until(tx: Connection, now: datetime) -> tuple[str, datetime] | None:
    """Why and until when nothing is removed from the store."""
    row = tx.execute(
        select(collection_hold.c.reason, collection_hold.c.until)
        .where(collection_hold.c.until > now)
        .order_by(collection_hold.c.until.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row[0], row[1])
