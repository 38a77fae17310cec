"""SQL of manifests, their references, and tags."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, bindparam, case, delete, exists, func, insert, select, update

from entrepot.catalog.model import Push, RepositoryId, StoredManifest
from entrepot.db.prepared import Prepared
from entrepot.db.statements import upsert
from entrepot.db.tables import blob, manifest, manifest_reference, repository, repository_blob, tag, tag_history
from entrepot.oci.reference import Tag

_STORED: Final = (manifest.c.id, manifest.c.digest, manifest.c.media_type, manifest.c.body)

# The two hottest statements of the registry: run as driver SQL (db/hot.py), one look-up each.
MANIFEST_BY_TAG: Final = Prepared(
    select(*_STORED, manifest.c.read_enabled & tag.c.read_enabled & repository.c.read_enabled)
    .select_from(repository)
    .join(tag, tag.c.repository_id == repository.c.id)
    .join(manifest, manifest.c.id == tag.c.manifest_id)
    .where(
        repository.c.registry_id == bindparam("registry"),
        repository.c.name == bindparam("repository"),
        tag.c.name == bindparam("reference"),
        manifest.c.deleted_at.is_(None),
    )
)
MANIFEST_BY_DIGEST: Final = Prepared(
    select(*_STORED, manifest.c.read_enabled & repository.c.read_enabled)
    .select_from(repository)
    .join(manifest, manifest.c.repository_id == repository.c.id)
    .where(
        repository.c.registry_id == bindparam("registry"),
        repository.c.name == bindparam("repository"),
        manifest.c.digest == bindparam("reference"),
        manifest.c.deleted_at.is_(None),
    )
)


_FIND: Final = Prepared(
    select(
        manifest.c.id,
        manifest.c.media_type,
        manifest.c.size,
        manifest.c.write_enabled,
        manifest.c.delete_enabled,
        manifest.c.deleted_at.is_not(None),
    ).where(manifest.c.repository_id == bindparam("repository"), manifest.c.digest == bindparam("digest"))
)
_INSERT: Final = Prepared(
    insert(manifest)
    .values(
        repository_id=bindparam("repository"),
        digest=bindparam("digest"),
        media_type=bindparam("media_type"),
        size=bindparam("size"),
        image_size=bindparam("image_size"),
        depth=bindparam("depth"),
        subject=bindparam("subject"),
        artifact_type=bindparam("artifact_type"),
        config_media_type=bindparam("config_media_type"),
        architecture=bindparam("architecture"),
        os=bindparam("os"),
        pushed_at=bindparam("now"),
        updated_at=bindparam("now"),
        pushed_by=bindparam("principal"),
        untagged_since=bindparam("untagged_since"),
        annotations=bindparam("annotations"),
        body=bindparam("body"),
    )
    .returning(manifest.c.id)
)
_INSERT_REFERENCE: Final = Prepared(
    insert(manifest_reference).values(
        manifest_id=bindparam("manifest"),
        position=bindparam("position"),
        repository_id=bindparam("repository"),
        kind=bindparam("kind"),
        digest=bindparam("digest"),
        size=bindparam("size"),
        media_type=bindparam("media_type"),
    )
)
# Since when a tag names what it names.
_SINCE: Final = func.coalesce(tag.c.moved_at, tag.c.created_at)
_KNOWN_TAGS: Final = select(
    tag.c.name,
    tag.c.manifest_id,
    manifest.c.digest,
    tag.c.updated_at,
    tag.c.write_enabled,
    tag.c.delete_enabled,
    _SINCE,
    tag.c.updated_by,
).join_from(tag, manifest, tag.c.manifest_id == manifest.c.id)
_TAGS_NAMED: Final = _KNOWN_TAGS.where(
    tag.c.repository_id == bindparam("repository"), tag.c.name.in_(bindparam("names", expanding=True))
)
_NEW_TAG: Final = upsert(tag).values(
    repository_id=bindparam("repository"),
    name=bindparam("name"),
    manifest_id=bindparam("manifest"),
    created_at=bindparam("now"),
    updated_at=bindparam("now"),
    updated_by=bindparam("principal"),
)
# A push to where it points already moves neither.
_IS_THERE: Final = tag.c.manifest_id == _NEW_TAG.excluded.manifest_id
_POINT_TAG: Final = Prepared(
    _NEW_TAG.on_conflict_do_update(
        index_elements=["repository_id", "name"],
        set_={
            "manifest_id": _NEW_TAG.excluded.manifest_id,
            "updated_at": _NEW_TAG.excluded.updated_at,
            "moved_at": case((_IS_THERE, tag.c.moved_at), else_=_NEW_TAG.excluded.updated_at),
            "updated_by": case((_IS_THERE, tag.c.updated_by), else_=_NEW_TAG.excluded.updated_by),
        },
    )
)
_MARK_TAGGED: Final = Prepared(
    update(manifest)
    .where(manifest.c.id == bindparam("manifest"))
    .values(untagged_since=None, updated_at=bindparam("now"))
)


class KnownManifest(NamedTuple):
    """A manifest's row as far as a write must know it."""

    id: int
    media_type: str
    size: int
    write_enabled: bool
    delete_enabled: bool
    is_deleted: bool


