"""What an upload's requests do in a worker thread: seal a chunk, close a session, give it up."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from entrepot.catalog.model import Change, Grace, Upload
from entrepot.catalog.uploads import sessions
from entrepot.catalog.uploads.finish import finish_upload
from entrepot.content.hashes import RunningHash, hash_pieces
from entrepot.content.ingest import Batch, write_batch
from entrepot.content.model import Appender, Piece
from entrepot.db.database import Database
from entrepot.distribution.chunks import check_length, declared_length
from entrepot.distribution.parts import Parts
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call
from entrepot.oci.digest import Digest
from entrepot.telemetry.metrics import BYTES_IN


@dataclass(frozen=True, slots=True)
class Reached:
    """A session, and how many of its bytes lie in the store."""

    session: Upload
    offset: int


def reached(parts: Parts, session: Upload) -> Reached:
    """How far the session has come."""
    return Reached(session, parts.store.staged(session.id, session.sealed))


def seal_chunk(call: Call, parts: Parts, before: Reached, appender: Appender, running: RunningHash | None) -> int:
    """Keep what the appender wrote, so that any process can go on from it. Answers the session's new offset."""
    database, session = call.doors.database, before.session
    piece = appender.seal()
    # Not what is staged now: sealed, the session is another writer's to go on with.
    offset = before.offset + appender.length
    if piece is None:
        if sessions.is_stale(session, call.now()):
            database.write(sessions.touch, session, call.now())
    else:
        try:
            database.write(sessions.record_piece, session, before.offset, piece, call.now())
        except Problem:
            parts.store.delete(piece.key)
            raise
    # A body that broke off may have left its last bytes written and not hashed, or the other way round.
    if running is not None and running.length == offset:
        parts.hashes.put(session.id, running)
    return offset


def append_batch(call: Call, parts: Parts, session: Upload, batch: Batch) -> int:
    """A chunk that came whole: one trip to a thread. Answers the offset that it reaches."""
    before = _before(call, parts, session, batch)
    running = parts.hashes.take(session.id, before.offset, session.algorithm)
    appender = parts.store.appender(session.id, session.sealed, before.offset)
    try:
        write_batch(appender, running, batch)
        return seal_chunk(call, parts, before, appender, running)
    except BaseException:
        appender.abandon()
        raise


def _before(call: Call, parts: Parts, session: Upload, batch: Batch) -> Reached:
    """Where the batch goes. Raises UPLOAD_OUT_OF_ORDER, SIZE_INVALID, UPLOAD_TOO_LARGE."""
    before = reached(parts, session)
    check_length(declared_length(call.request, before.offset), batch.length)
    if before.offset + batch.length > parts.limits.blob_bytes:
        raise Problem(Kind.UPLOAD_TOO_LARGE)
    BYTES_IN.inc(batch.length)
    return before


def close_with_batch(call: Call, parts: Parts, session: Upload, batch: Batch, digest: Digest) -> None:
    """The last bytes, all in one batch, and the close: one trip to a thread for a small blob."""
    before = _before(call, parts, session, batch)
    if not batch.length:
        _close_staged(call, parts, before, digest)
        return
    running = parts.hashes.take(session.id, before.offset, digest.algorithm)
    appender = parts.store.appender(session.id, session.sealed, before.offset)
    try:
        write_batch(appender, running, batch)
        piece = appender.seal()
    except BaseException:
        appender.abandon()
        raise
    sealed = session.sealed if piece is None else (*session.sealed, piece)
    whole = Reached(replace(session, sealed=sealed), before.offset + batch.length)
    _check_digest(call, parts, whole, digest, running)
    _settle(call, parts, whole, digest)


def close_staged(call: Call, parts: Parts, session: Upload, digest: Digest) -> None:
    """The close of a session whose bytes are all here. Raises UPLOAD_BUSY while another request writes to it."""
    _close_staged(call, parts, reached(parts, session), digest)


def _close_staged(call: Call, parts: Parts, whole: Reached, digest: Digest) -> None:
    # Nothing staged: the closing request before this one may have come as far as the store, and no further.
    committed = () if whole.offset else parts.store.committed(whole.session.id, digest)
    if committed:
        _finish(call, parts, whole.session, digest, committed)
        return
    writer = parts.store.appender(whole.session.id, whole.session.sealed, whole.offset)
    try:
        running = parts.hashes.take(whole.session.id, whole.offset, digest.algorithm)
        _check_digest(call, parts, whole, digest, running)
    finally:
        writer.abandon()
    _settle(call, parts, whole, digest)


def _check_digest(call: Call, parts: Parts, whole: Reached, digest: Digest, running: RunningHash | None) -> None:
    """Raises DIGEST_MISMATCH, which ends the session: bytes that are not what the client meant are of no use to it."""
    store, session = parts.store, whole.session
    if running is None:
        actual = hash_pieces(store, store.staged_pieces(session.id, session.sealed), digest.algorithm)
    else:
        actual = running.digest()
    if actual == digest:
        return
    # A session without bytes may be one whose closing request was lost on the way: it can still begin anew.
    if whole.offset:
        give_up(call.doors.database, parts, session)
    raise Problem(Kind.DIGEST_MISMATCH, expected=str(digest), actual=str(actual), length=whole.offset)


def _settle(call: Call, parts: Parts, whole: Reached, digest: Digest) -> None:
    """Make the bytes, whose digest was checked, durable, and then say so in the catalog: in this order."""
    pieces = parts.store.commit(whole.session.id, digest, whole.offset, whole.session.sealed)
    _finish(call, parts, whole.session, digest, pieces)


def _finish(call: Call, parts: Parts, session: Upload, digest: Digest, pieces: Sequence[Piece]) -> None:
    try:
        call.doors.database.write(finish_upload, session, digest, pieces, grace_of(call, parts))
    except Problem as problem:
        if problem.kind is Kind.QUOTA_EXCEEDED:
            for piece in pieces:
                parts.store.delete(piece.key)
            give_up(call.doors.database, parts, session)
        raise
    parts.hashes.drop(session.id)


def give_up(database: Database, parts: Parts, session: Upload) -> None:
    """End the session and drop its bytes. Raises BLOB_UPLOAD_UNKNOWN when it has ended already."""
    database.write(sessions.end_upload, session)
    _drop(parts, session)


def cancel(database: Database, parts: Parts, session: Upload, change: Change) -> None:
    """``give_up`` because the client asks for it."""
    database.write(sessions.cancel_upload, session, change)
    _drop(parts, session)


def _drop(parts: Parts, session: Upload) -> None:
    parts.store.discard(session.id, session.sealed)
    parts.hashes.drop(session.id)


def grace_of(call: Call, parts: Parts) -> Grace:
    """From now on, as long as the settings say."""
    now = call.now()
    return Grace(now, now + parts.limits.unlinked_grace)
