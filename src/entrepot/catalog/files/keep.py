"""A file that is written here, in a worker's thread: a log, what a run made."""

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from entrepot.catalog.files import queries
from entrepot.catalog.files.blocks import begin_block, begin_file, commit_blocks, finish_block
from entrepot.catalog.files.model import NewBlock, NewFile, StoredBlock, Wanted
from entrepot.content.hashes import RunningHash
from entrepot.content.model import Appender, ContentStore
from entrepot.oci.digest import ALGORITHMS, CANONICAL

P = ParamSpec("P")
T = TypeVar("T")

# A block is one piece of the store, and a piece no longer than an append may be.
BLOCK: Final = 1024**3
# One that never came to its end.
_UNFINISHED: Final = timedelta(days=1)


class Writes(Protocol):
    """The write door: a database's own, or that of a run."""

    def write(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Change the catalog in one short transaction."""
        ...


def keep(doors: Writes, store: ContentStore, file: NewFile, chunks: Iterable[bytes]) -> int:
    """Write the file; its length in bytes. What fails or dies midway is gone a day later. Raises ``Problem``, and what
    the chunks raise.
    """
    now = file.created_at
    doors.write(begin_file, NewFile(file.id, file.registry, now, now + _UNFINISHED))
    names: list[Wanted] = []
    for number, some in enumerate(_blocks(iter(chunks))):
        names.append(Wanted(f"{number}"))
        session = hashlib.sha256(f"{file.id} {number}".encode()).hexdigest()[:32]
        block = NewBlock(session, file.id, names[-1].name, 0)
        doors.write(begin_block, block, sys.maxsize)
        doors.write(finish_block, _store(store, block, some), now)
    length = doors.write(commit_blocks, file.id, names, now)
    doors.write(queries.set_expiry, file.id, file.expires_at)
    return length


def _blocks(chunks: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
    """The chunks in runs of about BLOCK bytes, each to be read to its end before the next."""
    for first in chunks:
        yield _run(first, chunks)


def _run(first: bytes, more: Iterator[bytes]) -> Iterator[bytes]:
    length = len(first)
    yield first
    while length < BLOCK and (chunk := next(more, None)) is not None:
        length += len(chunk)
        yield chunk


def _store(store: ContentStore, block: NewBlock, chunks: Iterable[bytes]) -> StoredBlock:
    running = RunningHash(ALGORITHMS[CANONICAL]())
    appender = store.appender(block.session, (), 0)
    try:
        for chunk in chunks:
            appender.write(chunk)
            running.update(chunk)
        return settle(store, block, appender, running)
    except BaseException:
        appender.abandon()
        store.discard(block.session, ())
        raise


def settle(store: ContentStore, block: NewBlock, appender: Appender, running: RunningHash) -> StoredBlock:
    """Make what the appender took durable; ``running`` has hashed it all. Nothing is left of it when this raises."""
    piece = appender.seal()
    sealed = () if piece is None else (piece,)
    digest, written = running.digest(), NewBlock(block.session, block.file, block.name, appender.length)
    try:
        return StoredBlock(written, digest, store.commit(block.session, digest, appender.length, sealed))
    except BaseException:
        store.discard(block.session, sealed)
        raise
