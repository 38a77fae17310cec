"""The one function that commits a manifest (DESIGN D15). Push, import, cache fill, restore and tasks all go through it.

It checks what the core must know (locks, quota, what the manifest requires), writes the manifest, its references, tags,
usage, one event and one audit entry, and nothing else. All or nothing: when it raises the caller's transaction rolls
back.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.catalog import queries as shared
from entrepot.catalog import usage
from entrepot.catalog.blobs import queries as blob_queries
from entrepot.catalog.blobs.commit import adopt_blobs
from entrepot.catalog.locks import refuse_write
from entrepot.catalog.manifests import queries
from entrepot.catalog.manifests.queries import Ending
from entrepot.catalog.model import Push, RepositoryId
from entrepot.catalog.queries import LockedRepository
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Act, record_change
from entrepot.events.outbox import Action, Asked, Event, asked, record
from entrepot.oci.manifest import Manifest, Reference, ReferenceKind

DEPTH_LIMIT: Final = 8
# A push that was under way when its repository was deleted ends well: what it saw there is there for so long.
_UNDER_WAY: Final = timedelta(hours=1)
_MISSING_SHOWN: Final = 10
_SIZE_LIMIT: Final = 2**63 - 1


class Sparse(Enum):
    """Whether a manifest may lack blobs that it names. The specification leaves it to the registry."""

    REFUSED = auto()
    ACCEPTED = auto()


@dataclass(frozen=True, slots=True)
class _Measure:
    image_size: int
    depth: int


def commit_manifest(tx: Connection, push: Push, sparse: Sparse) -> None:
    """Commit the push: afterwards every tag of it names the manifest, and an event says so.

    Raises LOCKED, MANIFEST_BLOB_UNKNOWN, MANIFEST_INVALID, QUOTA_EXCEEDED.
    """
    repository = shared.advance(tx, push.place, push.change.now)
    refuse_write(push.place, repository)
    known = queries.find_manifest(tx, repository.id, str(push.digest))
    manifest_id = _add(tx, repository.id, push, sparse) if known is None else _again(tx, repository.id, push, known)
    tags_added = _tag(tx, repository.id, manifest_id, push)
    shared.count(tx, repository.id, manifests=int(known is None or known.is_deleted), tags=tags_added)
    record(tx, _event(push, repository))
    detail = {"mediaType": push.manifest.media_type, "size": len(push.manifest.body), "tags": push.tags}
    record_change(tx, push.change, Act.MANIFEST_PUSH, f"{push.place.repository}@{push.digest}", detail)


def _add(tx: Connection, repository_id: RepositoryId, push: Push, sparse: Sparse) -> int:
    _hold_blobs(tx, repository_id, push, sparse)
    measure = _measure(tx, repository_id, push.manifest)
    manifest_id = queries.insert_manifest(tx, repository_id, push, measure.image_size, measure.depth)
    queries.insert_references(tx, repository_id, manifest_id, push)
    if push.manifest.is_index:
        _deepen_parents(tx, repository_id, str(push.digest), measure.depth)
    usage.add(tx, push.place.registry, len(push.manifest.body), push.change.now)
    return manifest_id


def _again(tx: Connection, repository_id: RepositoryId, push: Push, known: queries.KnownManifest) -> int:
    if not known.write_enabled:
        raise Problem(Kind.LOCKED, digest=str(push.digest))
    if known.media_type != push.manifest.media_type:
        raise Problem(
            Kind.MANIFEST_INVALID,
            reason="the same bytes are here under another media type",
            media_type=known.media_type,
        )
    if known.is_deleted:
        queries.undelete(tx, known.id, push.change.now)
    # Blobs of a manifest that is here are never hidden; those of one that was deleted are.
    _hold_blobs(tx, repository_id, push, Sparse.ACCEPTED)
    return known.id


def _hold_blobs(tx: Connection, repository_id: RepositoryId, push: Push, sparse: Sparse) -> None:
    """Every blob that the manifest names is linked to the repository, and those that were hidden are there again."""
    # One digest may be named by several descriptors, and each of them has to be right.
    wanted: dict[str, list[Reference]] = {}
    for named in push.manifest.references:
        if named.kind is not ReferenceKind.CHILD:
            wanted.setdefault(str(named.digest), []).append(named)
    hidden: list[int] = []
    for batch in shared.batches(list(wanted)):
        linked = blob_queries.linked_blobs(tx, repository_id, batch)
        sizes = {digest: found.size for digest, found in linked.items()}
        if len(sizes) < len(batch):
            sizes |= _adopt(tx, repository_id, push, [digest for digest in batch if digest not in linked])
        if sparse is Sparse.REFUSED:
            _refuse_missing([named for digest in batch if digest not in sizes for named in wanted[digest]])
        for digest, size in sizes.items():
            _refuse_other_size(wanted[digest], size)
        hidden += [found.blob_id for found in linked.values() if found.is_hidden]
    if hidden:
        blob_queries.revive_links(tx, repository_id, hidden)


def _adopt(tx: Connection, repository_id: RepositoryId, push: Push, absent: list[str]) -> dict[str, int]:
    """Of these blobs those that a deleted repository left behind, with their sizes."""
    left = blob_queries.left_behind(tx, push.place, absent, push.change.now - _UNDER_WAY)
    adopt_blobs(tx, push.place, repository_id, left.values(), push.change.now)
    return {digest: known.size for digest, known in left.items()}


def _refuse_missing(absent: list[Reference]) -> None:
    missing = list(dict.fromkeys(str(named.digest) for named in absent if named.required))
    if missing:
        raise Problem(Kind.MANIFEST_BLOB_UNKNOWN, digest=", ".join(missing[:_MISSING_SHOWN]), missing=len(missing))


def _refuse_other_size(naming: list[Reference], size: int) -> None:
    for named in naming:
        if named.required and named.size != size:
            raise Problem(
                Kind.MANIFEST_INVALID,
                reason="a descriptor's size differs from its blob's",
                digest=str(named.digest),
                size=named.size,
                blob_size=size,
            )


def _measure(tx: Connection, repository_id: RepositoryId, manifest: Manifest) -> _Measure:
    """Size as ACR counts it: an image's parts; for an index the children that are here and its own bytes."""
    if not manifest.is_index:
        return _Measure(_bounded(sum(named.size for named in manifest.references)), 0)
    found: list[queries.Child] = []
    for batch in shared.batches([str(named.digest) for named in manifest.references]):
        found += queries.children(tx, repository_id, batch)
    depth = 1 + max((child.depth for child in found), default=0)
    if depth > DEPTH_LIMIT:
        raise Problem(Kind.MANIFEST_INVALID, reason="indexes are nested too deeply", limit=DEPTH_LIMIT)
    return _Measure(_bounded(len(manifest.body) + sum(child.image_size for child in found)), depth)


