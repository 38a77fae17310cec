"""What a run has pushed, and what of it goes into an index."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, select

from entrepot.access.queries import RUN_PREFIX
from entrepot.catalog.model import Place
from entrepot.db.access_tables import audit_entry, principal
from entrepot.db.tables import manifest, repository
from entrepot.events.audit import Act


class Pushed(NamedTuple):
    """A manifest. ``principal``: who pushed it, the run's own."""

    digest: str
    media_type: str
    size: int
    principal: str


def pushed_by(tx: Connection, place: Place, run_id: int, digests: Collection[str]) -> dict[str, Pushed]:
    """By digest, those of the manifests that the run pushed there itself, as the audit log has it."""
    targets = [f"{place.repository}@{digest}" for digest in digests]
    query = (
        select(manifest.c.digest, manifest.c.media_type, manifest.c.size, audit_entry.c.principal)
        .join(repository, repository.c.id == manifest.c.repository_id)
        .join(principal, principal.c.registry_id == repository.c.registry_id)
        .join(audit_entry, audit_entry.c.principal == principal.c.id)
        .where(
            repository.c.registry_id == place.registry,
            repository.c.name == place.repository,
            manifest.c.digest.in_(digests),
            manifest.c.deleted_at.is_(None),
            principal.c.kind == "Run",
            principal.c.client_id.startswith(f"{RUN_PREFIX}{run_id}-", autoescape=True),
            audit_entry.c.action == Act.MANIFEST_PUSH,
            audit_entry.c.target.in_(targets),
        )
    )
    # One target tells one digest: both sides of the join have to be about the same.
    query = query.where(audit_entry.c.target == repository.c.name + "@" + manifest.c.digest)
    return {row.digest: Pushed(*row) for row in tx.execute(query)}
