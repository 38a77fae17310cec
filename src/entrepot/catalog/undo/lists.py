"""Pages of what was deleted and can be restored."""

from typing import TypeVar

from sqlalchemy import Connection

from entrepot.catalog.model import Place, RegistryId
from entrepot.catalog.properties.model import PropertiesPage
from entrepot.catalog.undo import queries
from entrepot.catalog.undo.model import DeletedManifest, DeletedRepository, DeletedTag

T = TypeVar("T")


def page_of_repositories(
    tx: Connection, registry: RegistryId, last: str, size: int
) -> PropertiesPage[DeletedRepository]:
    """Names under which nothing is there any more, in ASCII order."""
    return _page(queries.repositories(tx, registry, last, size + 1), size)


def page_of_manifests(tx: Connection, place: Place, last: str, size: int) -> PropertiesPage[DeletedManifest]:
    """In the order of their digests; nothing where nothing was deleted."""
    return _page(queries.manifests(tx, place, last, size + 1), size)


def page_of_tags(tx: Connection, place: Place, last: str, size: int) -> PropertiesPage[DeletedTag]:
    """Of so many names, each with all that it named; of one name the newest comes last."""
    rows = queries.tags(tx, place, last, size + 1)
    names = sorted({known.name for known in rows})
    kept = set(names[:size])
    return PropertiesPage(tuple(known for known in rows if known.name in kept), more=len(names) > size)


def _page(rows: list[T], size: int) -> PropertiesPage[T]:
    return PropertiesPage(tuple(rows[:size]), more=len(rows) > size)