def _bounded(size: int) -> int:
    """Sizes of what was never pushed are the client's word, and may add up to more than a column holds."""
    return min(size, _SIZE_LIMIT)


def _deepen_parents(tx: Connection, repository_id: RepositoryId, digest: str, depth: int) -> None:
    """Indexes that came before this child are deeper than they seemed."""
    below = [digest]
    while below:
        depth += 1
        parents = queries.parents(tx, repository_id, below)
        if parents and depth > DEPTH_LIMIT:
            raise Problem(Kind.MANIFEST_INVALID, reason="indexes are nested too deeply", limit=DEPTH_LIMIT)
        shallow = [parent for parent in parents if parent.depth < depth]
        queries.deepen(tx, [parent.id for parent in shallow], depth)
        below = [parent.digest for parent in parents]


def _tag(tx: Connection, repository_id: RepositoryId, manifest_id: int, push: Push) -> int:
    """Let the push's tags name the manifest. Answers how many are new."""
    if not push.tags:
        return 0
    known = queries.tags_named(tx, repository_id, push.tags)
    for existing in known.values():
        if not existing.write_enabled:
            raise Problem(Kind.LOCKED, tag=existing.name)
    moved = [existing for existing in known.values() if existing.manifest_id != manifest_id]
    queries.record_history(tx, repository_id, moved, Ending(push.change.now, push.change.principal))
    queries.point_tags(tx, repository_id, manifest_id, push.tags, push)
    queries.mark_untagged(tx, [existing.manifest_id for existing in moved], push.change.now)
    return len(set(push.tags)) - len(known)


class _PushBody(msgspec.Struct, rename="camel"):
    digest: str
    media_type: str
    size: int
    tags: tuple[str, ...]
    subject: str | None
    artifact_type: str | None
    request: Asked | None


def _event(push: Push, repository: LockedRepository) -> Event:
    manifest = push.manifest
    subject = None if manifest.subject is None else str(manifest.subject)
    body = _PushBody(
        str(push.digest),
        manifest.media_type,
        len(manifest.body),
        push.tags,
        subject,
        manifest.artifact_type,
        asked(push.change.origin),
    )
    return Event(
        id=push.change.event_id,
        registry_id=push.place.registry,
        repository_id=repository.id,
        sequence=repository.sequence,
        action=Action.PUSH,
        at=push.change.now,
        principal=push.change.principal,
        body=msgspec.json.encode(body).decode(),
    )