class KnownTag(NamedTuple):
    """A tag's row as far as a write must know it. ``since``, ``set_by``: when and by whom it got its digest."""

    name: Tag
    manifest_id: int
    digest: str
    updated_at: datetime
    write_enabled: bool
    delete_enabled: bool
    since: datetime
    set_by: str


class Child(NamedTuple):
    """What an index asks of a child that is here."""

    image_size: int
    depth: int


def find_manifest(tx: Connection, repository_id: RepositoryId, digest: str) -> KnownManifest | None:
    row = _FIND.first(tx, repository=repository_id, digest=digest)
    return None if row is None else KnownManifest(*row)


def insert_manifest(tx: Connection, repository_id: RepositoryId, push: Push, image_size: int, depth: int) -> int:
    parsed = push.manifest
    (row,) = _INSERT.rows(
        tx,
        repository=repository_id,
        digest=str(push.digest),
        media_type=parsed.media_type,
        size=len(parsed.body),
        image_size=image_size,
        depth=depth,
        subject=None if parsed.subject is None else str(parsed.subject),
        artifact_type=parsed.artifact_type,
        config_media_type=parsed.config_media_type,
        architecture=push.platform.architecture,
        os=push.platform.os,
        now=push.change.now,
        principal=push.change.principal,
        untagged_since=None if push.tags else push.change.now,
        annotations=msgspec.json.encode(parsed.annotations).decode() if parsed.annotations else None,
        body=parsed.body,
    )
    return row[0]


def insert_references(tx: Connection, repository_id: RepositoryId, manifest_id: int, push: Push) -> None:
    _INSERT_REFERENCE.each(
        tx,
        (
            {
                "manifest": manifest_id,
                "position": position,
                "repository": repository_id,
                "kind": named.kind.value,
                "digest": str(named.digest),
                "size": named.size,
                "media_type": named.media_type,
            }
            for position, named in enumerate(push.manifest.references)
        ),
    )


def children(tx: Connection, repository_id: RepositoryId, digests: Sequence[str]) -> list[Child]:
    """Of these the manifests that the repository holds."""
    rows = tx.execute(
        select(manifest.c.image_size, manifest.c.depth).where(
            manifest.c.repository_id == repository_id, manifest.c.digest.in_(digests), manifest.c.deleted_at.is_(None)
        )
    )
    return [Child(*row) for row in rows]


class Parent(NamedTuple):
    """An index that names a child."""

    id: int
    digest: str
    depth: int


def parents(tx: Connection, repository_id: RepositoryId, digests: Sequence[str]) -> list[Parent]:
    """The indexes of the repository that name one of these as a child."""
    named_by = select(manifest_reference.c.manifest_id).where(
        manifest_reference.c.repository_id == repository_id,
        manifest_reference.c.digest.in_(digests),
        manifest_reference.c.kind == "child",
    )
    rows = tx.execute(select(manifest.c.id, manifest.c.digest, manifest.c.depth).where(manifest.c.id.in_(named_by)))
    return [Parent(*row) for row in rows]


def deepen(tx: Connection, manifests: Sequence[int], depth: int) -> None:
    if manifests:
        tx.execute(update(manifest).where(manifest.c.id.in_(manifests)).values(depth=depth))


def mark_deleted(tx: Connection, manifest_id: int, now: datetime) -> None:
    """It is there for nobody any more, and can be restored."""
    tx.execute(update(manifest).where(manifest.c.id == manifest_id).values(deleted_at=now))


def undelete(tx: Connection, manifest_id: int, now: datetime) -> None:
    """It is there again, without a tag as yet."""
    tx.execute(update(manifest).where(manifest.c.id == manifest_id).values(deleted_at=None, untagged_since=now))


def tags_named(tx: Connection, repository_id: RepositoryId, names: Sequence[Tag]) -> dict[str, KnownTag]:
    """Of these names the tags that exist."""
    rows = tx.execute(_TAGS_NAMED, {"repository": repository_id, "names": list(names)})
    return {row[0]: KnownTag(*row) for row in rows}


