"""What a content store is: pieces of bytes under keys, sessions that append, commits that last.

A store knows sessions and keys, nothing of repositories. It never decides what may be deleted: the catalog does
(docs/decisions). All methods block and are called from worker threads. They raise ``Problem`` with UPLOAD_BUSY,
UPLOAD_OUT_OF_ORDER, STORAGE_FULL or STORAGE_UNAVAILABLE, and nothing else for what the outside can cause.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from entrepot.oci.digest import Digest

_SESSION: Final = re.compile(r"[0-9a-f]{32}")


def check_session(session: str) -> str:
    """The session's name, if it is one that we make (32 hex digits): it becomes part of a path or key.

    A name of any other form is our own mistake, so it raises ValueError.
    """
    if _SESSION.fullmatch(session) is None:
        raise ValueError("a session is named by 32 lower-case hex digits")
    return session


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a blob's bytes: the store that holds it, its key there, its length in bytes.

    ``key_scope`` names the encryption scope that the bytes are under; empty for none.
    """

    store: str
    key: str
    length: int
    key_scope: str = ""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What lies under a key, as the store itself sees it.

    ``session`` is the upload that may still be staging it. A folder knows; an object store names the session of every
    key, and the catalog knows whether that one is open.
    """

    key: str
    length: int
    modified: datetime
    session: str | None = None


class Appender(Protocol):
    """The one writer of a session, from its offset on; ``seal`` or ``abandon`` ends it.

    One thread at a time uses it. To abandon what was sealed, or abandoned already, does nothing, so a caller that fails
    anywhere may always abandon. ``length`` is how many bytes it has taken, also after the seal.
    """

    @property
    def length(self) -> int: ...

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append the chunk; it need not be durable yet."""
        ...

    def seal(self) -> Piece | None:
        """End the append and keep the bytes for another process to go on from.

        Answers a piece when the caller must remember it with the session (an object store), None when the staged
        bytes know it themselves (a folder). A seal that raises has abandoned.
        """
        ...

    def abandon(self) -> None:
        """End the append and forget what it wrote: the session is again where this appender began. Never raises."""
        ...


class ContentStore(Protocol):
    """Where blob bytes lie.

    ``name`` is recorded with every piece. ``append_limit`` is how many bytes one appender should take before it is
    sealed and the next one goes on: what a lost connection costs at most, where an append is all or nothing.
    """

    name: str
    append_limit: int

    def staged(self, session: str, sealed: Sequence[Piece], /) -> int:
        """How many bytes of the session lie here. 0 for a session that wrote nothing yet."""
        ...

    def staged_pieces(self, session: str, sealed: Sequence[Piece], /) -> tuple[Piece, ...]:
        """The session's bytes as pieces that ``read`` takes, to hash them before the commit.

        Good until the commit, which may give the bytes other keys.
        """
        ...

    def appender(self, session: str, sealed: Sequence[Piece], offset: int, /) -> Appender:
        """Take the session's writer. Raises UPLOAD_BUSY when another holds it (any process of this store),
        UPLOAD_OUT_OF_ORDER (``offset`` in its detail) when the staged bytes do not end at ``offset``.
        """
        ...

    def commit(self, session: str, digest: Digest, length: int, sealed: Sequence[Piece], /) -> tuple[Piece, ...]:
        """Make the staged bytes durable under keys of their own and answer their pieces, in order.

        The caller has checked that the first ``length`` bytes have the digest. No writer can change them any more,
        but one could have added to them since: then UPLOAD_OUT_OF_ORDER (``offset`` in its detail), as when bytes
        are missing; UPLOAD_BUSY while a writer is at it.

        On return they survive a power loss. The keys belong to this session alone: two sessions with the same
        digest get different keys, so nothing is ever overwritten or shared. A blob of no bytes has no pieces.

        Twice is safe and answers the same. ``staged`` may answer 0 from the first commit on.
        """
        ...

    def committed(self, session: str, digest: Digest, /) -> tuple[Piece, ...]:
        """What a commit of this session under this digest left where ``staged`` no longer sees it; empty for nothing.

        For a closing request that finds nothing staged: the one before it may have died after its commit and before
        the catalog knew. The pieces are as good as the commit's own answer.
        """
        ...

    def discard(self, session: str, sealed: Sequence[Piece], /) -> None:
        """Drop what an uncommitted session staged. Twice is safe; pieces already committed are not touched.

        For an object store ``sealed`` are the pieces to drop, so nobody may hand in those of a committed session.
        A writer that is still at it goes on into the void: its bytes are gone when it seals.
        """
        ...

    def read(self, pieces: Sequence[Piece], start: int, stop: int, /) -> Iterator[bytes]:
        """The bytes [start, stop) of the joined pieces, in chunks of at most 1 MiB. A piece that is missing or
        shorter than recorded raises STORAGE_UNAVAILABLE, never a short answer.
        """
        ...

    def small(self, pieces: Sequence[Piece], /) -> bytes | None:
        """All the bytes, where that is so quick that the event loop may wait for it; None where it is not, or where
        something is wrong with them. Raises STORAGE_UNAVAILABLE.
        """
        ...

    def local_path(self, pieces: Sequence[Piece], /) -> Path | None:
        """The file that holds exactly these pieces, for the web server to send by itself; None when there is none."""
        ...

    def delete(self, key: str, /) -> None:
        """Remove the bytes under a key. A missing key is not an error."""
        ...

    def probe(self) -> None:
        """Ask the store for next to nothing. Raises STORAGE_UNAVAILABLE when it does not answer."""
        ...

    def walk(self) -> Iterator[StoredKey]:
        """Every key, committed and staged, in no order. Memory does not grow with their number."""
        ...
