"""SQL of copies: what is there already, and the registry as rights see it."""

from sqlalchemy import Connection, exists, select

from entrepot.access.definitions import Mode
from entrepot.access.rights import Where
from entrepot.catalog.model import Place, RegistryId
from entrepot.db.tables import HIDDEN, manifest, registry, repository, resource_group


def holds_manifest(tx: Connection, place: Place, digest: str) -> bool:
    """Whether the repository has it, and not as one that was deleted."""
    return bool(
        tx.execute(
            select(
                exists().where(
                    repository.c.registry_id == place.registry,
                    repository.c.name == place.repository,
                    manifest.c.repository_id == repository.c.id,
                    manifest.c.digest == digest,
                    manifest.c.deleted_at.is_(None),
                )
            )
        ).scalar_one()
    )


def where_of(tx: Connection, registry_id: int) -> Where | None:
    """None for a registry that was deleted."""
    row = tx.execute(
        select(registry.c.name, registry.c.role_mode, resource_group.c.subscription_id, resource_group.c.name)
        .join_from(registry, resource_group)
        .where(registry.c.id == registry_id, registry.c.name.notlike(f"{HIDDEN}%"))
    ).one_or_none()
    if row is None:
        return None
    group = f"/subscriptions/{row[2]}/resourceGroups/{row[3]}"
    resource_id = f"{group}/providers/Microsoft.ContainerRegistry/registries/{row[0]}"
    return Where(RegistryId(registry_id), resource_id, Mode(row[1]))
