"""SQL of blobs: the bytes' rows, their links to repositories, their use by registries."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, case, delete, exists, insert, select, tuple_, update

from entrepot.catalog.model import BlobId, BlobLink, KnownBlob, Place, RegistryId, RepositoryId, StoredBlob
from entrepot.content.model import Piece
from entrepot.db.prepared import Prepared
from entrepot.db.statements import Insert, upsert
from entrepot.db.tables import (
    HIDDEN,
    blob,
    blob_location,
    blob_review,
    manifest,
    manifest_reference,
    registry_blob,
    repository,
    repository_blob,
    retired_key,
)

# One row for each piece; a blob of no bytes has one row without a piece.
BLOB_OF_REPOSITORY: Final = Prepared(
    select(
        blob.c.digest,
        blob.c.size,
        repository_blob.c.condemned_at,
        repository.c.read_enabled,
        blob_location.c.store,
        blob_location.c.key,
        blob_location.c.length,
        blob_location.c.key_scope,
    )
    .select_from(repository)
    .join(repository_blob, repository_blob.c.repository_id == repository.c.id)
    .join(blob, blob.c.id == repository_blob.c.blob_id)
    .outerjoin(blob_location, blob_location.c.blob_id == blob.c.id)
    .where(
        repository.c.registry_id == bindparam("registry"),
        repository.c.name == bindparam("repository"),
        blob.c.digest == bindparam("digest"),
        blob.c.corrupt_since.is_(None),
        repository_blob.c.deleted_at.is_(None),
    )
    .order_by(blob_location.c.position)
)

_NAMED_BY: Final = manifest_reference.alias()
_LINKED: Final = (
    select(
        blob.c.digest,
        blob.c.id,
        blob.c.size,
        repository_blob.c.condemned_at.is_not(None) | repository_blob.c.deleted_at.is_not(None),
    )
    .join_from(repository_blob, blob)
    .where(
        repository_blob.c.repository_id == bindparam("repository"),
        blob.c.digest.in_(bindparam("digests", expanding=True)),
        blob.c.corrupt_since.is_(None),
    )
    .with_for_update(of=repository_blob)
)
_INSERT_BLOB: Final = Prepared(
    upsert(blob)
    .values(digest=bindparam("digest"), size=bindparam("size"), created_at=bindparam("now"))
    .on_conflict_do_nothing(index_elements=["digest"])
    .returning(blob.c.id)
)
_INSERT_PIECE: Final = Prepared(
    insert(blob_location).values(
        blob_id=bindparam("blob"),
        position=bindparam("position"),
        store=bindparam("store"),
        key=bindparam("key"),
        length=bindparam("length"),
        key_scope=bindparam("key_scope"),
    )
)
_LINK: Final = Prepared(
    upsert(repository_blob)
    .values(repository_id=bindparam("repository"), blob_id=bindparam("blob"), linked_at=bindparam("now"))
    .on_conflict_do_nothing(index_elements=["repository_id", "blob_id"])
    .returning(repository_blob.c.blob_id)
)
_USE: Final = Prepared(
    upsert(registry_blob)
    .values(registry_id=bindparam("registry"), blob_id=bindparam("blob"), uses=1)
    .on_conflict_do_update(index_elements=["registry_id", "blob_id"], set_={"uses": registry_blob.c.uses + 1})
    .returning(registry_blob.c.uses)
)


_OTHERS: Final = (
    select(manifest.c.id)
    .join_from(manifest_reference, manifest)
    .where(manifest_reference.c.repository_id == bindparam("repository"), manifest_reference.c.digest == blob.c.digest)
)
_HIDE: Final = Prepared(
    update(repository_blob)
    .where(
        repository_blob.c.repository_id == bindparam("repository"),
        repository_blob.c.deleted_at.is_(None),
        repository_blob.c.blob_id.in_(
            select(blob.c.id)
            .join_from(_NAMED_BY, blob, blob.c.digest == _NAMED_BY.c.digest)
            .where(
                _NAMED_BY.c.manifest_id == bindparam("manifest"),
                # In this order: of a blob that thousands name the first live one is enough.
                ~_OTHERS.where(manifest.c.deleted_at.is_(None), manifest.c.id != bindparam("manifest"))
                .correlate(blob)
                .exists(),
                _OTHERS.where(manifest.c.deleted_at.is_not(None)).correlate(blob).exists(),
            )
        ),
    )
    .values(deleted_at=bindparam("now"))
)


def _review(offered: Insert) -> Insert:
    """The later date wins for a link that is queued already."""
    due_at = case((blob_review.c.due_at > offered.excluded.due_at, blob_review.c.due_at), else_=offered.excluded.due_at)
    return offered.on_conflict_do_update(
        index_elements=["repository_id", "blob_id"], set_={"due_at": due_at, "reason": offered.excluded.reason}
    )


_QUEUE_REVIEW: Final = Prepared(
    _review(
        upsert(blob_review).values(
            repository_id=bindparam("repository"),
            blob_id=bindparam("blob"),
            due_at=bindparam("due_at"),
            reason=bindparam("reason"),
        )
    )
)
_QUEUE_ALL_REVIEWS: Final = _review(
    upsert(blob_review).from_select(
        ["repository_id", "blob_id", "due_at", "reason"],
        select(
            repository_blob.c.repository_id,
            repository_blob.c.blob_id,
            bindparam("due_at", type_=blob_review.c.due_at.type),
            bindparam("reason", type_=blob_review.c.reason.type),
        )
        .where(repository_blob.c.repository_id == bindparam("repository"))
        .order_by(repository_blob.c.blob_id),
    )
)


def stored_blob(rows: Sequence[Sequence[Any]]) -> StoredBlob | None:
    """The rows of BLOB_OF_REPOSITORY as one value."""
    if not rows:
        return None
    pieces = tuple(Piece(*row[4:]) for row in rows if row[5] is not None)
    return StoredBlob(rows[0][0], rows[0][1], pieces)


def is_corrupt(tx: Connection, place: Place, digest: str) -> bool:
    """Whether the repository links the blob, and its bytes are known to be missing or wrong."""
    return tx.execute(
        select(
            exists()
            .where(repository.c.registry_id == place.registry, repository.c.name == place.repository)
            .where(repository_blob.c.repository_id == repository.c.id, repository_blob.c.blob_id == blob.c.id)
            .where(blob.c.digest == digest, blob.c.corrupt_since.is_not(None))
        )
    ).scalar_one()


class LinkedBlob(NamedTuple):
    """What a manifest's commit asks of a blob in its repository.

    ``is_hidden``: condemned, or kept for deleted manifests alone; not there for who asks, until a manifest names it.
    """

    digest: str
    blob_id: int
    size: int
    is_hidden: bool


def linked_blobs(tx: Connection, repository_id: RepositoryId, digests: Iterable[str]) -> dict[str, LinkedBlob]:
    """Of these digests the ones that the repository links and that are not corrupt."""
    rows = tx.execute(_LINKED, {"repository": repository_id, "digests": list(digests)})
    return {row[0]: LinkedBlob(*row) for row in rows}


def revive_links(tx: Connection, repository_id: RepositoryId, blobs: Sequence[int]) -> None:
    """A manifest names hidden blobs: they stay, and are there again."""
    tx.execute(
        update(repository_blob)
        .where(repository_blob.c.repository_id == repository_id, repository_blob.c.blob_id.in_(blobs))
        .values(condemned_at=None, deleted_at=None)
    )


def hide_links(tx: Connection, repository_id: RepositoryId, manifest_id: int, now: datetime) -> None:
    """Of the blobs that the manifest names, which is deleted or just being, keep those for nobody to see that only
    manifests need which were deleted and can be restored.
    """
    _HIDE.run(tx, repository=repository_id, manifest=manifest_id, now=now)


def link_again(tx: Connection, repository_id: RepositoryId, blobs: Sequence[int], now: datetime) -> None:
    """As if they had come in now: their time to be named by a manifest begins anew."""
    tx.execute(
        update(repository_blob)
        .where(repository_blob.c.repository_id == repository_id, repository_blob.c.blob_id.in_(blobs))
        .values(linked_at=now, condemned_at=None)
    )


def find_blob(tx: Connection, digest: str) -> tuple[BlobId, int, bool] | None:
    """Id, size and whether it is corrupt, of a blob anywhere; held until the transaction ends."""
    row = tx.execute(
        select(blob.c.id, blob.c.size, blob.c.corrupt_since.is_not(None))
        .where(blob.c.digest == digest)
        .with_for_update()
    ).one_or_none()
    return None if row is None else (BlobId(row[0]), row[1], row[2])


def insert_blob(tx: Connection, digest: str, size: int, now: datetime) -> BlobId | None:
    """None when the digest has a row already."""
    row = _INSERT_BLOB.first(tx, digest=digest, size=size, now=now)
    return None if row is None else BlobId(row[0])


def insert_pieces(tx: Connection, blob_id: BlobId, pieces: Sequence[Piece]) -> None:
    _INSERT_PIECE.each(
        tx,
        (
            {
                "blob": blob_id,
                "position": position,
                "store": piece.store,
                "key": piece.key,
                "length": piece.length,
                "key_scope": piece.key_scope,
            }
            for position, piece in enumerate(pieces)
        ),
    )


def take_pieces(tx: Connection, blobs: Sequence[BlobId]) -> list[Piece]:
    """Remove the blobs' places from the catalog and answer them."""
    rows = tx.execute(
        delete(blob_location)
        .where(blob_location.c.blob_id.in_(blobs))
        .returning(blob_location.c.store, blob_location.c.key, blob_location.c.length, blob_location.c.key_scope)
    )
    return [Piece(*row) for row in rows]


