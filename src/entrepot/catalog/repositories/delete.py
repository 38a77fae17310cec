"""Deleting a repository: gone for everybody in one short transaction, whatever it holds; emptied bit by bit afterwards.

Its row is hidden under a name that nobody can ask for, with everything in it. A push to the old name begins a new one,
which has nothing of it: neither attributes nor history.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.catalog import queries as shared
from entrepot.catalog import usage
from entrepot.catalog.blobs import queries as blob_queries
from entrepot.catalog.locks import refuse_repository_delete
from entrepot.catalog.manifests.queries import blobs_of
from entrepot.catalog.model import Change, Place, RegistryId, RepositoryId
from entrepot.catalog.repositories import queries
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Act, record_change
from entrepot.events.outbox import Action, Asked, Event, asked, record

# Digests and tags that an answer tells.
TOLD: Final = 1000
# Manifests of one event, for which each webhook gets as many deliveries.
_OF_EVENT: Final = 100


@dataclass(frozen=True, slots=True)
class DeletedRepository:
    """What went with a repository. ``digests`` and ``tags``: the first of them, in order."""

    id: RepositoryId
    digests: tuple[str, ...]
    tags: tuple[str, ...]
    manifest_count: int
    tag_count: int


class _Body(msgspec.Struct, rename="camel"):
    manifest_count: int
    tag_count: int
    request: Asked | None


def delete_repository(tx: Connection, place: Place, change: Change) -> DeletedRepository:
    """With all that it holds, or not at all. ``tell_some`` and ``empty_some`` do the rest.

    Raises NAME_UNKNOWN, and LOCKED when the repository, a tag or a manifest has to stay.
    """
    repository = shared.advance_known(tx, place, change.now)
    counts = None if repository is None else queries.counts(tx, repository.id)
    if repository is None or counts is None or counts.manifests == 0:
        raise Problem(Kind.NAME_UNKNOWN, name=place.repository)
    refuse_repository_delete(place, repository)
    _refuse_locked(tx, repository.id)
    gone = DeletedRepository(
        repository.id,
        queries.first_digests(tx, repository.id, TOLD),
        queries.first_tags(tx, repository.id, TOLD),
        counts.manifests,
        counts.tags,
    )
    queries.hide(tx, repository.id, change.now, is_kept=shared.keeps_deleted(tx, place.registry))
    body = _Body(counts.manifests, counts.tags, asked(change.origin))
    event = Event(
        id=change.event_id,
        registry_id=place.registry,
        repository_id=repository.id,
        sequence=repository.sequence,
        action=Action.DELETE_REPOSITORY,
        at=change.now,
        principal=change.principal,
        body=msgspec.json.encode(body).decode(),
    )
    record(tx, event)
    detail = {"manifests": counts.manifests, "tags": counts.tags}
    record_change(tx, change, Act.REPOSITORY_DELETE, place.repository, detail)
    return gone


def _refuse_locked(tx: Connection, repository_id: RepositoryId) -> None:
    """Whoever sets a lock holds the repository's row, as we do."""
    tag = queries.locked_tag(tx, repository_id)
    if tag is not None:
        raise Problem(Kind.LOCKED, tag=tag)
    digest = queries.locked_manifest(tx, repository_id)
    if digest is not None:
        raise Problem(Kind.LOCKED, digest=digest)


class _ToldBody(msgspec.Struct):
    manifests: list["_ToldManifest"]
    request: Asked | None


class _ToldManifest(msgspec.Struct, rename="camel"):
    digest: str
    media_type: str
    size: int
    tags: tuple[str, ...]


def tell_some(tx: Connection, repository: RepositoryId, cause: str, after: str, event_id: str) -> str | None:
    """One event of the next manifests that went with a repository; the last digest in it, or None when all are told.

    ``cause``: the id of the deletion's own event. Nothing more is told of a repository that was restored meanwhile.
    """
    deletion = queries.cause_of(tx, cause)
    gone = queries.manifests_after(tx, repository, after, _OF_EVENT)
    sequence = queries.advance_hidden(tx, repository, deletion.at) if deletion and gone else None
    if deletion is None or sequence is None:
        return None
    tags: defaultdict[int, list[str]] = defaultdict(list)
    for manifest_id, name in queries.tags_of(tx, [known.id for known in gone]):
        tags[manifest_id].append(name)
    told = [_ToldManifest(known.digest, known.media_type, known.size, tuple(tags[known.id])) for known in gone]
    event = Event(
        id=event_id,
        registry_id=deletion.registry_id,
        repository_id=repository,
        sequence=sequence,
        action=Action.DELETE_MANIFESTS,
        at=deletion.at,
        principal=deletion.principal,
        body=msgspec.json.encode(_ToldBody(told, _request_of(deletion.body))).decode(),
    )
    record(tx, event)
    return gone[-1].digest


class _Requested(msgspec.Struct):
    request: Asked | None = None


def _request_of(body: str) -> Asked | None:
    return msgspec.json.decode(body, type=_Requested).request


def empty_some(tx: Connection, registry: RegistryId, repository: RepositoryId, limit: int, now: datetime) -> int:
    """Delete some manifests of a repository that nobody can see any more, whatever locks them; how many.

    No event tells of it: others did when the repository was hidden.
    """
    going = queries.some_manifests(tx, repository, limit)
    if not going:
        shared.empty(tx, repository)
        return 0
    ids = [known.id for known in going]
    blob_queries.queue_review(tx, repository, blobs_of(tx, ids), now, "repository deleted")
    tags = queries.delete_some(tx, ids)
    usage.free(tx, registry, sum(known.size for known in going))
    shared.count(tx, repository, manifests=-sum(not known.was_deleted for known in going), tags=-tags)
    return len(going)
