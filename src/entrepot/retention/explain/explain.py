"""Why a blob or a manifest is kept, as the chain that holds it, or at which step of collection it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from entrepot.oci.digest import Digest
from entrepot.retention.explain import queries
from entrepot.retention.explain.queries import SHOWN, FoundBlob, FoundLink, FoundManifest
from entrepot.retention.model import Waits

# Indexes are nested no deeper than the catalog accepts.
_DEPTH: Final = 8
_TAGS_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for, when, and how long collection lets things be."""

    digest: Digest
    repository: str | None
    now: datetime
    waits: Waits


def explain(tx: Connection, asked: Question) -> list[str]:
    """Lines for a person. A digest can be a blob's and a manifest's; one that is neither has a line, too."""
    lines = [_manifest(tx, found) for found in queries.manifests_with(tx, asked.digest, asked.repository)]
    blob = queries.find_blob(tx, asked.digest)
    if blob is not None:
        lines += _blob(tx, blob, asked)
    lines += _retired(tx, asked)
    return lines or [f"{asked.digest}: unknown{f' in {asked.repository}' if asked.repository else ''}"]


# --- manifests --------------------------------------------------------------------------------------------------------


def _manifest(tx: Connection, found: FoundManifest) -> str:
    where = f"{found.registry}/{found.repository}: manifest"
    if found.deleted_at is not None and not found.is_kept:
        return f"{where} goes: its repository was deleted at {_at(found.deleted_at)}"
    if found.deleted_at is not None:
        until = found.deleted_at + timedelta(days=found.days)
        return f"{where} kept: deleted at {_at(found.deleted_at)}, can be restored until {_at(until)}"
    chain = _chain(tx, found)
    if chain is None:
        return f"{where} kept: no tag leads to it, but a manifest goes only when it is deleted"
    return f"{where} kept: {chain}"


def _chain(tx: Connection, found: FoundManifest) -> str | None:
    """How a tag leads to the manifest, directly or through indexes; None when none does."""
    seen = {found.id}
    level = [(found, f" -> manifest {found.digest}")]
    for _ in range(_DEPTH + 1):
        above: list[tuple[FoundManifest, str]] = []
        for reached, path in level:
            tags = queries.tags_of(tx, reached.id)
            if tags:
                return f"{_tags(tags)}{path}"
            indexes = queries.indexes_of(tx, reached.repository_id, reached.digest)
            above += [(index, f" -> index {index.digest}{path}") for index in indexes if index.id not in seen]
            seen.update(index.id for index in indexes)
        level = above[:SHOWN]
    return None


def _tags(tags: Sequence[str]) -> str:
    left = len(tags) - _TAGS_SHOWN
    more = "" if left <= 0 else " and more" if len(tags) == SHOWN else f" and {left} more"
    return f"tag {', '.join(tags[:_TAGS_SHOWN])}{more}"


# --- blobs ------------------------------------------------------------------------------------------------------------


def _blob(tx: Connection, blob: FoundBlob, asked: Question) -> Iterator[str]:
    if blob.corrupt_since is not None:
        yield f"corrupt since {_at(blob.corrupt_since)}: unknown to clients until the digest is pushed again"
    links = queries.links_of(tx, blob.id, asked.repository)
    for link in links:
        yield f"{link.registry}/{link.repository}: blob of {blob.size} bytes {_link(tx, link, asked)}"
    if len(links) == SHOWN:
        yield f"more repositories link it; these are the first {SHOWN}: ask for one by --repository"
    if not queries.is_linked(tx, blob.id):
        due = queries.first_review(tx, blob.id)
        yield f"blob of {blob.size} bytes that no repository links: {_leaves(due, asked)}"


def _link(tx: Connection, link: FoundLink, asked: Question) -> str:
    named = queries.naming(tx, link.repository_id, str(asked.digest))
    if named:
        return f"kept: {_named(tx, named)}"
    if link.condemned_at is not None:
        gone = max(link.condemned_at + asked.waits.condemned, asked.now)
        return f"condemned at {_at(link.condemned_at)}; unlinked from {_at(gone)} on unless a manifest names it"
    if link.review_due is None:
        return "needed by no manifest, and no review is queued: `entrepot check --repair` queues one"
    condemned = max(link.review_due, link.linked_at + asked.waits.unlinked, asked.now)
    gone = condemned + asked.waits.condemned
    return f"needed by no manifest; condemned from {_at(condemned)} on, unlinked from {_at(gone)} on"


def _named(tx: Connection, named: Sequence[FoundManifest]) -> str:
    """One chain that holds it, and how many manifests do."""
    chains = ((found, _chain(tx, found)) for found in named)
    found, chain = next(((found, chain) for found, chain in chains if chain is not None), (named[0], None))
    path = chain or f"{'deleted' if found.deleted_at else 'untagged'} manifest {found.digest}"
    number = f"{SHOWN} or more" if len(named) == SHOWN else str(len(named))
    more = f" (one of {number} manifests that name it)" if len(named) > 1 else ""
    return f"{path} -> {found.uses_as}{more}"


def _leaves(due: datetime | None, asked: Question) -> str:
    if due is None:
        return "no review is queued: `entrepot check --repair` removes it"
    leaves = max(due, asked.now)
    return f"leaves the catalog from {_at(leaves)} on, its bytes go from {_at(leaves + asked.waits.retired)} on"


def _retired(tx: Connection, asked: Question) -> Iterator[str]:
    held = queries.held_until(tx, asked.now)
    for retired in queries.retired_of(tx, asked.digest):
        due = max(retired.due_at, asked.now) if held is None else max(retired.due_at, held[1])
        reason = "" if held is None else f" ({held[0]} holds them)"
        yield f"bytes that no repository reaches: removed from {retired.store} from {_at(due)} on{reason}"


def _at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
