"""A blob of another registry comes in: through an upload session of the copy's own, as one that is pushed.

A session's name follows from what it is for, so another attempt finds the bytes that are here and goes on after them.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from entrepot.catalog.model import Grace, Place, Upload
from entrepot.catalog.uploads import queries as uploads
from entrepot.catalog.uploads import sessions
from entrepot.catalog.uploads.finish import finish_upload
from entrepot.content.hashes import RunningHash, RunningHashes, hash_pieces
from entrepot.content.ingest import BATCH, Batch, write_batch
from entrepot.content.model import Appender, ContentStore, Piece
from entrepot.errors import Kind, Problem
from entrepot.jobs.run import HandedBack, Run
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Reference
from entrepot.outbound.model import OutboundError
from entrepot.remote.client import PART, RemoteRepository
from entrepot.remote.copies.model import Habits, Progress
from entrepot.remote.problems import failed

_SESSIONS: Final = 1000


def session_of(owner: str, place: Place, digest: Digest) -> str:
    """The name of the session in which this owner's blob arrives."""
    return hashlib.sha256(f"{owner} {place.repository} {digest}".encode()).hexdigest()[:32]


@dataclass(slots=True)
class _Came:
    """How far a session has come."""

    session: Upload
    offset: int


@dataclass(slots=True)
class Arrival:
    """Of one attempt at one copy. ``owner``: who holds its sessions; nobody that could sign in, so nobody else touches
    them.
    """

    run: Run
    store: ContentStore
    remote: RemoteRepository
    owner: str
    habits: Habits
    progress: Progress
    _hashes: RunningHashes = field(default_factory=RunningHashes)

    def fetch(self, named: Reference, place: Place) -> None:
        """Copy the blob into the repository. Raises SOURCE_FAILED, LOCKED, QUOTA_EXCEEDED."""
        if named.size > self.habits.blob_bytes:
            what = f"has a blob of {named.size} bytes ({named.digest}): at most {self.habits.blob_bytes} are taken here"
            raise failed(self.remote.place, what)
        session = self._session(named, place)
        pieces = self.store.committed(session.id, named.digest) if not self._staged(session) else ()
        if not pieces:
            pieces = self._copy(session, named)
        self._finish(session, named.digest, pieces)

    def _session(self, named: Reference, place: Place) -> Upload:
        name = session_of(self.owner, place, named.digest)
        wanted = Upload(name, place, self.owner, named.digest.algorithm, self.run.now, ())
        return self.run.write(_begin_or_find, wanted)

    def _staged(self, session: Upload) -> int:
        return self.store.staged(session.id, session.sealed)

    def _copy(self, session: Upload, named: Reference) -> tuple[Piece, ...]:
        """All the bytes, checked and durable."""
        came = _Came(session, self._staged(session))
        while came.offset < named.size:
            self.remote.patiently_blob(lambda: self._part(came, named))
        self._expect_digest(came.session, named)
        return self.store.commit(session.id, named.digest, named.size, came.session.sealed)

    def _part(self, came: "_Came", named: Reference) -> None:
        """One request's bytes, at the end of the session. What came of one that broke off is kept as well."""
        session, offset = came.session, came.offset
        stop = min(named.size, offset + min(PART, self.store.append_limit))
        appender = self.store.appender(session.id, session.sealed, offset)
        running = self._hashes.take(session.id, offset, named.digest.algorithm)
        broken: BaseException | None = None
        try:
            with self.remote.blob(named.digest, offset, stop, named.size) as pieces:
                for batch in _batches(pieces):
                    write_batch(appender, running, batch)
                    self.progress.came(length=batch.length)
        except (OutboundError, HandedBack) as error:
            broken = error
        except BaseException:
            appender.abandon()
            raise
        if appender.length:
            self._keep(came, appender, running)
        else:
            appender.abandon()
        if broken is not None:
            raise broken
        if not appender.length:
            raise failed(self.remote.place, f"ended the blob {named.digest} at {offset} of {named.size} bytes")

    def _keep(self, came: "_Came", appender: Appender, running: RunningHash | None) -> None:
        session, piece = came.session, appender.seal()
        if piece is None:
            self.run.write(sessions.touch, session, self.run.now)
        else:
            try:
                self.run.write(sessions.record_piece, session, came.offset, piece, self.run.now)
            except Problem:
                self.store.delete(piece.key)
                raise
            came.session = replace(session, sealed=(*session.sealed, piece))
        came.offset += appender.length
        if running is not None and running.length == came.offset:
            self._hashes.put(session.id, running)

    def _expect_digest(self, session: Upload, named: Reference) -> None:
        """Raises SOURCE_FAILED, and drops the bytes, when they are not what the manifest names."""
        length = self._staged(session)
        writer = self.store.appender(session.id, session.sealed, length)
        try:
            running = self._hashes.take(session.id, length, named.digest.algorithm)
            if running is None:
                staged = self.store.staged_pieces(session.id, session.sealed)
                actual = hash_pieces(self.store, staged, named.digest.algorithm)
            else:
                actual = running.digest()
        finally:
            writer.abandon()
        if length != named.size or actual != named.digest:
            drop_session(self.run, self.store, session)
            what = f"gave other bytes for the blob {named.digest} than its digest names: {length} with {actual}"
            raise failed(self.remote.place, what)

    def _finish(self, session: Upload, digest: Digest, pieces: tuple[Piece, ...]) -> None:
        grace = Grace(self.run.now, self.run.now + self.habits.unlinked_grace)
        try:
            self.run.write(finish_upload, session, digest, pieces, grace)
        except Problem as problem:
            if problem.kind is Kind.QUOTA_EXCEEDED:
                for piece in pieces:
                    self.store.delete(piece.key)
                drop_session(self.run, self.store, session)
            raise
        self._hashes.drop(session.id)


def _batches(pieces: Iterator[bytes]) -> Iterator[Batch]:
    """Gathered to about BATCH bytes."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= BATCH:
            yield Batch(bytes(gathered), last=False)
            gathered.clear()
    if gathered:
        yield Batch(bytes(gathered), last=True)


def _begin_or_find(tx: Connection, wanted: Upload) -> Upload:
    place = wanted.place
    rows = uploads.UPLOAD_OF_PRINCIPAL.rows(
        tx, upload=wanted.id, registry=place.registry, repository=place.repository, principal=wanted.principal
    )
    found = uploads.stored_upload(rows, wanted.id, place, wanted.principal)
    if found is not None:
        return found
    sessions.begin_upload(tx, wanted, _SESSIONS)
    return wanted


def drop_session(run: Run, store: ContentStore, session: Upload) -> None:
    """End it without a blob."""
    run.write(sessions.end_upload, session)
    store.discard(session.id, session.sealed)


def drop_all(run: Run, store: ContentStore, owner: str) -> None:
    """End the sessions that a failed copy left."""
    for session in run.read(uploads.sessions_of, owner):
        drop_session(run, store, session)