def mark_sound(tx: Connection, blob_id: BlobId) -> None:
    tx.execute(update(blob).where(blob.c.id == blob_id).values(corrupt_since=None))


def delete_blobs(tx: Connection, blobs: Sequence[BlobId]) -> None:
    """Blobs that no repository links; reviews of them go too."""
    tx.execute(delete(blob).where(blob.c.id.in_(blobs)))


def retire(tx: Connection, pieces: Sequence[Piece], due_at: datetime) -> None:
    """Bytes that nothing in the catalog names any more: to be unlinked when due."""
    if pieces:
        tx.execute(
            upsert(retired_key).on_conflict_do_nothing(),
            [{"store": piece.store, "key": piece.key, "length": piece.length, "due_at": due_at} for piece in pieces],
        )


def link(tx: Connection, repository_id: RepositoryId, blob_id: BlobId, now: datetime) -> bool:
    """Link the blob to the repository, reviving a condemned link. True when there was none."""
    inserted = _LINK.first(tx, repository=repository_id, blob=blob_id, now=now)
    if inserted is None:
        revive_links(tx, repository_id, [blob_id])
    return inserted is not None


def unlink(tx: Connection, links: Sequence[BlobLink]) -> list[BlobLink]:
    """Remove these links; answers those that were there."""
    pairs = [(link.repository, link.blob) for link in links]
    key = tuple_(repository_blob.c.repository_id, repository_blob.c.blob_id)
    rows = tx.execute(
        delete(repository_blob)
        .where(key.in_(pairs))
        .returning(repository_blob.c.repository_id, repository_blob.c.blob_id)
    )
    gone = {(row[0], row[1]) for row in rows}
    return [link for link in links if (link.repository, link.blob) in gone]


