"""Upload sessions: begin, find, go on, end.

A session belongs to one principal and one repository; to anybody else it does not exist (CVE-2026-32589 is what
happens otherwise). Rows change when a session begins, seals a piece in an object store, and ends; never per chunk.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from entrepot.catalog import queries as shared
from entrepot.catalog.locks import refuse_write
from entrepot.catalog.model import Change, Upload
from entrepot.catalog.uploads import queries
from entrepot.content.model import Piece
from entrepot.db.locks import lock_name
from entrepot.db.prepared import Row
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Act, record_change

# A long push keeps its session alive by one small write in this time, not by one per chunk.
TOUCH_EVERY: Final = timedelta(minutes=10)


def begin_upload(tx: Connection, session: Upload, limit: int) -> None:
    """Raises LOCKED, and UPLOADS_TOO_MANY when the principal has ``limit`` sessions open."""
    # The blob's commit looks again; this spares the client the bytes.
    refuse_write(session.place, shared.find_repository(tx, session.place))
    lock_name(tx, f"uploads of {session.principal}")
    if queries.count_of_principal(tx, session.principal) >= limit:
        raise Problem(Kind.UPLOADS_TOO_MANY, limit=limit, reason="finish or cancel uploads before starting more")
    queries.insert_upload(tx, session)


def found_upload(rows: Sequence[Row], wanted: Upload) -> Upload:
    """The session as stored, by the rows of UPLOAD_OF_PRINCIPAL. ``wanted`` names id, place and principal.

    Raises BLOB_UPLOAD_UNKNOWN.
    """
    found = queries.stored_upload(rows, wanted.id, wanted.place, wanted.principal)
    if found is None:
        raise Problem(Kind.BLOB_UPLOAD_UNKNOWN, upload=wanted.id)
    return found


def record_piece(tx: Connection, session: Upload, offset: int, piece: Piece, now: datetime) -> None:
    """A piece that an object store holds now. Raises UPLOAD_BUSY when another writer was first at this offset."""
    if not queries.insert_piece(tx, session.id, offset, piece):
        raise Problem(Kind.UPLOAD_BUSY, upload=session.id)
    queries.touch(tx, session.id, now)


def is_stale(session: Upload, now: datetime) -> bool:
    """Whether the session's row should be touched so that it is not taken for abandoned."""
    return now - session.touched_at > TOUCH_EVERY


def touch(tx: Connection, session: Upload, now: datetime) -> None:
    queries.touch(tx, session.id, now)


def cancel_upload(tx: Connection, session: Upload, change: Change) -> None:
    """End the session because its principal wants it. Raises BLOB_UPLOAD_UNKNOWN."""
    end_upload(tx, session)
    record_change(tx, change, Act.UPLOAD_CANCEL, session.place.repository, {"upload": session.id})


def end_upload(tx: Connection, session: Upload) -> None:
    """Raises BLOB_UPLOAD_UNKNOWN when somebody else ended it first."""
    if not queries.delete_upload(tx, session.id):
        raise Problem(Kind.BLOB_UPLOAD_UNKNOWN, upload=session.id)
