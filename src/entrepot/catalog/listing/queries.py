"""SQL of lists. Each page is one index range; its cost does not grow with depth or with the list."""

from typing import Final

from sqlalchemy import Connection, bindparam, select

from entrepot.catalog.model import Place, Referrer, ReferrersOf, RepositoryId
from entrepot.db.tables import HIDDEN, manifest, repository, tag

CATALOG_PAGE: Final = (
    select(repository.c.name)
    .where(
        repository.c.registry_id == bindparam("registry"),
        repository.c.name > bindparam("last"),
        repository.c.name < HIDDEN,
        repository.c.manifest_count > 0,
        repository.c.list_enabled,
    )
    .order_by(repository.c.name)
    .limit(bindparam("limit"))
)
TAG_PAGE: Final = (
    select(tag.c.name)
    .where(tag.c.repository_id == bindparam("repository"), tag.c.name > bindparam("last"), tag.c.list_enabled)
    .order_by(tag.c.name)
    .limit(bindparam("limit"))
)


def repository_names(tx: Connection, registry_id: int, last: str, limit: int) -> list[str]:
    return list(tx.execute(CATALOG_PAGE, {"registry": registry_id, "last": last, "limit": limit}).scalars())


def find_repository(tx: Connection, place: Place) -> RepositoryId | None:
    found = tx.execute(
        select(repository.c.id).where(repository.c.registry_id == place.registry, repository.c.name == place.repository)
    ).scalar_one_or_none()
    return None if found is None else RepositoryId(found)


def tag_names(tx: Connection, repository_id: RepositoryId, last: str, limit: int) -> list[str]:
    return list(tx.execute(TAG_PAGE, {"repository": repository_id, "last": last, "limit": limit}).scalars())


def referrers(tx: Connection, place: Place, wanted: ReferrersOf, limit: int) -> list[Referrer]:
    """In order of digest."""
    # One value, not a join: PostgreSQL would sort all referrers, as it does not know that there is one repository.
    its = (
        select(repository.c.id)
        .where(repository.c.registry_id == place.registry, repository.c.name == place.repository)
        .scalar_subquery()
    )
    statement = (
        select(
            manifest.c.digest,
            manifest.c.media_type,
            manifest.c.size,
            manifest.c.artifact_type,
            manifest.c.annotations,
        )
        .where(
            manifest.c.repository_id == its,
            manifest.c.subject == wanted.subject,
            manifest.c.digest > wanted.last,
            manifest.c.deleted_at.is_(None),
            manifest.c.list_enabled,
        )
        .order_by(manifest.c.digest)
        .limit(limit)
    )
    if wanted.artifact_type is not None:
        statement = statement.where(manifest.c.artifact_type == wanted.artifact_type)
    return [Referrer(*row) for row in tx.execute(statement)]
