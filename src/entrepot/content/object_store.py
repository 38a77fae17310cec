"""The object store: blob bytes as objects of S3, Azure Blob or Google Cloud Storage, by obstore.

An object cannot be appended to, so each append that seals becomes an object of its own, and a blob is the list of them
in order. Nothing is copied to be committed. One writer per session holds within this process; across processes the
catalog arbitrates: whoever seals inserts the piece's row, unique by session and offset, and the loser of that race
deletes its own object (``delete(piece.key)``). Keys end in a random part, so no write can hit another's object.

A process that dies in the middle of a multipart upload leaves parts that only the bucket's lifecycle rule removes
("abort incomplete multipart uploads"); a process that lives aborts its own.
"""

import os
import re
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore as Bucket

from entrepot.content.model import Piece, StoredKey, check_session
from entrepot.errors import Kind, Problem
from entrepot.oci.digest import Digest

# One append holds at most one part being filled, one handed over and PARALLEL_PARTS on their way: 40 MiB.
PART: Final = 8 * 1024 * 1024
PARALLEL_PARTS: Final = 3
# S3 takes 10,000 parts, which would be 80 GiB; but an object is all or nothing, and a lost connection loses it.
APPEND_LIMIT: Final = 4 * 1024 * 1024 * 1024
READ_CHUNK: Final = 1024 * 1024
READ_WINDOW: Final = 4 * 1024 * 1024
PREFIX: Final = "blobs"

_KEY: Final = re.compile(r"blobs/(?P<session>[0-9a-f]{32})/[0-9]{20}-[0-9a-f]{32}")


@contextmanager
def _storage_problems() -> Generator[None]:
    """Turn the store's failures into ours. Its texts hold addresses and keys, so the caller learns only their kind."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise Problem(Kind.STORAGE_UNAVAILABLE, reason=type(error).__name__) from error


class _Abandoned(Exception):
    """Raised into a multipart upload so that obstore aborts it."""


class _Multipart:
    """A multipart upload in a thread of its own, fed part by part. ``finish`` or ``abort`` ends and joins it.

    obstore's own file-like writer cannot abort; its ``put`` aborts when the source of the parts raises.
    """

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._turn = threading.Condition()
        self._part: bytearray | None = None
        self._complete = False
        self._abandoned = False
        self._over = False
        self._stored = False
        self._failure = Problem(Kind.STORAGE_UNAVAILABLE, reason="Unfinished")
        # A daemon, so that an append that nobody ends cannot hold up the end of the process.
        self._thread = threading.Thread(target=self._upload, args=(bucket, key), name="multipart", daemon=True)
        self._thread.start()

    def feed(self, part: bytearray) -> None:
        """Hand a part over; waits until it is taken, for memory's sake. Raises what the upload failed with."""
        with self._turn:
            self._part = part
            self._turn.notify()
            self._turn.wait_for(lambda: self._part is None or self._over)
        self._raise_failure()

    def finish(self) -> None:
        """Wait until the object is complete. Raises what the upload failed with."""
        with self._turn:
            self._complete = True
            self._turn.notify()
        self._thread.join()
        self._raise_failure()

    def abort(self) -> None:
        """Wait until the parts are gone, or turned out to be out of reach."""
        with self._turn:
            self._abandoned = True
            self._turn.notify()
        self._thread.join()

    def _raise_failure(self) -> None:
        if self._over and not self._stored:
            raise self._failure

    def _upload(self, bucket: Bucket, key: str) -> None:
        try:
            with suppress(_Abandoned), _storage_problems():
                obstore.put(
                    bucket, key, self._source(), use_multipart=True, chunk_size=PART, max_concurrency=PARALLEL_PARTS
                )
                self._stored = True
        except Problem as problem:
            self._failure = problem
        finally:
            with self._turn:
                self._over = True
                self._turn.notify()

    def _source(self) -> Iterator[bytearray]:
        while (part := self._next_part()) is not None:
            yield part

    def _next_part(self) -> bytearray | None:
        with self._turn:
            self._turn.wait_for(lambda: self._part is not None or self._complete or self._abandoned)
            if self._abandoned:
                raise _Abandoned
            part, self._part = self._part, None
            self._turn.notify()
            return part


