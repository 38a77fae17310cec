"""Pages of names in ASCII order, and of referrers in the order of their digests."""

from sqlalchemy import Connection

from entrepot.catalog.listing import queries
from entrepot.catalog.model import Page, Place, Referrer, ReferrersOf, RegistryId
from entrepot.errors import Kind, Problem


def page_of_repositories(tx: Connection, registry: RegistryId, last: str, size: int) -> Page:
    """Repositories that hold at least one manifest."""
    return _page(queries.repository_names(tx, registry, last, size + 1), size)


def page_of_tags(tx: Connection, place: Place, last: str, size: int) -> Page:
    """Raises NAME_UNKNOWN for a repository that does not exist; one without tags has an empty page."""
    repository_id = queries.find_repository(tx, place)
    if repository_id is None:
        raise Problem(Kind.NAME_UNKNOWN, name=place.repository)
    return _page(queries.tag_names(tx, repository_id, last, size + 1), size)


def page_of_referrers(tx: Connection, place: Place, wanted: ReferrersOf, size: int) -> tuple[list[Referrer], bool]:
    """Whatever is not there has no referrers: this never fails (specification, "Listing Referrers")."""
    found = queries.referrers(tx, place, wanted, size + 1)
    return found[:size], len(found) > size


def _page(names: list[str], size: int) -> Page:
    return Page(tuple(names[:size]), more=len(names) > size)