def is_needed(tx: Connection, repository_id: RepositoryId, digest: str) -> bool:
    """Whether a manifest of the repository names the digest."""
    return tx.execute(
        select(
            exists().where(manifest_reference.c.repository_id == repository_id, manifest_reference.c.digest == digest)
        )
    ).scalar_one()


def use_in_registry(tx: Connection, registry_id: RegistryId, blob_id: BlobId) -> bool:
    """Count one more repository of the registry. True when it is the first."""
    (row,) = _USE.rows(tx, registry=registry_id, blob=blob_id)
    return row[0] == 1


def drop_in_registries(
    tx: Connection, dropped: Mapping[tuple[RegistryId, BlobId], int]
) -> list[tuple[RegistryId, BlobId]]:
    """Count so many repositories less for each; answers those whose last one it was."""
    key = tuple_(registry_blob.c.registry_id, registry_blob.c.blob_id)
    # In order: two that drop the same uses then wait for each other, and never both.
    tx.execute(
        select(registry_blob.c.uses)
        .where(key.in_(list(dropped)))
        .order_by(registry_blob.c.registry_id, registry_blob.c.blob_id)
        .with_for_update()
    )
    for less in set(dropped.values()):
        chosen = [used for used, count in dropped.items() if count == less]
        tx.execute(update(registry_blob).where(key.in_(chosen)).values(uses=registry_blob.c.uses - less))
    rows = tx.execute(
        delete(registry_blob)
        .where(key.in_(list(dropped)), registry_blob.c.uses == 0)
        .returning(registry_blob.c.registry_id, registry_blob.c.blob_id)
    )
    return [(RegistryId(row[0]), BlobId(row[1])) for row in rows]


