import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from entrepot.content.ingest import BATCH, Inflow, receive, write_batch
from entrepot.errors import Kind, Problem

PIECE = 16 * 1024


class Sink:
    """An appender that keeps what it gets, and whose writes a test can hold up or make fail."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.threads: set[int] = set()
        self.writing = threading.Event()
        self.let_through = threading.Event()
        self.let_through.set()
        self.failure: Problem | None = None

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.threads.add(threading.get_ident())
        self.writing.set()
        assert self.let_through.wait(10)
        if self.failure is not None:
            raise self.failure
        self.chunks.append(bytes(chunk))

    def seal(self) -> None:
        """Not asked for here."""

    def abandon(self) -> None:
        """Not asked for here."""


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


class Body:
    """A request's body of so many bytes in so long pieces; ``sent`` is how many were asked for so far."""

    def __init__(self, length: int, piece: int = PIECE) -> None:
        self.length, self.piece, self.sent = length, piece, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.sent < self.length:
            chunk = bytes([self.sent // self.piece % 251]) * min(self.piece, self.length - self.sent)
            self.sent += len(chunk)
            yield chunk

    def whole(self) -> bytes:
        starts = range(0, self.length, self.piece)
        return b"".join(bytes([i % 251]) * min(self.piece, self.length - s) for i, s in enumerate(starts))


def inflow(body: Body, limit: int = 1 << 40) -> Inflow:
    return Inflow(aiter(body), limit)


@pytest.mark.parametrize("length", (0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 7))
@pytest.mark.parametrize("piece", (1021, PIECE, 3 * BATCH))
async def test_a_body_is_written_and_hashed_in_order_whatever_its_pieces(sink, executor, length: int, piece: int):
    body, running = Body(length, piece), hashlib.sha256()
    assert await receive(inflow(body), sink, running, executor) == length
    assert b"".join(sink.chunks) == body.whole()
    assert running.hexdigest() == hashlib.sha256(body.whole()).hexdigest()
    assert threading.get_ident() not in sink.threads


async def test_small_pieces_are_written_in_batches_of_a_mebibyte(sink, executor):
    await receive(inflow(Body(3 * BATCH + 7)), sink, None, executor)
    assert [len(chunk) for chunk in sink.chunks] == [BATCH, BATCH, BATCH, 7]


async def test_a_small_body_can_be_had_whole_and_written_by_its_caller(sink):
    body = inflow(Body(100))
    whole = await body.whole()
    assert whole is not None
    write_batch(sink, None, whole)
    assert sink.chunks == [Body(100).whole()]


async def test_asking_for_a_small_body_loses_nothing_of_a_large_one(sink, executor):
    body = inflow(Body(2 * BATCH))
    assert await body.whole() is None
    assert await body.whole() is None
    assert await receive(body, sink, None, executor) == 2 * BATCH
    assert b"".join(sink.chunks) == Body(2 * BATCH).whole()


async def test_a_body_can_be_shared_out_to_several_appenders(sink, executor):
    body = inflow(Body(5 * BATCH + 1))
    lengths: list[int] = []
    while not body.ended:
        lengths.append(await receive(body, sink, None, executor, most=2 * BATCH))
    assert lengths == [2 * BATCH, 2 * BATCH, BATCH + 1]
    assert b"".join(sink.chunks) == Body(5 * BATCH + 1).whole()


@pytest.mark.parametrize(("length", "limit"), ((1, 0), (BATCH + 1, BATCH), (3 * BATCH, 3 * BATCH - 1)))
async def test_a_body_over_the_limit_is_refused_before_all_of_it_is_taken(sink, executor, length: int, limit: int):
    body = Body(length + 100 * PIECE)
    with pytest.raises(Problem) as refused:
        await receive(inflow(body, limit), sink, None, executor)
    assert refused.value.kind is Kind.UPLOAD_TOO_LARGE
    assert sum(map(len, sink.chunks)) <= limit
    assert body.sent <= limit + PIECE


async def test_a_body_of_exactly_the_limit_is_taken(sink, executor):
    assert await receive(inflow(Body(2 * BATCH), 2 * BATCH), sink, None, executor) == 2 * BATCH


@pytest.mark.parametrize("running", (None, hashlib.sha256()), ids=("written", "written-and-hashed"))
async def test_a_write_that_fails_ends_the_intake_with_its_own_failure(sink, executor, running):
    sink.failure = Problem(Kind.STORAGE_FULL, errno="ENOSPC")
    body = Body(100 * BATCH)
    with pytest.raises(Problem) as failed:
        await receive(inflow(body), sink, running, executor)
    assert failed.value is sink.failure
    assert body.sent <= 2 * BATCH


async def test_at_most_two_batches_are_taken_while_the_disk_stalls(sink, executor):
    sink.let_through.clear()
    body = Body(100 * BATCH)
    intake = asyncio.create_task(receive(inflow(body), sink, None, executor))
    await until(lambda: body.sent >= 2 * BATCH)
    await asyncio.wait((intake,), timeout=0.05)
    assert body.sent == 2 * BATCH
    sink.let_through.set()
    assert await intake == 100 * BATCH


@pytest.mark.parametrize("cancels", (1, 3))
@pytest.mark.parametrize("running", (None, hashlib.sha256()), ids=("written", "written-and-hashed"))
async def test_a_cancelled_intake_does_not_let_go_before_the_write_under_way_has_ended(
    sink, executor, running, cancels: int
):
    sink.let_through.clear()
    intake = asyncio.create_task(receive(inflow(Body(100 * BATCH)), sink, running, executor))
    await until(sink.writing.is_set)
    for _ in range(cancels):
        intake.cancel()
        await asyncio.wait((intake,), timeout=0.02)
        assert not intake.done()
    sink.let_through.set()
    with pytest.raises(asyncio.CancelledError):
        await intake
    assert len(sink.chunks) == 1


async def test_a_body_that_breaks_off_lets_the_write_under_way_end_first(sink, executor):
    class Broken(Body):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield bytes(BATCH)
            await until(sink.writing.is_set)
            raise ConnectionResetError

    sink.let_through.clear()
    intake = asyncio.create_task(receive(inflow(Broken(0)), sink, None, executor))
    await until(sink.writing.is_set)
    await asyncio.wait((intake,), timeout=0.02)
    assert not intake.done()
    sink.let_through.set()
    with pytest.raises(ConnectionResetError):
        await intake
    assert len(sink.chunks) == 1


async def test_a_batch_that_no_thread_has_begun_is_dropped_when_the_intake_is_cancelled(sink):
    with ThreadPoolExecutor(1) as busy:
        release = threading.Event()
        busy.submit(release.wait, 10)
        intake = asyncio.create_task(receive(inflow(Body(100 * BATCH)), sink, None, busy))
        await asyncio.wait((intake,), timeout=0.05)
        intake.cancel()
        with pytest.raises(asyncio.CancelledError):
            await intake
        release.set()
    assert sink.chunks == []


async def test_a_body_of_one_piece_is_not_copied():
    piece = b"x" * 100
    whole = await Inflow(aiter(OnePiece(piece)), 100).whole()
    assert whole is not None
    assert whole.content is piece


class OnePiece:
    """A body that comes all at once."""

    def __init__(self, piece: bytes) -> None:
        self.piece = piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.piece


async def until(condition, seconds: float = 10.0) -> None:
    """Let others run until it is so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  what is waited for happens in a thread, which sets no event of ours
            await asyncio.sleep(0)
