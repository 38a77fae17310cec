"""SQL of properties. A page is one index range in each order; its cost does not grow with depth or with the list."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVarTuple

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, Table, bindparam, or_, select, update

from entrepot.catalog.model import Place, RepositoryId
from entrepot.catalog.properties.model import (
    After,
    Attributes,
    ManifestProperties,
    Order,
    RepositoryProperties,
    TagProperties,
)
from entrepot.db.tables import manifest, repository, tag

_Row = TypeVarTuple("_Row")

_BEGINNING: Final = {
    Order.NAME: None,
    Order.OLDEST_FIRST: datetime.min.replace(tzinfo=UTC),
    Order.NEWEST_FIRST: datetime.max.replace(tzinfo=UTC),
}


def _locks(table: Table) -> tuple[ColumnElement[bool], ...]:
    """In the order of Attributes."""
    return table.c.delete_enabled, table.c.write_enabled, table.c.read_enabled, table.c.list_enabled


def _ordered(rows: Select[*_Row], table: Table, name: ColumnElement[str], order: Order) -> Select[*_Row]:
    """The rows that may be listed, in this order, after a position."""
    after, updated = name > bindparam("last"), table.c.updated_at
    at: ColumnElement[datetime] = bindparam("at", type_=updated.type)
    listed = rows.where(table.c.list_enabled).limit(bindparam("limit"))
    match order:
        case Order.NAME:
            return listed.where(after).order_by(name)
        case Order.OLDEST_FIRST:
            return listed.where(updated >= at, or_(updated > at, after)).order_by(updated, name)
        case Order.NEWEST_FIRST:
            return listed.where(updated <= at, or_(updated < at, after)).order_by(updated.desc(), name)


_IN_REPOSITORY: Final[BindParameter[int]] = bindparam("repository")
_TAGS: Final = (
    select(tag.c.name, manifest.c.digest, tag.c.created_at, tag.c.updated_at, *_locks(tag))
    .join_from(tag, manifest, manifest.c.id == tag.c.manifest_id)
    .where(manifest.c.deleted_at.is_(None))
)
_TAG: Final = _TAGS.where(tag.c.repository_id == _IN_REPOSITORY, tag.c.name == bindparam("name"))
TAG_PAGES: Final = {
    order: _ordered(_TAGS.where(tag.c.repository_id == _IN_REPOSITORY), tag, tag.c.name, order) for order in Order
}
# By the manifest's id alone, so that no database walks the repository's tags for the few of one manifest.
_TAGS_OF_DIGEST: Final = _TAGS.where(
    tag.c.manifest_id
    == select(manifest.c.id)
    .where(manifest.c.repository_id == _IN_REPOSITORY, manifest.c.digest == bindparam("digest"))
    .scalar_subquery()
)
TAG_PAGES_OF_DIGEST: Final = {order: _ordered(_TAGS_OF_DIGEST, tag, tag.c.name, order) for order in Order}
_MANIFESTS: Final = select(
    manifest.c.id,
    manifest.c.digest,
    manifest.c.media_type,
    manifest.c.image_size,
    manifest.c.pushed_at,
    manifest.c.updated_at,
    manifest.c.last_pulled_at,
    manifest.c.architecture,
    manifest.c.os,
    manifest.c.config_media_type,
    manifest.c.artifact_type,
    manifest.c.subject,
    *_locks(manifest),
).where(manifest.c.repository_id == _IN_REPOSITORY, manifest.c.deleted_at.is_(None))
_MANIFEST: Final = _MANIFESTS.where(manifest.c.digest == bindparam("digest"))
MANIFEST_PAGES: Final = {order: _ordered(_MANIFESTS, manifest, manifest.c.digest, order) for order in Order}


def find_repository(tx: Connection, place: Place) -> tuple[RepositoryId, RepositoryProperties] | None:
    """A repository that holds at least one manifest."""
    row = tx.execute(
        select(
            repository.c.id,
            repository.c.created_at,
            repository.c.updated_at,
            repository.c.manifest_count,
            repository.c.tag_count,
            *_locks(repository),
        ).where(
            repository.c.registry_id == place.registry,
            repository.c.name == place.repository,
            repository.c.manifest_count > 0,
        )
    ).one_or_none()
    return None if row is None else _repository(row)


def find_tag(tx: Connection, repository_id: RepositoryId, name: str) -> TagProperties | None:
    row = tx.execute(_TAG, {"repository": repository_id, "name": name}).one_or_none()
    return None if row is None else _tag(row)


def find_manifest(tx: Connection, repository_id: RepositoryId, digest: str) -> ManifestProperties | None:
    """Without its tags and its body."""
    row = tx.execute(_MANIFEST, {"repository": repository_id, "digest": digest}).one_or_none()
    return None if row is None else _manifest(row)


def tags(
    tx: Connection, repository_id: RepositoryId, after: After, limit: int, digest: str | None
) -> list[TagProperties]:
    """Of the manifest with this digest, or of all."""
    values = {"repository": repository_id, **_position(after), "limit": limit}
    if digest is None:
        rows = tx.execute(TAG_PAGES[after.order], values)
    else:
        rows = tx.execute(TAG_PAGES_OF_DIGEST[after.order], {**values, "digest": digest})
    return [_tag(row) for row in rows]


def manifests(tx: Connection, repository_id: RepositoryId, after: After, limit: int) -> list[ManifestProperties]:
    """Without their tags and bodies."""
    rows = tx.execute(MANIFEST_PAGES[after.order], {"repository": repository_id, **_position(after), "limit": limit})
    return [_manifest(row) for row in rows]


def _position(after: After) -> dict[str, object]:
    at = _BEGINNING[after.order] if after.at is None else after.at
    return {"last": after.last} if after.order is Order.NAME else {"last": after.last, "at": at}


def tag_updated_at(tx: Connection, repository_id: RepositoryId, name: str) -> datetime | None:
    return tx.execute(
        select(tag.c.updated_at).where(tag.c.repository_id == repository_id, tag.c.name == name)
    ).scalar_one_or_none()


def manifest_updated_at(tx: Connection, repository_id: RepositoryId, digest: str) -> datetime | None:
    return tx.execute(
        select(manifest.c.updated_at).where(manifest.c.repository_id == repository_id, manifest.c.digest == digest)
    ).scalar_one_or_none()


def tags_of(tx: Connection, manifests: Sequence[int]) -> list[tuple[int, str]]:
    """The manifests' ids with the names of their tags that may be listed, in order of name."""
    rows = tx.execute(select(tag.c.manifest_id, tag.c.name).where(tag.c.manifest_id.in_(manifests), tag.c.list_enabled))
    return sorted(((row[0], row[1]) for row in rows), key=lambda found: found[1])


