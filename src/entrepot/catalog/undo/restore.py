"""Restoring a manifest with a tag of its own, or a repository as it was.

A restored manifest is committed like a pushed one (DESIGN D15): what held when it was pushed holds again.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from entrepot.catalog import queries as shared
from entrepot.catalog import usage
from entrepot.catalog.blobs import queries as blob_queries
from entrepot.catalog.blobs.commit import adopt_blobs
from entrepot.catalog.locks import refuse_write
from entrepot.catalog.manifests.commit import Sparse, commit_manifest
from entrepot.catalog.manifests.queries import blobs_of
from entrepot.catalog.model import Change, Place, Push, RepositoryId
from entrepot.catalog.queries import HeldRepository
from entrepot.catalog.repositories import queries as repositories
from entrepot.catalog.repositories.delete import delete_repository
from entrepot.catalog.undo import queries
from entrepot.catalog.undo.model import Source, Taken, Wanted
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Act, record_change
from entrepot.events.outbox import Action, Asked, Event, asked, record
from entrepot.oci.manifest import Manifest, ReferenceKind, parse_manifest
from entrepot.oci.platform import Platform

_EVER: Final = datetime.min.replace(tzinfo=UTC)


def restore_manifest(tx: Connection, wanted: Wanted, change: Change, new_id: Callable[[], str]) -> None:
    """The manifest is there again with its tag, if one is named; of an index what it names, too.

    Raises MANIFEST_UNKNOWN for what was not deleted or is gone for good; RESTORE_BLOCKED while the tag names another
    manifest, or the subject is deleted itself; LOCKED, QUOTA_EXCEEDED.
    """
    place, digest = wanted.place, str(wanted.digest)
    repository = shared.hold_repository(tx, place, change.now)
    queries.hold(tx, repository.id)  # what is decided below holds until the end
    refuse_write(place, repository)
    source = queries.find_source(tx, place, digest)
    is_tagged = wanted.tag is not None and queries.was_tagged(tx, place, wanted.tag, digest)
    if source is None or (wanted.tag is not None and not is_tagged) or (wanted.tag is None and _is_there(source)):
        raise Problem(Kind.MANIFEST_UNKNOWN, reference=digest, reason="nothing of this kind was deleted and is kept")
    replaced = _refuse_taken(tx, wanted)
    _bring_back(tx, wanted, source, change, new_id)
    if wanted.tag is not None:
        queries.set_tag_deleted(tx, repository.id, (wanted.tag, digest), is_deleted=False)
        if replaced is not None and shared.keeps_deleted(tx, place.registry):
            queries.set_tag_deleted(tx, repository.id, (wanted.tag, replaced), is_deleted=True)
    record_change(tx, change, Act.MANIFEST_RESTORE, f"{place.repository}@{digest}", {"tag": wanted.tag})


def _is_there(source: Source) -> bool:
    return not source.is_deleted and not source.is_elsewhere


def _refuse_taken(tx: Connection, wanted: Wanted) -> str | None:
    """The digest that the tag names until now, if it is another."""
    target = None if wanted.tag is None else queries.tag_target(tx, wanted.place, wanted.tag)
    if target is None or target == str(wanted.digest):
        return None
    if wanted.taken is Taken.REFUSE:
        raise Problem(
            Kind.RESTORE_BLOCKED, tag=str(wanted.tag), reason=f"the tag names {target} by now: use force to replace it"
        )
    return target


def _bring_back(tx: Connection, wanted: Wanted, source: Source, change: Change, new_id: Callable[[], str]) -> None:
    parsed = parse_manifest(source.body, source.media_type)
    if not _is_there(source):
        _refuse_without_subject(tx, wanted.place, parsed)
        _bring_children(tx, wanted, parsed, change, new_id)
    push = Push(
        wanted.place,
        parsed,
        wanted.digest,
        () if wanted.tag is None else (wanted.tag,),
        Platform(source.architecture, source.os),
        change,
    )
    if source.is_elsewhere:
        _move(tx, push, source)
    else:
        commit_manifest(tx, push, Sparse.ACCEPTED)


def _refuse_without_subject(tx: Connection, place: Place, parsed: Manifest) -> None:
    """As ACR does: a referrer alone would be found by nobody. A subject that was never here is no hindrance."""
    if parsed.subject is None or queries.is_there(tx, place, str(parsed.subject)):
        return
    if queries.find_source(tx, place, str(parsed.subject)) is not None:
        reason = f"its subject {parsed.subject} is deleted: restore that first"
        raise Problem(Kind.RESTORE_BLOCKED, digest=str(parsed.subject), reason=reason)


def _bring_children(
    tx: Connection, wanted: Wanted, parsed: Manifest, change: Change, new_id: Callable[[], str]
) -> None:
    for child in (named.digest for named in parsed.references if named.kind is ReferenceKind.CHILD):
        source = queries.find_source(tx, wanted.place, str(child))
        if source is not None and not _is_there(source):
            alone = replace(wanted, digest=child, tag=None)
            _bring_back(tx, alone, source, replace(change, event_id=new_id()), new_id)


def _move(tx: Connection, push: Push, source: Source) -> None:
    """From a repository that was deleted as a whole into the one that has its name now."""
    place, now, digest = push.place, push.change.now, str(push.digest)
    target = shared.hold_repository(tx, place, now)
    queries.hold(tx, source.repository_id)
    blobs = [str(named.digest) for named in push.manifest.references if named.kind is not ReferenceKind.CHILD]
    for batch in shared.batches(blobs):
        adopt_blobs(tx, place, target.id, blob_queries.left_behind(tx, place, batch, _EVER).values(), now)
    kept = queries.kept_of(tx, source.id)
    queries.take_tags(tx, source, digest, target.id)
    blob_queries.queue_review(tx, source.repository_id, blobs_of(tx, [source.id]), now, "restored elsewhere")
    tags = repositories.delete_some(tx, [source.id])
    usage.free(tx, place.registry, source.size)
    shared.count(tx, source.repository_id, manifests=-int(not source.is_deleted), tags=-tags)
    if not repositories.holds_manifests(tx, source.repository_id):
        queries.let_go_of(tx, source.repository_id)
    commit_manifest(tx, push, Sparse.ACCEPTED)
    queries.set_kept(tx, target.id, digest, kept)


class _Body(msgspec.Struct, rename="camel"):
    manifest_count: int
    tag_count: int
    request: Asked | None


class Replaced(NamedTuple):
    """A repository that was deleted because another took its name, and the id of that event."""

    id: RepositoryId
    event_id: str


def restore_repository(
    tx: Connection, place: Place, taken: Taken, change: Change, new_id: Callable[[], str]
) -> Replaced | None:
    """The repository is there again as it was, with its attributes; answers what it replaced.

    Raises NAME_UNKNOWN when none of this name is kept; RESTORE_BLOCKED while another has its name, which ``taken``
    may replace: it is then deleted, and raises LOCKED if it has to stay.
    """
    current = shared.find_repository(tx, place)
    if current is not None:
        queries.hold(tx, current.id)
    kept = queries.hold_kept(tx, place)
    if kept is None:
        raise Problem(Kind.NAME_UNKNOWN, name=place.repository)
    replaced = None if current is None else _make_way(tx, place, current, taken, replace(change, event_id=new_id()))
    sequence = queries.show(tx, kept, change.now)
    counts = repositories.counts(tx, kept)
    body = _Body(counts.manifests, counts.tags, asked(change.origin))
    event = Event(
        id=change.event_id,
        registry_id=place.registry,
        repository_id=kept,
        sequence=sequence,
        action=Action.RESTORE,
        at=change.now,
        principal=change.principal,
        body=msgspec.json.encode(body).decode(),
    )
    record(tx, event)
    detail = {"manifests": counts.manifests, "tags": counts.tags}
    record_change(tx, change, Act.REPOSITORY_RESTORE, place.repository, detail)
    return replaced


def _make_way(tx: Connection, place: Place, current: HeldRepository, taken: Taken, change: Change) -> Replaced | None:
    """The repository that has the name by now lets go of it."""
    refuse_write(place, current)
    if repositories.counts(tx, current.id).manifests == 0:
        repositories.hide(tx, current.id, change.now, is_kept=queries.holds_deleted(tx, current.id))
        return None
    if taken is Taken.REFUSE:
        reason = "another repository has its name by now: use force to replace it, or restore manifests one by one"
        raise Problem(Kind.RESTORE_BLOCKED, name=place.repository, reason=reason)
    return Replaced(delete_repository(tx, place, change).id, change.event_id)