class ObjectAppender:
    """One append: a plain put when it fits in a part, a multipart upload otherwise. Nothing shows before ``seal``."""

    def __init__(self, bucket: Bucket, piece_of: Callable[[int], Piece], release: Callable[[], None]) -> None:
        self._bucket = bucket
        self._piece_of = piece_of
        self._key = piece_of(0).key
        self._release = release
        self._length = 0
        self._part = bytearray()
        self._multipart: _Multipart | None = None

    @property
    def length(self) -> int:
        """How many bytes were written."""
        return self._length

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Into the part being filled; a full one goes on its way."""
        self._part += chunk
        self._length += len(chunk)
        if len(self._part) >= PART:
            self._send_part()

    def seal(self) -> Piece | None:
        """The object is there and durable when this returns. No object for no bytes."""
        try:
            if self._multipart is not None:
                if self._part:
                    self._send_part()
                self._multipart.finish()
            elif self._length:
                self._put_whole()
        except Problem:
            self.abandon()
            raise
        self._end()
        return self._piece_of(self._length) if self._length else None

    def abandon(self) -> None:
        """Nothing was visible yet; parts under way are aborted."""
        if self._multipart is not None:
            self._multipart.abort()
        self._end()

    def _end(self) -> None:
        release, self._release = self._release, _nothing
        release()

    def _send_part(self) -> None:
        if self._multipart is None:
            self._multipart = _Multipart(self._bucket, self._key)
        part, self._part = self._part, bytearray()
        self._multipart.feed(part)

    def _put_whole(self) -> None:
        with _storage_problems():
            try:
                obstore.put(self._bucket, self._key, self._part, mode="create", use_multipart=False)
            except AlreadyExistsError:
                # The key is random: it was our own try, whose answer got lost and which obstore repeated.
                if obstore.head(self._bucket, self._key)["size"] != self._length:
                    raise


def _nothing() -> None:
    """What an appender that has ended releases."""


class ObjectStore:
    """Blobs in one bucket, or under a prefix of it that obstore adds, which any number of machines may share."""

    def __init__(self, bucket: Bucket, name: str) -> None:
        self.name = name
        self.append_limit = APPEND_LIMIT
        self._bucket = bucket
        self._writing: set[str] = set()
        self._taking = threading.Lock()

    def staged(self, _session: str, sealed: Sequence[Piece]) -> int:
        """The pieces' lengths: what did not seal does not count."""
        return sum(piece.length for piece in sealed)

    def staged_pieces(self, _session: str, sealed: Sequence[Piece]) -> tuple[Piece, ...]:
        """The sealed pieces: they are what is staged."""
        return tuple(sealed)

    def appender(self, session: str, sealed: Sequence[Piece], offset: int) -> ObjectAppender:
        """Take the session within this process."""
        _check_length(sealed, offset)
        prefix = f"{PREFIX}/{check_session(session)}/{offset:020d}-{os.urandom(16).hex()}"
        with self._taking:
            if session in self._writing:
                raise Problem(Kind.UPLOAD_BUSY)
            self._writing.add(session)
        return ObjectAppender(
            self._bucket, lambda length: Piece(self.name, prefix, length), lambda: self._writing.discard(session)
        )

    def commit(self, _session: str, _digest: Digest, length: int, sealed: Sequence[Piece]) -> tuple[Piece, ...]:
        """The sealed pieces as they are."""
        _check_length(sealed, length)
        return tuple(sealed)

    def committed(self, _session: str, _digest: Digest) -> tuple[Piece, ...]:
        """Nothing: a commit leaves the sealed pieces where they are."""
        return ()

    def discard(self, _session: str, sealed: Sequence[Piece]) -> None:
        """Delete the pieces."""
        for piece in sealed:
            self.delete(piece.key)

    def read(self, pieces: Sequence[Piece], start: int, stop: int) -> Iterator[bytes]:
        """Ranged gets of READ_WINDOW bytes: one long get would end when a slow reader outlasts its time limit."""
        for piece in pieces:
            for begin in range(max(start, 0), min(stop, piece.length), READ_WINDOW):
                window = self._read_window(piece, begin, min(begin + READ_WINDOW, stop, piece.length))
                for cut in range(0, len(window), READ_CHUNK):
                    yield bytes(window[cut : cut + READ_CHUNK])
            start -= piece.length
            stop -= piece.length

    def small(self, _pieces: Sequence[Piece]) -> bytes | None:
        """A request to the store is never worth it."""
        return None

    def local_path(self, _pieces: Sequence[Piece]) -> Path | None:
        """No file: the bytes are elsewhere."""
        return None

    def delete(self, key: str) -> None:
        """Delete the object."""
        with _storage_problems(), suppress(FileNotFoundError):
            obstore.delete(self._bucket, _checked(key))

    def probe(self) -> None:
        """Look for objects that are not there: unlike a look at one of them, this tells a missing bucket."""
        with _storage_problems():
            pages = obstore.list(self._bucket, f"{PREFIX}/probe")  # pyright: ignore[reportUnknownMemberType]  its Arrow overloads
            next(iter(pages), None)

    def walk(self) -> Iterator[StoredKey]:
        """Page by page. Every key names the session that made it: a bucket cannot tell whether that is committed."""
        with _storage_problems():
            pages = obstore.list(self._bucket, PREFIX, chunk_size=1000)  # pyright: ignore[reportUnknownMemberType]  its Arrow overloads
            for page in pages:
                for seen in page:
                    match = _KEY.fullmatch(seen["path"])
                    if match is not None:
                        yield StoredKey(seen["path"], seen["size"], seen["last_modified"], match["session"])

    def _read_window(self, piece: Piece, start: int, stop: int) -> memoryview:
        with _storage_problems():
            found = obstore.get(self._bucket, _checked(piece.key), options={"range": (start, stop)})
            window = memoryview(found.bytes())
        if found.meta["size"] < piece.length or len(window) != stop - start:
            raise Problem(Kind.STORAGE_UNAVAILABLE, reason="ShortObject")
        return window


def _check_length(sealed: Sequence[Piece], wanted: int) -> None:
    staged = sum(piece.length for piece in sealed)
    if staged != wanted:
        raise Problem(Kind.UPLOAD_OUT_OF_ORDER, offset=staged)


def _checked(key: str) -> str:
    """A key of ours. Any other form is none of our objects."""
    if _KEY.fullmatch(key) is None:
        raise ValueError("a key of another form than this store gives")
    return key
