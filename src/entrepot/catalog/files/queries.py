"""SQL of files and their blocks. Who changes a file's blocks holds the file's row first."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from entrepot.catalog.files.model import KeptFile, NewBlock, NewFile, StoredBlock
from entrepot.catalog.model import RegistryId
from entrepot.content.model import Piece
from entrepot.db.task_tables import kept_block, kept_file

_PIECE = (kept_block.c.store, kept_block.c.key, kept_block.c.length, kept_block.c.key_scope)


class Block(NamedTuple):
    """A block whose bytes are there; without a number it is in no place yet."""

    session: str
    name: str
    number: int | None
    length: int


# --- files ------------------------------------------------------------------------------------------------------------


def count_unfinished(tx: Connection, registry_id: RegistryId) -> int:
    unfinished = (kept_file.c.registry_id == registry_id, kept_file.c.length.is_(None))
    return tx.execute(select(func.count()).where(*unfinished)).scalar_one()


def insert_file(tx: Connection, file: NewFile) -> None:
    tx.execute(
        insert(kept_file).values(
            id=file.id, registry_id=file.registry, created_at=file.created_at, expires_at=file.expires_at
        )
    )


def hold_file(tx: Connection, file_id: str) -> bool:
    """Keep the file as it is until the transaction ends. False when it is not there."""
    return tx.execute(select(kept_file.c.id).where(kept_file.c.id == file_id).with_for_update()).first() is not None


def find_file(tx: Connection, file_id: str) -> KeptFile | None:
    """One statement, so one state of it. None when it is not there, or not whole."""
    rows = tx.execute(
        select(kept_file.c.registry_id, kept_file.c.length, *_PIECE)
        .outerjoin_from(
            kept_file, kept_block, (kept_block.c.file_id == kept_file.c.id) & kept_block.c.number.is_not(None)
        )
        .where(kept_file.c.id == file_id, kept_file.c.length.is_not(None))
        .order_by(kept_block.c.number)
    ).all()
    if not rows:
        return None
    pieces = tuple(Piece(*row[2:]) for row in rows if row.key is not None)
    return KeptFile(file_id, RegistryId(rows[0][0]), rows[0][1], pieces)


def is_whole(tx: Connection, file_id: str) -> bool:
    whole = exists().where(kept_file.c.id == file_id, kept_file.c.length.is_not(None))
    return tx.execute(select(whole)).scalar_one()


def set_length(tx: Connection, file_id: str, length: int) -> None:
    tx.execute(update(kept_file).where(kept_file.c.id == file_id).values(length=length))


def set_expiry(tx: Connection, file_id: str, expires_at: datetime | None) -> None:
    """When the file goes; None: never."""
    tx.execute(update(kept_file).where(kept_file.c.id == file_id).values(expires_at=expires_at))


def expired_files(tx: Connection, now: datetime, limit: int) -> list[str]:
    """The oldest first."""
    rows = tx.execute(
        select(kept_file.c.id).where(kept_file.c.expires_at <= now).order_by(kept_file.c.expires_at).limit(limit)
    )
    return list(rows.scalars())


def is_expired(tx: Connection, file_id: str, now: datetime) -> bool:
    return tx.execute(select(exists().where(kept_file.c.id == file_id, kept_file.c.expires_at <= now))).scalar_one()


def count_expired(tx: Connection, now: datetime) -> int:
    return tx.execute(select(func.count()).where(kept_file.c.expires_at <= now)).scalar_one()


def files_of_registry(tx: Connection, registry_id: RegistryId, limit: int) -> list[str]:
    rows = tx.execute(select(kept_file.c.id).where(kept_file.c.registry_id == registry_id).limit(limit))
    return list(rows.scalars())


def delete_file(tx: Connection, file_id: str) -> None:
    """With what is left of its blocks."""
    tx.execute(delete(kept_file).where(kept_file.c.id == file_id))


# --- blocks -----------------------------------------------------------------------------------------------------------


def waiting_of(tx: Connection, file_id: str) -> tuple[int, int]:
    """How many blocks of the file came, or are coming, and have no place yet; their bytes."""
    row = tx.execute(
        select(func.count(), func.coalesce(func.sum(kept_block.c.length), 0)).where(
            kept_block.c.file_id == file_id, kept_block.c.number.is_(None)
        )
    ).one()
    return row[0], int(row[1])


def insert_block(tx: Connection, block: NewBlock) -> None:
    tx.execute(
        insert(kept_block).values(session=block.session, file_id=block.file, name=block.name, length=block.length)
    )


def end_attempts(tx: Connection, file_id: str, name: str) -> None:
    """Of blocks that are still coming in under this name: whoever sends them is told when he has."""
    coming = (kept_block.c.file_id == file_id, kept_block.c.name == name, kept_block.c.digest.is_(None))
    tx.execute(delete(kept_block).where(*coming))


def record_bytes(tx: Connection, stored: StoredBlock) -> bool:
    """False when the block has ended."""
    (piece,) = stored.pieces or (None,)
    place = {} if piece is None else {"store": piece.store, "key": piece.key, "key_scope": piece.key_scope}
    return (
        tx.execute(
            update(kept_block)
            .where(kept_block.c.session == stored.block.session)
            .values(digest=str(stored.digest), length=stored.block.length, **place)
        ).rowcount
        > 0
    )


def drop_block(tx: Connection, session: str) -> None:
    tx.execute(delete(kept_block).where(kept_block.c.session == session))


def blocks_of(tx: Connection, file_id: str) -> list[Block]:
    """Those whose bytes are there."""
    rows = tx.execute(
        select(kept_block.c.session, kept_block.c.name, kept_block.c.number, kept_block.c.length).where(
            kept_block.c.file_id == file_id, kept_block.c.digest.is_not(None)
        )
    )
    return [Block(*row) for row in rows]


def open_sessions(tx: Connection, file_id: str) -> list[str]:
    """Of blocks whose bytes are still coming in, or never came."""
    coming = (kept_block.c.file_id == file_id, kept_block.c.digest.is_(None))
    return list(tx.execute(select(kept_block.c.session).where(*coming)).scalars())


def place_blocks(tx: Connection, sessions: Sequence[str]) -> None:
    """In this order."""
    if sessions:
        numbered = [{"of": session, "at": number} for number, session in enumerate(sessions)]
        tx.execute(
            update(kept_block).where(kept_block.c.session == bindparam("of")).values(number=bindparam("at")), numbered
        )


def take_blocks(tx: Connection, sessions: Sequence[str]) -> list[Piece]:
    """Remove these blocks; where their bytes lie."""
    rows = tx.execute(delete(kept_block).where(kept_block.c.session.in_(sessions)).returning(*_PIECE))
    return [Piece(*row) for row in rows if row.key is not None]
