"""The way in: from a request's body to an appender, with no hashing and no writing on the event loop.

The web server hands over pieces of at most 16 KiB. They are gathered into batches of 1 MiB, and worker threads write
and hash one batch while the next is being gathered, so at most two batches lie in memory.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Final

from entrepot.content.hashes import Hasher
from entrepot.content.model import Appender
from entrepot.errors import Kind, Problem

BATCH: Final = 1024 * 1024
# A batch of this size is written and hashed by two threads at once: on two idle cores 0.46 s for 500 MB instead of
# 0.53, hash and disk alone. A smaller one is done before a second thread has woken up.
_WORTH_TWO_THREADS: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of the body's bytes; ``last`` when the body ended with them."""

    content: bytes
    last: bool

    @property
    def length(self) -> int:
        """How many bytes."""
        return len(self.content)


class Inflow:
    """A request's body in batches, at most ``limit`` bytes of it."""

    def __init__(self, body: AsyncIterator[bytes], limit: int) -> None:
        self._body = body
        self._left = limit
        self._ahead: Batch | None = None
        self.ended = False

    async def whole(self) -> Batch | None:
        """The whole body if it ends within one batch: its caller can then do all the rest in one go in one thread
        (``write_batch``). Otherwise None, and ``receive`` goes on from here. Raises UPLOAD_TOO_LARGE.
        """
        if self._ahead is None:
            self._ahead = await self._gather()
        return self._ahead if self._ahead.last else None

    def follow(self, offset: int) -> None:
        """The body goes after so many bytes: they count against the limit. Raises UPLOAD_TOO_LARGE."""
        self._left -= offset
        if self._left < 0:
            raise Problem(Kind.UPLOAD_TOO_LARGE)

    async def batch(self) -> Batch:
        """The next batch: BATCH bytes, up to one piece more, or what is left; ``ended`` is true after the last one.

        Raises UPLOAD_TOO_LARGE.
        """
        ahead, self._ahead = self._ahead, None
        batch = ahead if ahead is not None else await self._gather()
        self.ended = batch.last
        return batch

    async def _gather(self) -> Batch:
        pieces: list[bytes] = []
        length = 0
        async for piece in self._body:
            length += len(piece)
            if length > self._left:
                raise Problem(Kind.UPLOAD_TOO_LARGE)
            pieces.append(piece)
            if length >= BATCH:
                self._left -= length
                return Batch(_joined(pieces), last=False)
        return Batch(_joined(pieces), last=True)


def _joined(pieces: list[bytes]) -> bytes:
    # On the event loop on purpose: 0.1 ms for a batch, and its pieces need no place beside it in memory.
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def write_batch(appender: Appender, hasher: Hasher | None, batch: Batch) -> None:
    """Append the batch and hash it. For a worker thread."""
    if batch.content:
        appender.write(batch.content)
        if hasher is not None:
            hasher.update(batch.content)


async def receive(
    inflow: Inflow, appender: Appender, hasher: Hasher | None, executor: Executor, most: int | None = None
) -> int:
    """Append and hash the body, or ``most`` bytes of it rounded up to a batch; how many bytes that was.

    ``inflow.ended`` says whether the body is through; if not, its rest goes to another appender. ``hasher`` is None
    when the bytes before these were not hashed here. Raises UPLOAD_TOO_LARGE, what the appender raises, what the body
    raises. The appender is the caller's to seal or abandon: when this returns, raises or is cancelled, no thread is
    using it any more.
    """
    length = 0
    working: tuple[Future[None], ...] = ()
    try:
        while True:
            batch = await inflow.batch()
            length += batch.length
            await _finished(working)
            working = _put_to_work(executor, appender, hasher, batch)
            if batch.last or (most is not None and length >= most):
                await _finished(working)
                return length
    finally:
        await _let_go(working)


def _put_to_work(
    executor: Executor, appender: Appender, hasher: Hasher | None, batch: Batch
) -> tuple[Future[None], ...]:
    if hasher is None or batch.length < _WORTH_TWO_THREADS:
        return (executor.submit(write_batch, appender, hasher, batch),)
    return executor.submit(appender.write, batch.content), executor.submit(hasher.update, batch.content)


async def _ended(work: Future[None]) -> None:
    """Wait for the thread. Cancelling the wait leaves the thread alone."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    work.add_done_callback(lambda _: loop.call_soon_threadsafe(ended.set))
    await ended.wait()


async def _finished(working: tuple[Future[None], ...]) -> None:
    """Wait for the threads and raise what one of them raised."""
    for work in working:
        await _ended(work)
        work.result()


async def _let_go(working: tuple[Future[None], ...]) -> None:
    """Return when no thread works on the batch any more, however often the wait is cancelled (at most one write)."""
    interrupted: asyncio.CancelledError | None = None
    for work in working:
        while not (work.cancel() or work.done()):
            try:
                await _ended(work)
            except asyncio.CancelledError as error:
                interrupted = error
    if interrupted is not None:
        raise interrupted