def tags_of(tx: Connection, manifest_id: int) -> list[KnownTag]:
    return [KnownTag(*row) for row in tx.execute(_KNOWN_TAGS.where(tag.c.manifest_id == manifest_id))]


def point_tags(tx: Connection, repository_id: RepositoryId, manifest_id: int, names: Sequence[Tag], push: Push) -> None:
    """Let the tags name the manifest, whether they exist or not."""
    now, principal = push.change.now, push.change.principal
    for name in names:
        _POINT_TAG.run(tx, repository=repository_id, name=name, manifest=manifest_id, now=now, principal=principal)
    _MARK_TAGGED.run(tx, manifest=manifest_id, now=now)


class Ending(NamedTuple):
    """When a tag stopped naming what it named, by whom, and whether it was deleted and can be restored."""

    at: datetime
    principal: str
    is_deleted: bool = False


def record_history(tx: Connection, repository_id: RepositoryId, ended: Iterable[KnownTag], ending: Ending) -> None:
    """What these tags pointed to until now."""
    rows = [
        {
            "repository_id": repository_id,
            "name": known.name,
            "digest": known.digest,
            "since": known.since,
            "until": ending.at,
            "set_by": known.set_by,
            "ended_by": ending.principal,
            "is_deleted": ending.is_deleted,
        }
        for known in ended
    ]
    if rows:
        tx.execute(insert(tag_history), rows)


def mark_untagged(tx: Connection, manifests: Sequence[int], now: datetime) -> None:
    """Note since when those of these manifests have no tag that have none."""
    if manifests:
        tagged = exists().where(tag.c.manifest_id == manifest.c.id)
        tx.execute(update(manifest).where(manifest.c.id.in_(manifests), ~tagged).values(untagged_since=now))


def mark_unheld(tx: Connection, repository_id: RepositoryId, manifest_id: int, now: datetime) -> None:
    """What this manifest held, which is being deleted, has had no tag since now: the children of an index, its own
    referrers.
    """
    gone = select(manifest.c.digest).where(manifest.c.id == manifest_id).scalar_subquery()
    children = select(manifest_reference.c.digest).where(
        manifest_reference.c.manifest_id == manifest_id, manifest_reference.c.kind == "child"
    )
    for held in (manifest.c.digest.in_(children), manifest.c.subject == gone):
        untagged = (manifest.c.repository_id == repository_id, manifest.c.untagged_since.is_not(None))
        tx.execute(update(manifest).where(*untagged, held).values(untagged_since=now))


def delete_tags(tx: Connection, repository_id: RepositoryId, names: Sequence[Tag]) -> None:
    tx.execute(delete(tag).where(tag.c.repository_id == repository_id, tag.c.name.in_(names)))


def blobs_of(tx: Connection, manifests: Sequence[int]) -> list[int]:
    """Ids of the blobs that they name and their repositories link: while they are here nobody can delete those."""
    rows = tx.execute(
        select(blob.c.id)
        .join_from(manifest_reference, blob, blob.c.digest == manifest_reference.c.digest)
        .join(
            repository_blob,
            and_(
                repository_blob.c.repository_id == manifest_reference.c.repository_id,
                repository_blob.c.blob_id == blob.c.id,
            ),
        )
        .where(manifest_reference.c.manifest_id.in_(manifests))
        .distinct()
    )
    return list(rows.scalars())


def delete_manifest(tx: Connection, manifest_id: int) -> None:
    tx.execute(delete(manifest_reference).where(manifest_reference.c.manifest_id == manifest_id))
    tx.execute(delete(manifest).where(manifest.c.id == manifest_id))


def note_pulls(tx: Connection, pulls: dict[int, datetime]) -> None:
    """Later times only: workers flush in any order."""
    tx.execute(
        update(manifest)
        .where(
            manifest.c.id == bindparam("pulled"),
            and_(
                manifest.c.last_pulled_at.is_(None)
                | (manifest.c.last_pulled_at < bindparam("at", type_=manifest.c.last_pulled_at.type))
            ),
        )
        .values(last_pulled_at=bindparam("at", type_=manifest.c.last_pulled_at.type)),
        [{"pulled": manifest_id, "at": at} for manifest_id, at in sorted(pulls.items())],
    )


def stored_manifest(row: Sequence[Any]) -> StoredManifest:
    """A row of MANIFEST_BY_TAG or MANIFEST_BY_DIGEST, as the driver gives it."""
    manifest_id, digest, media_type, body = row[:4]
    return StoredManifest(manifest_id, digest, media_type, bytes(body))
