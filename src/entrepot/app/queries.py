"""SQL of the first start, backup and restore, and of what names registries."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from entrepot.content.model import Piece
from entrepot.db.access_tables import principal
from entrepot.db.tables import (
    blob,
    blob_location,
    collection_hold,
    registry,
    resource_group,
    subscription,
    tenant,
)
from entrepot.db.task_tables import kept_block

RESTORING: Final = "restore"
_BLOBS_AT_ONCE: Final = 200


class Root(NamedTuple):
    """What the first start made."""

    tenant_id: str
    subscription_id: str
    resource_group: str
    rid: str


def find_root(tx: Connection, registry_name: str) -> Root | None:
    row = tx.execute(
        select(subscription.c.tenant_id, subscription.c.id, resource_group.c.name, registry.c.rid)
        .select_from(registry)
        .join(resource_group, resource_group.c.id == registry.c.resource_group_id)
        .join(subscription, subscription.c.id == resource_group.c.subscription_id)
        .where(registry.c.name == registry_name)
    ).one_or_none()
    return None if row is None else Root(*row)


def insert_root(tx: Connection, root: Root, registry_name: str, region: str, now: datetime) -> None:
    tx.execute(insert(tenant).values(id=root.tenant_id, created_at=now))
    tx.execute(insert(subscription).values(id=root.subscription_id, tenant_id=root.tenant_id, name="Entrepot"))
    group = tx.execute(
        insert(resource_group)
        .values(subscription_id=root.subscription_id, name=root.resource_group, location=region)
        .returning(resource_group.c.id)
    ).scalar_one()
    tx.execute(
        insert(registry).values(
            name=registry_name, resource_group_id=group, rid=root.rid, sku="Premium", region=region, created_at=now
        )
    )


def deployment_id(tx: Connection) -> str:
    """What no other deployment has: the id of its first registry."""
    return tx.execute(select(registry.c.rid).order_by(registry.c.id).limit(1)).scalar_one()


def name_of_registry(tx: Connection, registry_id: int) -> str:
    return tx.execute(select(registry.c.name).where(registry.c.id == registry_id)).scalar_one()


def set_anonymous_pull(tx: Connection, registry_name: str, allowed: bool) -> bool:  # noqa: FBT001  it is the column's value
    """False when it was so already."""
    changed = tx.execute(
        update(registry)
        .where(registry.c.name == registry_name, registry.c.anonymous_pull.is_not(allowed))
        .values(anonymous_pull=allowed)
    )
    return changed.rowcount > 0


def oldest_principal(tx: Connection) -> tuple[str, str] | None:
    """Id and client id of the service principal that the first start made."""
    row = tx.execute(
        select(principal.c.id, principal.c.client_id)
        .where(principal.c.kind == "ServicePrincipal")
        .order_by(principal.c.created_at, principal.c.id)
        .limit(1)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


class BlobRow(NamedTuple):
    """A blob and where its bytes lie."""

    id: int
    digest: str
    size: int
    pieces: tuple[Piece, ...]


def blobs_after(tx: Connection, last: int) -> list[BlobRow]:
    """The next few blobs in order of their ids, corrupt ones left out."""
    rows = tx.execute(
        select(blob.c.id, blob.c.digest, blob.c.size)
        .where(blob.c.id > last, blob.c.corrupt_since.is_(None))
        .order_by(blob.c.id)
        .limit(_BLOBS_AT_ONCE)
    ).all()
    pieces: dict[int, list[Piece]] = {}
    places = (
        select(
            blob_location.c.blob_id,
            blob_location.c.store,
            blob_location.c.key,
            blob_location.c.length,
            blob_location.c.key_scope,
        )
        .where(blob_location.c.blob_id.in_([row[0] for row in rows]))
        .order_by(blob_location.c.blob_id, blob_location.c.position)
    )
    for blob_id, *place in tx.execute(places):
        pieces.setdefault(blob_id, []).append(Piece(*place))
    return [BlobRow(row[0], row[1], row[2], tuple(pieces.get(row[0], ()))) for row in rows]


class BlockRow(NamedTuple):
    """A part of a file that no manifest names, and where its bytes lie."""

    session: str
    file: str
    digest: str
    size: int
    pieces: tuple[Piece, ...]


def blocks_after(tx: Connection, last: str) -> list[BlockRow]:
    """The next few in order of their sessions, of files as they are: what waits for a place in one is left out."""
    rows = tx.execute(
        select(
            kept_block.c.session,
            kept_block.c.file_id,
            kept_block.c.digest,
            kept_block.c.length,
            kept_block.c.store,
            kept_block.c.key,
            kept_block.c.key_scope,
        )
        .where(kept_block.c.session > last, kept_block.c.number.is_not(None))
        .order_by(kept_block.c.session)
        .limit(_BLOBS_AT_ONCE)
    )
    return [
        BlockRow(*row[:4], () if row.key is None else (Piece(row.store, row.key, row.length, row.key_scope),))
        for row in rows
    ]


def place_block(tx: Connection, session: str, piece: Piece) -> None:
    """Its bytes lie here now."""
    place = {"store": piece.store, "key": piece.key, "key_scope": piece.key_scope}
    tx.execute(update(kept_block).where(kept_block.c.session == session).values(**place))


def drop_waiting_blocks(tx: Connection) -> None:
    """Blocks that came without a place in their file: whoever sent them begins anew."""
    tx.execute(delete(kept_block).where(kept_block.c.number.is_(None)))


def insert_hold(tx: Connection, hold: str, reason: str, until: datetime) -> None:
    """Keep collection from removing bytes until then."""
    tx.execute(insert(collection_hold).values(id=hold, reason=reason, until=until))


def extend_hold(tx: Connection, hold: str, until: datetime) -> None:
    tx.execute(update(collection_hold).where(collection_hold.c.id == hold).values(until=until))


def delete_hold(tx: Connection, hold: str) -> None:
    tx.execute(delete(collection_hold).where(collection_hold.c.id == hold))


def restores(tx: Connection) -> list[str]:
    """Holds of restores that have not come to their end."""
    return list(tx.execute(select(collection_hold.c.id).where(collection_hold.c.reason == RESTORING)).scalars())


def mark_corrupt(tx: Connection, blob_id: int, now: datetime) -> None:
    tx.execute(update(blob).where(blob.c.id == blob_id).values(corrupt_since=now))


def is_empty(tx: Connection) -> bool:
    """Whether nothing was ever started on this catalog."""
    return tx.execute(select(tenant.c.id).limit(1)).one_or_none() is None
