"""What tests read from the catalog's tables, and set there, where no interface does yet.

Quota and disabled principals are columns that the core checks (DESIGN D15); the features that set them come later, so
tests set them by statement. So do tests of /v2 alone with locks, which /acr/v1 sets.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from entrepot.access.builtin_roles import OWNER
from entrepot.access.queries import (
    Assignment,
    ServicePrincipal,
    insert_principal,
    insert_role,
    insert_secret,
    raise_epoch,
)
from entrepot.access.secrets import hash_secret
from entrepot.db.access_tables import audit_entry, principal, role_assignment
from entrepot.db.tables import (
    blob,
    event,
    manifest,
    registry,
    registry_blob,
    repository,
    repository_blob,
    tag,
    tag_history,
    upload,
)


def bytes_used(tx: Connection) -> int:
    return tx.execute(select(registry.c.bytes_used).where(registry.c.name == "local")).scalar_one()


def recounted_bytes(tx: Connection) -> int:
    """What ``bytes_used`` should be: each blob once, each manifest, as DESIGN section 4 says."""
    blobs = select(func.coalesce(func.sum(blob.c.size), 0)).where(
        blob.c.id.in_(select(repository_blob.c.blob_id).distinct())
    )
    manifests = select(func.coalesce(func.sum(manifest.c.size), 0))
    return int(tx.execute(blobs).scalar_one()) + int(tx.execute(manifests).scalar_one())


def recounted_uses(tx: Connection) -> bool:
    """Whether ``registry_blob`` says how many repositories link each blob."""
    linked = select(repository_blob.c.blob_id, func.count()).group_by(repository_blob.c.blob_id)
    counted = select(registry_blob.c.blob_id, registry_blob.c.uses)
    return {row[0]: row[1] for row in tx.execute(linked)} == {row[0]: row[1] for row in tx.execute(counted)}


def counts_of(tx: Connection, name: str) -> tuple[int, int]:
    """What the repository's row says of its manifests and tags: without one there are none."""
    counts = select(repository.c.manifest_count, repository.c.tag_count).where(repository.c.name == name)
    row = tx.execute(counts).one_or_none()
    return (0, 0) if row is None else (row[0], row[1])


def recounted(tx: Connection, name: str) -> tuple[int, int]:
    """What it should say."""
    of_name = select(repository.c.id).where(repository.c.name == name).scalar_subquery()
    there = (manifest.c.repository_id == of_name, manifest.c.deleted_at.is_(None))
    manifests = tx.execute(select(func.count()).where(*there)).scalar_one()
    tags = tx.execute(select(func.count()).where(tag.c.repository_id == of_name)).scalar_one()
    return manifests, tags


def upload_count(tx: Connection) -> int:
    return tx.execute(select(func.count()).select_from(upload)).scalar_one()


def events_of(tx: Connection, name: str) -> Sequence[Any]:
    """The repository's events in order."""
    of_name = select(repository.c.id).where(repository.c.name == name).scalar_subquery()
    return tx.execute(select(event).where(event.c.repository_id == of_name).order_by(event.c.sequence)).all()


def events_of_registry(tx: Connection) -> Sequence[Any]:
    """Of a registry itself, in order."""
    return tx.execute(select(event).where(event.c.repository_id < 0).order_by(event.c.sequence)).all()


def audit_entries(tx: Connection, action: str = "") -> list[dict[str, Any]]:
    """What the audit log holds of this action, or all of it, as it came in; ``detail`` parsed."""
    rows = tx.execute(select(audit_entry).order_by(audit_entry.c.id)).mappings()
    return [{**row, "detail": json.loads(row["detail"])} for row in rows if action in {"", row["action"]}]


def history_of(tx: Connection, name: str) -> Sequence[Any]:
    """What the repository's tags pointed to before, oldest first."""
    of_name = select(repository.c.id).where(repository.c.name == name).scalar_subquery()
    return tx.execute(
        select(tag_history).where(tag_history.c.repository_id == of_name).order_by(tag_history.c.id)
    ).all()


def set_repository(tx: Connection, name: str, **attributes: bool) -> None:
    changed = tx.execute(update(repository).where(repository.c.name == name).values(**attributes))
    assert changed.rowcount == 1


def set_tag(tx: Connection, name: str, **attributes: bool) -> None:
    changed = tx.execute(update(tag).where(tag.c.name == name).values(**attributes))
    assert changed.rowcount == 1


def set_manifest(tx: Connection, digest: str, **attributes: bool) -> None:
    changed = tx.execute(update(manifest).where(manifest.c.digest == digest).values(**attributes))
    assert changed.rowcount == 1


def bytes_limit(tx: Connection, name: str = "local") -> int | None:
    return tx.execute(select(registry.c.bytes_limit).where(registry.c.name == name)).scalar_one()


def set_bytes_limit(tx: Connection, limit: int | None) -> None:
    tx.execute(update(registry).where(registry.c.name == "local").values(bytes_limit=limit))


def disable(tx: Connection, client_id: str) -> None:
    """What a feature that disables a principal does."""
    tx.execute(update(principal).where(principal.c.client_id == client_id).values(enabled=False))
    raise_epoch(tx)


def condemn(tx: Connection, digest: str) -> None:
    """What garbage collection does first with a blob that nothing needs."""
    of_digest = select(blob.c.id).where(blob.c.digest == digest).scalar_subquery()
    statement = update(repository_blob).where(repository_blob.c.blob_id == of_digest)
    tx.execute(statement.values(condemned_at=blob_time(tx)))


def blob_time(tx: Connection) -> datetime:
    return tx.execute(select(func.max(repository_blob.c.linked_at))).scalar_one()


def mark_corrupt(tx: Connection, digest: str) -> None:
    """What a check does with a blob whose bytes do not have its digest."""
    tx.execute(update(blob).where(blob.c.digest == digest).values(corrupt_since=blob.c.created_at))


def add_registry(tx: Connection, name: str, rid: str) -> None:
    """Another registry beside the default one."""
    row = tx.execute(select(registry).where(registry.c.name == "local")).one()._asdict()
    values = {**row, "name": name, "rid": rid, "bytes_used": 0}
    del values["id"]
    tx.execute(insert(registry).values(**values))


def add_principal(tx: Connection, client_id: str, secret: str, role: str | None = OWNER) -> None:
    """A second principal with this role where the first has its own; with none it can only sign in."""
    owner = tx.execute(select(principal).order_by(principal.c.created_at).limit(1)).one()
    scope = tx.execute(select(role_assignment.c.scope).where(role_assignment.c.principal_id == owner.id)).scalar_one()
    made = ServicePrincipal(f"id-{client_id}", owner.tenant_id, client_id, client_id, owner.created_at)
    insert_principal(tx, made)
    insert_secret(tx, f"secret-{client_id}", made.id, hash_secret(secret), owner.created_at)
    if role is not None:
        insert_role(tx, Assignment(f"role-{client_id}", made.id, role, scope, owner.created_at))


def multiply_manifest(tx: Connection, digest: str, count: int) -> None:
    """As many more manifests like it, each under a digest of its own."""
    row = tx.execute(select(manifest).where(manifest.c.digest == digest)).one()._asdict()
    del row["id"]
    tx.execute(insert(manifest), [{**row, "digest": f"sha256:{number:064x}"} for number in range(count)])
