"""Running hashes of upload sessions, kept in the process that wrote the bytes.

A session that stays with one process is hashed as it comes in. When it changed hands, or this process forgot it, its
bytes are read again and hashed once, at the closing request. A hash state never leaves the process.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, Protocol, Self

from entrepot.content.model import ContentStore, Piece
from entrepot.oci.digest import ALGORITHMS, Digest, Hash

# A kept state is a few hundred bytes; more open sessions than this in one process hash again at their end.
REMEMBERED_SESSIONS: Final = 4096


class Hasher(Protocol):
    """What takes bytes in order: one running hash, or several side by side."""

    def update(self, chunk: bytes, /) -> None:
        """Take the next bytes."""
        ...


class RunningHash:
    """A hash of the first ``length`` bytes of a session."""

    __slots__ = ("_hash", "length")

    def __init__(self, started: Hash, length: int = 0) -> None:
        self._hash = started
        self.length = length

    @property
    def algorithm(self) -> str:
        """The digest algorithm's name."""
        return self._hash.name

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._hash.update(chunk)
        self.length += len(chunk)

    def copy(self) -> Self:
        """One of the same bytes, to go on with apart."""
        return type(self)(self._hash.copy(), self.length)

    def digest(self) -> Digest:
        """The digest so far."""
        return Digest(self._hash.name, self._hash.hexdigest())


class RunningHashes:
    """The hashes of this process's unfinished sessions. For any thread."""

    def __init__(self, limit: int = REMEMBERED_SESSIONS) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, RunningHash] = OrderedDict()

    def take(self, session: str, offset: int, algorithm: str) -> RunningHash | None:
        """A hash of the session's first ``offset`` bytes, the caller's own to go on with; None when unknown.

        What is kept stays, so an append that is abandoned costs nothing: a session never goes back behind the
        offset of a sealed append, hence bytes that were hashed once are the session's for good.
        """
        if offset == 0:
            return RunningHash(ALGORITHMS[algorithm]())
        with self._lock:
            running = self._kept.get(session)
            if running is None or running.length != offset or running.algorithm != algorithm:
                return None
            return running.copy()

    def put(self, session: str, running: RunningHash) -> None:
        """Keep the hash of bytes that were sealed, all of them. Hand over, do not go on."""
        with self._lock:
            self._kept[session] = running
            self._kept.move_to_end(session)
            if len(self._kept) > self._limit:
                self._kept.popitem(last=False)

    def drop(self, session: str) -> None:
        """Forget a session that ended. Twice is safe."""
        with self._lock:
            self._kept.pop(session, None)


def hash_pieces(store: ContentStore, pieces: Sequence[Piece], algorithm: str) -> Digest:
    """The digest of the joined pieces, read back from the store. Blocks; memory does not grow with their length."""
    running = RunningHash(ALGORITHMS[algorithm]())
    for chunk in store.read(pieces, 0, sum(piece.length for piece in pieces)):
        running.update(chunk)
    return running.digest()