def body_of(tx: Connection, manifest_id: int) -> bytes | None:
    return tx.execute(select(manifest.c.body).where(manifest.c.id == manifest_id)).scalar_one_or_none()


def set_repository(tx: Connection, repository_id: RepositoryId, values: dict[str, bool]) -> None:
    tx.execute(update(repository).where(repository.c.id == repository_id).values(**values))


def set_tag(tx: Connection, repository_id: RepositoryId, name: str, values: dict[str, bool]) -> None:
    tx.execute(update(tag).where(tag.c.repository_id == repository_id, tag.c.name == name).values(**values))


def set_manifest(tx: Connection, repository_id: RepositoryId, digest: str, values: dict[str, bool]) -> None:
    tx.execute(
        update(manifest).where(manifest.c.repository_id == repository_id, manifest.c.digest == digest).values(**values)
    )


def _repository(row: Sequence[Any]) -> tuple[RepositoryId, RepositoryProperties]:
    return RepositoryId(row[0]), RepositoryProperties(Attributes(*row[-4:]), *row[1:-4])


def _tag(row: Sequence[Any]) -> TagProperties:
    return TagProperties(Attributes(*row[-4:]), *row[:-4])


def _manifest(row: Sequence[Any]) -> ManifestProperties:
    return ManifestProperties(Attributes(*row[-4:]), *row[:-4])
