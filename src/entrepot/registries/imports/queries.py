"""SQL of imports: the plans that are being worked off, and the registries that they read."""

from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from entrepot.catalog.model import Place
from entrepot.db.management_tables import image_import
from entrepot.db.tables import HIDDEN, manifest, registry, repository, resource_group, tag


class SourceRow(NamedTuple):
    """A registry of this deployment as a source."""

    id: int
    name: str
    subscription_id: str
    group: str
    role_mode: str
    anonymous_pull: bool

    @property
    def resource_id(self) -> str:
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.group}"
        return f"{group}/providers/Microsoft.ContainerRegistry/registries/{self.name}"


_SOURCES: Final = (
    select(
        registry.c.id,
        registry.c.name,
        resource_group.c.subscription_id,
        resource_group.c.name,
        registry.c.role_mode,
        registry.c.anonymous_pull,
    )
    .join_from(registry, resource_group)
    .where(registry.c.name.notlike(f"{HIDDEN}%"))
)


def find_by_name(tx: Connection, name: str) -> SourceRow | None:
    """Names compare without case."""
    return _source(tx, registry.c.name == name.lower())


def find_in_group(tx: Connection, subscription_id: str, group: str, name: str) -> SourceRow | None:
    return _source(
        tx,
        registry.c.name == name.lower(),
        resource_group.c.subscription_id == subscription_id.lower(),
        func.lower(resource_group.c.name) == group.lower(),
    )


def _source(tx: Connection, *conditions: ColumnElement[bool]) -> SourceRow | None:
    row = tx.execute(_SOURCES.where(*conditions)).one_or_none()
    return None if row is None else SourceRow(*row)


def tags_taken(tx: Connection, place: Place, names: list[str]) -> dict[str, str]:
    """Of these tags those that are there, with the digests that they name."""
    rows = tx.execute(
        select(tag.c.name, manifest.c.digest)
        .join_from(repository, tag, tag.c.repository_id == repository.c.id)
        .join(manifest, manifest.c.id == tag.c.manifest_id)
        .where(repository.c.registry_id == place.registry, repository.c.name == place.repository, tag.c.name.in_(names))
        .order_by(tag.c.name)
    )
    return {row[0]: row[1] for row in rows}


class ImportRow(NamedTuple):
    """``plan``: JSON. ``secret``: the source's credentials, sealed. ``digest``: of the root, once that is known."""

    plan: str
    secret: str | None
    digest: str | None


def insert_import(tx: Connection, operation_id: str, plan: str, secret: str | None) -> None:
    tx.execute(insert(image_import).values(operation_id=operation_id, plan=plan, secret=secret))


def find_import(tx: Connection, operation_id: str) -> ImportRow | None:
    """None once it has ended."""
    row = tx.execute(
        select(image_import.c.plan, image_import.c.secret, image_import.c.digest).where(
            image_import.c.operation_id == operation_id
        )
    ).one_or_none()
    return None if row is None else ImportRow(*row)


def set_root(tx: Connection, operation_id: str, digest: str) -> None:
    """What the tag named when it was first looked at: another attempt goes on with the same image."""
    tx.execute(update(image_import).where(image_import.c.operation_id == operation_id).values(digest=digest))


def delete_import(tx: Connection, operation_id: str) -> None:
    tx.execute(delete(image_import).where(image_import.c.operation_id == operation_id))
