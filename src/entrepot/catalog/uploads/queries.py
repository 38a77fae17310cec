"""SQL of upload sessions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, update

from entrepot.catalog.model import Place, RegistryId, Upload
from entrepot.content.model import Piece
from entrepot.db.columns import instant_of
from entrepot.db.prepared import Prepared, Row
from entrepot.db.statements import upsert
from entrepot.db.tables import upload, upload_piece
from entrepot.oci.reference import RepositoryName

# The session, only in its own repository and for its own principal; a row for each of its pieces, one at least.
UPLOAD_OF_PRINCIPAL: Final = Prepared(
    select(
        upload.c.algorithm,
        upload.c.touched_at,
        upload_piece.c.store,
        upload_piece.c.key,
        upload_piece.c.length,
        upload_piece.c.key_scope,
    )
    .select_from(upload)
    .outerjoin(upload_piece, upload_piece.c.upload_id == upload.c.id)
    .where(
        upload.c.id == bindparam("upload"),
        upload.c.registry_id == bindparam("registry"),
        upload.c.repository_name == bindparam("repository"),
        upload.c.principal == bindparam("principal"),
    )
    .order_by(upload_piece.c.offset)
)
_COUNT_OF_PRINCIPAL: Final = Prepared(select(func.count()).where(upload.c.principal == bindparam("principal")))
_INSERT: Final = Prepared(
    insert(upload).values(
        id=bindparam("id"),
        registry_id=bindparam("registry"),
        repository_name=bindparam("repository"),
        principal=bindparam("principal"),
        algorithm=bindparam("algorithm"),
        started_at=bindparam("now"),
        touched_at=bindparam("now"),
    )
)
_DELETE: Final = Prepared(delete(upload).where(upload.c.id == bindparam("id")).returning(upload.c.id))


def count_of_principal(tx: Connection, principal: str) -> int:
    (row,) = _COUNT_OF_PRINCIPAL.rows(tx, principal=principal)
    return row[0]


def insert_upload(tx: Connection, session: Upload) -> None:
    _INSERT.run(
        tx,
        id=session.id,
        registry=session.place.registry,
        repository=session.place.repository,
        principal=session.principal,
        algorithm=session.algorithm,
        now=session.touched_at,
    )


def stored_upload(rows: Sequence[Row], upload_id: str, place: Place, principal: str) -> Upload | None:
    """The rows of UPLOAD_OF_PRINCIPAL as one value."""
    if not rows:
        return None
    pieces = tuple(Piece(*row[2:]) for row in rows if row[3] is not None)
    return Upload(upload_id, place, principal, rows[0][0], instant_of(rows[0][1]), pieces)


def pieces_of(tx: Connection, upload_id: str) -> tuple[Piece, ...]:
    rows = tx.execute(
        select(upload_piece.c.store, upload_piece.c.key, upload_piece.c.length, upload_piece.c.key_scope)
        .where(upload_piece.c.upload_id == upload_id)
        .order_by(upload_piece.c.offset)
    )
    return tuple(Piece(*row) for row in rows)


def sessions_of(tx: Connection, principal: str) -> list[Upload]:
    """Those that the principal has open, with their pieces."""
    rows = tx.execute(
        select(
            upload.c.id, upload.c.registry_id, upload.c.repository_name, upload.c.algorithm, upload.c.touched_at
        ).where(upload.c.principal == principal)
    ).all()
    return [
        Upload(
            row.id,
            Place(RegistryId(row.registry_id), RepositoryName(row.repository_name)),
            principal,
            row.algorithm,
            row.touched_at,
            pieces_of(tx, row.id),
        )
        for row in rows
    ]


def insert_piece(tx: Connection, upload_id: str, offset: int, piece: Piece) -> bool:
    """False when another writer sealed a piece at this offset first."""
    inserted = tx.execute(
        upsert(upload_piece)
        .values(
            upload_id=upload_id,
            offset=offset,
            store=piece.store,
            key=piece.key,
            length=piece.length,
            key_scope=piece.key_scope,
        )
        .on_conflict_do_nothing(index_elements=["upload_id", "offset"])
        .returning(upload_piece.c.offset)
    ).one_or_none()
    return inserted is not None


def touch(tx: Connection, upload_id: str, now: datetime) -> None:
    tx.execute(update(upload).where(upload.c.id == upload_id).values(touched_at=now))


def delete_upload(tx: Connection, upload_id: str) -> bool:
    """False when the session has ended already."""
    return _DELETE.first(tx, id=upload_id) is not None


def idle_uploads(tx: Connection, before: datetime, limit: int) -> list[str]:
    return list(
        tx.execute(
            select(upload.c.id).where(upload.c.touched_at < before).order_by(upload.c.touched_at).limit(limit)
        ).scalars()
    )


def delete_if_idle(tx: Connection, upload_id: str, before: datetime) -> bool:
    """False when the session was used meanwhile or has ended."""
    return tx.execute(delete(upload).where(and_(upload.c.id == upload_id, upload.c.touched_at < before))).rowcount > 0
