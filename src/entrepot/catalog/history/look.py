"""Pages of a tag's history, the newest first: what it points to now, then what it pointed to before."""

from sqlalchemy import Connection

from entrepot.catalog.history import queries
from entrepot.catalog.history.model import NOW, Pointed
from entrepot.catalog.model import Place
from entrepot.catalog.properties.model import PropertiesPage
from entrepot.catalog.properties.queries import find_repository
from entrepot.errors import Kind, Problem
from entrepot.oci.reference import Tag


def page_of_history(tx: Connection, place: Place, name: Tag, before: int | None, size: int) -> PropertiesPage[Pointed]:
    """From before this id, or from its beginning. Also of a tag that is gone.

    Raises NAME_UNKNOWN for a repository that holds nothing, TAG_UNKNOWN for a tag that never was.
    """
    found = find_repository(tx, place)
    if found is None:
        raise Problem(Kind.NAME_UNKNOWN, name=place.repository)
    repository_id, _ = found
    now = queries.present(tx, repository_id, name) if before is None else None
    rows = [] if now is None else [now]
    rows += queries.past(tx, repository_id, name, NOW if before is None else before, size + 1)
    if not rows and before is None:
        raise Problem(Kind.TAG_UNKNOWN, tag=name)
    return PropertiesPage(tuple(rows[:size]), more=len(rows) > size)
