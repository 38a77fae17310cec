"""Properties of one repository, tag or manifest, and pages of them. Nothing here tells content."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import Connection

from entrepot.catalog.model import Place, RepositoryId
from entrepot.catalog.properties import queries
from entrepot.catalog.properties.model import (
    After,
    ManifestProperties,
    Order,
    PropertiesPage,
    RepositoryProperties,
    TagProperties,
)
from entrepot.errors import Kind, Problem
from entrepot.oci.digest import Digest
from entrepot.oci.media_type import INDEXES
from entrepot.oci.reference import Tag

T = TypeVar("T")


def properties_of_repository(tx: Connection, place: Place) -> RepositoryProperties:
    """Raises NAME_UNKNOWN for a repository that holds nothing."""
    return _held(tx, place)[1]


def properties_of_tag(tx: Connection, place: Place, name: Tag) -> TagProperties:
    """Raises NAME_UNKNOWN, TAG_UNKNOWN."""
    found = queries.find_tag(tx, _held(tx, place)[0], name)
    if found is None:
        raise Problem(Kind.TAG_UNKNOWN, tag=name)
    return found


def properties_of_manifest(tx: Connection, place: Place, digest: Digest) -> ManifestProperties:
    """With its tags, and an index with its body. Raises NAME_UNKNOWN, MANIFEST_UNKNOWN."""
    found = queries.find_manifest(tx, _held(tx, place)[0], str(digest))
    if found is None:
        raise Problem(Kind.MANIFEST_UNKNOWN, name=place.repository, reference=str(digest))
    body = queries.body_of(tx, found.id) if found.media_type in INDEXES else None
    return _with_tags(tx, [found])[0]._replace(body=body)


def page_of_tags(
    tx: Connection, place: Place, after: After, size: int, digest: Digest | None
) -> PropertiesPage[TagProperties]:
    """Of the manifest with this digest, or of all. Raises NAME_UNKNOWN, PAGE_INVALID."""
    repository_id, _ = _held(tx, place)
    if _is_undated(after):
        after = replace(after, at=queries.tag_updated_at(tx, repository_id, after.last))
        _refuse_lost(after)
    return _page(queries.tags(tx, repository_id, after, size + 1, None if digest is None else str(digest)), size)


def page_of_manifests(tx: Connection, place: Place, after: After, size: int) -> PropertiesPage[ManifestProperties]:
    """Raises NAME_UNKNOWN, PAGE_INVALID."""
    repository_id, _ = _held(tx, place)
    if _is_undated(after):
        after = replace(after, at=queries.manifest_updated_at(tx, repository_id, after.last))
        _refuse_lost(after)
    page = _page(queries.manifests(tx, repository_id, after, size + 1), size)
    return replace(page, rows=tuple(_with_tags(tx, page.rows)))


def _held(tx: Connection, place: Place) -> tuple[RepositoryId, RepositoryProperties]:
    found = queries.find_repository(tx, place)
    if found is None:
        raise Problem(Kind.NAME_UNKNOWN, name=place.repository)
    return found


def _is_undated(after: After) -> bool:
    return after.order is not Order.NAME and bool(after.last) and after.at is None


def _refuse_lost(after: After) -> None:
    if after.at is None:
        raise Problem(Kind.PAGE_INVALID, reason="last is not here any more: begin again, or follow the Link as given")


def _with_tags(tx: Connection, manifests: Sequence[ManifestProperties]) -> list[ManifestProperties]:
    named: dict[int, list[str]] = {known.id: [] for known in manifests}
    for manifest_id, name in queries.tags_of(tx, list(named)):
        named[manifest_id].append(name)
    return [known._replace(tags=tuple(named[known.id])) for known in manifests]


def _page(rows: list[T], size: int) -> PropertiesPage[T]:
    return PropertiesPage(tuple(rows[:size]), more=len(rows) > size)
