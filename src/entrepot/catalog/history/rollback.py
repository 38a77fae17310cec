"""Back to what a tag pointed to before: a push of a manifest that is here already, through the one commit function.

So locks hold as for any push, and whoever hears of pushes hears of it.
"""

from sqlalchemy import Connection

from entrepot.catalog import queries as shared
from entrepot.catalog.history import queries
from entrepot.catalog.manifests.commit import Sparse, commit_manifest
from entrepot.catalog.model import Change, Place, Push, RepositoryId
from entrepot.catalog.properties.look import properties_of_tag
from entrepot.catalog.properties.model import TagProperties
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Act, record_change
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import parse_manifest
from entrepot.oci.platform import Platform
from entrepot.oci.reference import Tag


def roll_back(tx: Connection, place: Place, name: Tag, digest: Digest, change: Change) -> TagProperties:
    """Let the tag, which may be gone, point to what it pointed to once; the tag as it is afterwards.

    Nothing happens when it points there already. Raises NAME_UNKNOWN, LOCKED, and MANIFEST_UNKNOWN with the reason: the
    tag never pointed there, or the manifest was deleted.
    """
    held = shared.freeze(tx, place)
    if held is None:
        raise Problem(Kind.NAME_UNKNOWN, name=place.repository)
    repository_id = held.id
    now = queries.present(tx, repository_id, name)
    if now is None or now.digest != str(digest):
        kept = _kept(tx, repository_id, name, digest)
        manifest = parse_manifest(kept.body, kept.media_type)
        push = Push(place, manifest, digest, (name,), Platform(kept.architecture, kept.os), change)
        commit_manifest(tx, push, Sparse.ACCEPTED)
        told = {"before": None if now is None else now.digest, "after": str(digest)}
        record_change(tx, change, Act.TAG_ROLLBACK, f"{place.repository}:{name}", told)
    return properties_of_tag(tx, place, name)


def _kept(tx: Connection, repository_id: RepositoryId, name: Tag, digest: Digest) -> queries.Kept:
    if not queries.was_named(tx, repository_id, name, str(digest)):
        raise _unknown(name, digest, reason="the tag never pointed to this digest, as far back as its history goes")
    found = queries.kept(tx, repository_id, str(digest))
    if found is not None and found.deleted_at is None:
        return found
    at = queries.deletion_of(tx, repository_id, str(digest)) if found is None else found.deleted_at
    when = "its time is not known any more" if at is None else at.strftime("at %Y-%m-%dT%H:%M:%S.%fZ")
    raise _unknown(name, digest, reason=f"the manifest was deleted ({when}): restore or push it, then roll back")


def _unknown(name: Tag, digest: Digest, reason: str) -> Problem:
    return Problem(Kind.MANIFEST_UNKNOWN, tag=name, reference=str(digest), reason=reason)
