"""The stores under test, each named by a text that a child process can open too."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from obstore.store import LocalStore, MemoryStore

from entrepot.content.model import ContentStore, Piece
from entrepot.content.object_store import ObjectStore
from entrepot.content.stores import open_store
from entrepot.oci.digest import Digest

NAME = "here"
_PATTERN = random.Random(3).randbytes(1_000_003)


def open_backend(spec: str) -> ContentStore:
    """``memory:``, ``local:/FOLDER`` (obstore on a folder) or a blob URL."""
    scheme, _, place = spec.partition(":")
    match scheme:
        case "memory":
            return ObjectStore(MemoryStore(), NAME)
        case "local":
            return ObjectStore(LocalStore(Path(place)), NAME)
        case _:
            return open_store(spec, NAME)


def content(start: int, stop: int) -> bytes:
    """Bytes [start, stop) of an endless blob that everyone can make for himself."""
    first = start % len(_PATTERN)
    repeated = _PATTERN * ((first + stop - start) // len(_PATTERN) + 1)
    return repeated[first : first + stop - start]


@dataclass
class Upload:
    """A session as the catalog keeps it: its name, and the pieces that it sealed."""

    store: ContentStore
    session: str = field(default_factory=lambda: uuid.uuid4().hex)
    sealed: list[Piece] = field(default_factory=list)

    @property
    def offset(self) -> int:
        return self.store.staged(self.session, self.sealed)

    def append(self, chunk: bytes) -> None:
        """One request's worth."""
        appender = self.store.appender(self.session, self.sealed, self.offset)
        appender.write(chunk)
        self.record(appender.seal())

    def record(self, piece: Piece | None) -> None:
        """What the catalog does with what a seal answers."""
        if piece is not None:
            self.sealed.append(piece)

    def bytes(self) -> bytes:
        """What is staged now."""
        return joined(self.store, self.store.staged_pieces(self.session, self.sealed))

    def commit(self) -> tuple[Piece, ...]:
        """Under the digest of what is staged."""
        staged = self.bytes()
        return self.store.commit(self.session, Digest.of(staged), len(staged), self.sealed)


def joined(store: ContentStore, pieces: tuple[Piece, ...]) -> bytes:
    """All bytes of the pieces."""
    return b"".join(store.read(pieces, 0, sum(piece.length for piece in pieces)))


def committed(store: ContentStore, *chunks: bytes) -> tuple[Piece, ...]:
    """The pieces of a blob that was pushed in these chunks."""
    upload = Upload(store)
    for chunk in chunks:
        upload.append(chunk)
    return upload.commit()


def keys(store: ContentStore) -> Iterator[str]:
    """Every key that the store lists."""
    return (stored.key for stored in store.walk())
