"""Blobs come in and go: commit of uploaded bytes, mount from another repository, delete of a link.

Rows are locked in one order everywhere, so that pushes and garbage collection never lock each other out (PostgreSQL):
blob, review, link, use by the registry, the registry itself.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from entrepot.catalog import queries as shared
from entrepot.catalog import usage
from entrepot.catalog.blobs import queries
from entrepot.catalog.locks import refuse_write
from entrepot.catalog.model import BlobId, BlobLink, Change, Grace, KnownBlob, Place, RegistryId, RepositoryId
from entrepot.content.model import Piece
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Act, record_change
from entrepot.oci.digest import Digest

# A blob can be collected between two statements of ours, hardly twice.
_TRIES: Final = 3


def commit_blob(tx: Connection, place: Place, digest: Digest, pieces: Sequence[Piece], grace: Grace) -> None:
    """Record bytes that are durable under these pieces and link them to the repository.

    When the digest is here already the first copy stays and these pieces are retired; a corrupt copy is replaced.
    Raises LOCKED, QUOTA_EXCEEDED.
    """
    size = sum(piece.length for piece in pieces)
    repository_id = _hold_repository(tx, place, grace.now)
    blob_id = _hold_bytes(tx, digest, pieces, grace.now)
    queries.queue_review(tx, repository_id, [blob_id], grace.until, "uploaded")
    _link(tx, place.registry, repository_id, KnownBlob(blob_id, size), grace.now)


def _hold_repository(tx: Connection, place: Place, now: datetime) -> RepositoryId:
    repository = shared.hold_repository(tx, place, now)
    refuse_write(place, repository)
    return repository.id


def _hold_bytes(tx: Connection, digest: Digest, pieces: Sequence[Piece], now: datetime) -> BlobId:
    """The digest's row, made of these pieces or there before; nobody can delete it until the transaction ends."""
    size = sum(piece.length for piece in pieces)
    for _ in range(_TRIES):
        blob_id = queries.insert_blob(tx, str(digest), size, now)
        if blob_id is not None:
            queries.insert_pieces(tx, blob_id, pieces)
            return blob_id
        found = queries.find_blob(tx, str(digest))
        if found is not None:  # None: collected between the insert and the look-up (PostgreSQL)
            return _settle_with_first_copy(tx, found, pieces, now)
    raise Problem(Kind.CATALOG_UNAVAILABLE, reason="the blob was being collected; push it again")


def _settle_with_first_copy(
    tx: Connection, found: tuple[BlobId, int, bool], pieces: Sequence[Piece], now: datetime
) -> BlobId:
    blob_id, _, is_corrupt = found
    if not is_corrupt:
        queries.retire(tx, pieces, now)
        return blob_id
    queries.retire(tx, queries.take_pieces(tx, [blob_id]), now)
    queries.insert_pieces(tx, blob_id, pieces)
    queries.mark_sound(tx, blob_id)
    return blob_id


def mount_blob(tx: Connection, source: Place, target: Place, digest: Digest, grace: Grace) -> bool:
    """Link a blob of the source to the target. False when the source has no such blob to give.

    The caller has shown that the principal may read the source. Raises LOCKED, QUOTA_EXCEEDED.
    """
    found = queries.mountable(tx, source, str(digest))
    if found is None:
        return False
    repository_id = _hold_repository(tx, target, grace.now)
    queries.queue_review(tx, repository_id, [found.id], grace.until, "mounted")
    _link(tx, target.registry, repository_id, found, grace.now)
    return True


def _link(tx: Connection, registry: RegistryId, repository_id: RepositoryId, found: KnownBlob, now: datetime) -> None:
    if queries.link(tx, repository_id, found.id, now) and queries.use_in_registry(tx, registry, found.id):
        usage.add(tx, registry, found.size, now)


def adopt_blobs(
    tx: Connection, place: Place, repository_id: RepositoryId, found: Iterable[KnownBlob], now: datetime
) -> None:
    """Link blobs that a deleted repository of the same name links, for a manifest that names them: so no review.

    Raises QUOTA_EXCEEDED.
    """
    for known in found:
        _link(tx, place.registry, repository_id, known, now)


def delete_blob(tx: Connection, place: Place, digest: Digest, change: Change) -> None:
    """Remove the repository's link; the bytes go later, when no repository links them.

    Raises BLOB_UNKNOWN, LOCKED, and IN_USE while a manifest of the repository names the blob.
    """
    repository = shared.find_repository(tx, place)
    linked = None if repository is None else queries.linked_blobs(tx, repository.id, [str(digest)]).get(str(digest))
    if repository is None or linked is None or linked.is_hidden:
        raise Problem(Kind.BLOB_UNKNOWN, digest=str(digest))
    refuse_write(place, repository)
    if queries.is_needed(tx, repository.id, str(digest)):
        raise Problem(
            Kind.IN_USE, digest=str(digest), reason="a manifest of this repository needs it: delete that first"
        )
    queries.queue_review(tx, repository.id, [linked.blob_id], change.now, "deleted")
    unlink_blobs(tx, [BlobLink(place.registry, repository.id, BlobId(linked.blob_id), linked.size)])
    record_change(tx, change, Act.BLOB_DELETE, f"{place.repository}@{digest}", {"size": linked.size})


def unlink_blobs(tx: Connection, links: Sequence[BlobLink]) -> None:
    """Remove links that nothing needs, and free a blob's bytes in a registry's usage with its last one there."""
    gone = queries.unlink(tx, links)
    last = queries.drop_in_registries(tx, Counter((link.registry, link.blob) for link in gone))
    sizes = {(link.registry, link.blob): link.size for link in gone}
    freed: Counter[RegistryId] = Counter()
    for registry, blob in last:
        freed[registry] += sizes[registry, blob]
    for registry in sorted(freed):
        usage.free(tx, registry, freed[registry])