def queue_review(
    tx: Connection, repository_id: RepositoryId, blobs: Sequence[int], due_at: datetime, reason: str
) -> None:
    """Have garbage collection look at these links when due; the later date wins for one that is queued already."""
    _QUEUE_REVIEW.each(
        tx,
        (
            {"repository": repository_id, "blob": blob_id, "due_at": due_at, "reason": reason}
            for blob_id in sorted(set(blobs))
        ),
    )


def queue_all_reviews(tx: Connection, repository_id: RepositoryId, due_at: datetime, reason: str) -> None:
    """The same for every link of the repository."""
    tx.execute(_QUEUE_ALL_REVIEWS, {"repository": repository_id, "due_at": due_at, "reason": reason})


def repositories_with(tx: Connection, registry_id: RegistryId, digest: str, limit: int) -> list[str]:
    """Names of repositories of the registry that link the digest and may be a mount's source."""
    return list(
        tx.execute(
            select(repository.c.name)
            .join_from(blob, repository_blob)
            .join(repository, repository.c.id == repository_blob.c.repository_id)
            .where(
                blob.c.digest == digest,
                blob.c.corrupt_since.is_(None),
                repository_blob.c.condemned_at.is_(None),
                repository_blob.c.deleted_at.is_(None),
                repository.c.registry_id == registry_id,
                repository.c.name < HIDDEN,
                repository.c.read_enabled,
            )
            .limit(limit)
        ).scalars()
    )


def mountable(tx: Connection, source: Place, digest: str) -> KnownBlob | None:
    """A blob of a source that may be read, neither condemned nor corrupt; its link is held."""
    row = tx.execute(
        select(blob.c.id, blob.c.size)
        .join_from(repository, repository_blob)
        .join(blob)
        .where(
            repository.c.registry_id == source.registry,
            repository.c.name == source.repository,
            repository.c.read_enabled,
            blob.c.digest == digest,
            blob.c.corrupt_since.is_(None),
            repository_blob.c.condemned_at.is_(None),
            repository_blob.c.deleted_at.is_(None),
        )
        .with_for_update(of=repository_blob)
    ).one_or_none()
    return None if row is None else KnownBlob(BlobId(row[0]), row[1])


def left_behind(tx: Connection, place: Place, digests: Sequence[str], since: datetime) -> dict[str, KnownBlob]:
    """Of these the blobs that repositories of this name link which were deleted since then; their links are held."""
    rows = tx.execute(
        select(blob.c.digest, blob.c.id, blob.c.size)
        .join_from(repository, repository_blob)
        .join(blob)
        .where(
            repository.c.registry_id == place.registry,
            repository.c.deleted_name == place.repository,
            repository.c.deleted_at >= since,
            blob.c.digest.in_(digests),
            blob.c.corrupt_since.is_(None),
        )
        .with_for_update(of=repository_blob)
    )
    return {row[0]: KnownBlob(BlobId(row[1]), row[2]) for row in rows}


def blobs_with_digests(tx: Connection, digests: Sequence[str]) -> list[int]:
    return list(tx.execute(select(blob.c.id).where(blob.c.digest.in_(digests))).scalars())
