"""Deleting a tag (the manifest stays pullable by digest), and a manifest (with all its tags)."""

import msgspec
from sqlalchemy import Connection

from entrepot.catalog import queries as shared
from entrepot.catalog import usage
from entrepot.catalog.blobs import queries as blob_queries
from entrepot.catalog.locks import is_deletable, refuse_tag_deletes, refuse_write
from entrepot.catalog.manifests import queries
from entrepot.catalog.manifests.queries import Ending
from entrepot.catalog.model import Change, Place
from entrepot.catalog.queries import LockedRepository
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Act, record_change
from entrepot.events.outbox import Action, Asked, Event, asked, record
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag


class _DeleteBody(msgspec.Struct, rename="camel"):
    digest: str
    media_type: str | None
    size: int | None
    tags: tuple[str, ...]
    request: Asked | None


def delete_tag(tx: Connection, place: Place, name: Tag, change: Change) -> None:
    """Raises TAG_UNKNOWN, LOCKED."""
    repository = shared.advance_known(tx, place, change.now)
    found = None if repository is None else queries.tags_named(tx, repository.id, [name]).get(name)
    if repository is None or found is None:
        raise Problem(Kind.TAG_UNKNOWN, tag=name)
    refuse_write(place, repository)
    refuse_tag_deletes([found])
    is_kept = shared.keeps_deleted(tx, place.registry)
    _drop_tags(tx, repository, [found], Ending(change.now, change.principal, is_kept))
    queries.mark_untagged(tx, [found.manifest_id], change.now)
    shared.count(tx, repository.id, manifests=0, tags=-1)
    body = _DeleteBody(found.digest, None, None, (name,), asked(change.origin))
    record(tx, _event(place, repository, Action.UNTAG, body, change))
    record_change(tx, change, Act.TAG_DELETE, f"{place.repository}:{name}", {"digest": found.digest})


def delete_manifest(tx: Connection, place: Place, digest: Digest, change: Change) -> None:
    """With its tags. Where soft delete is on it is kept to be restored, and is there for nobody; else its blobs go to
    review. Raises MANIFEST_UNKNOWN, LOCKED.
    """
    repository = shared.advance_known(tx, place, change.now)
    found = None if repository is None else queries.find_manifest(tx, repository.id, str(digest))
    if repository is None or found is None or found.is_deleted:
        raise Problem(Kind.MANIFEST_UNKNOWN, reference=str(digest))
    tags = queries.tags_of(tx, found.id)
    refuse_write(place, repository)
    if not is_deletable(found):
        raise Problem(Kind.LOCKED, digest=str(digest))
    refuse_tag_deletes(tags)
    is_kept = shared.keeps_deleted(tx, place.registry)
    _drop_tags(tx, repository, tags, Ending(change.now, change.principal, is_kept))
    queries.mark_unheld(tx, repository.id, found.id, change.now)
    if is_kept:
        queries.mark_deleted(tx, found.id, change.now)
    blob_queries.hide_links(tx, repository.id, found.id, change.now)
    if not is_kept:
        blob_queries.queue_review(tx, repository.id, queries.blobs_of(tx, [found.id]), change.now, "manifest deleted")
        queries.delete_manifest(tx, found.id)
        usage.free(tx, place.registry, found.size)
    shared.count(tx, repository.id, manifests=-1, tags=-len(tags))
    names = tuple(known.name for known in tags)
    body = _DeleteBody(str(digest), found.media_type, found.size, names, asked(change.origin))
    record(tx, _event(place, repository, Action.DELETE, body, change))
    record_change(tx, change, Act.MANIFEST_DELETE, f"{place.repository}@{digest}", {"tags": body.tags})


def _drop_tags(tx: Connection, repository: LockedRepository, tags: list[queries.KnownTag], ending: Ending) -> None:
    queries.record_history(tx, repository.id, tags, ending)
    queries.delete_tags(tx, repository.id, [known.name for known in tags])


def _event(place: Place, repository: LockedRepository, action: Action, body: msgspec.Struct, change: Change) -> Event:
    return Event(
        id=change.event_id,
        registry_id=place.registry,
        repository_id=repository.id,
        sequence=repository.sequence,
        action=action,
        at=change.now,
        principal=change.principal,
        body=msgspec.json.encode(body).decode(),
    )
