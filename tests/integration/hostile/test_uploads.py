"""Uploads that lie, stall, compete or pry (MARKET 5b, 6 and 20)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest
from tests.content import digest_of, some_bytes
from tests.integration.rows import add_principal, upload_count
from tests.registry import Registry, Repository, Upload
from tests.wire import Answer, HungUp

from entrepot.content import ingest
from entrepot.content.folder import FolderAppender
from entrepot.content.hashes import Hasher
from entrepot.content.ingest import Batch
from entrepot.content.model import Appender

CONTENT = some_bytes(30_000, "content")
MIB = 1024 * 1024
EMPTY = digest_of(b"")


@pytest.fixture
async def upload(app: Repository) -> Upload:
    """A session that holds the first 10,000 bytes."""
    upload = await app.start()
    await upload.append(CONTENT[:10_000])
    return upload


def staged(registry: Registry) -> int:
    """Bytes in unfinished uploads."""
    return sum(path.stat().st_size for path in (registry.settings.data_dir / "content" / "staging").iterdir())


def files(registry: Registry) -> int:
    return sum(path.is_file() for path in (registry.settings.data_dir / "content").rglob("*"))


# --- lies about where and how long ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        "10000-19999",
        "bytes 10000-19999/*",
        "bytes 10000-19999/30000",
        "bytes=10000-19999",
        " 10000-19999 ",
    ],
)
async def test_a_content_range_that_clients_really_send_is_understood(upload: Upload, form: str) -> None:
    assert (await upload.append(CONTENT[10_000:20_000], {"content-range": form})).status == 202


@pytest.mark.parametrize(
    "form",
    [
        "",
        "nonsense",
        "10000",
        "10000-",
        "-19999",
        "10000-19999-20000",
        "+10000-19999",
        "10000--19999",
        "1e4-19999",
        "0x2710-0x4e1f",
        "10,000-19,999",
        "bytes */30000",
        "10000-19999\x00",
        "\xb2-\xb3",
        "9" * 100 + "-" + "9" * 100,
        "bytes bytes 10000-19999",
        "lines 10000-19999",
    ],
    ids=lambda form: repr(form)[:24],
)
@pytest.mark.parametrize("way", ["PATCH", "PUT"])
async def test_a_content_range_of_another_form_is_refused_and_nothing_is_taken(
    upload: Upload, form: str, way: str
) -> None:
    target = upload.location if way == "PATCH" else f"{upload.location}?digest={digest_of(CONTENT)}"
    answer = await upload.http.send(way, target, {"content-range": form}, CONTENT[10_000:20_000])
    assert answer.status in {400, 416}
    assert await upload.offset() == 10_000


@pytest.mark.parametrize(
    ("said", "length"),
    [("10000-19999", 9_999), ("10000-19999", 10_001), ("10000-9999", 0), ("10000-10000", 2), ("10000-5000", 10)],
)
@pytest.mark.parametrize("streamed", [False, True], ids=["with Content-Length", "without"])
async def test_a_content_range_of_another_length_is_refused_and_nothing_is_taken(
    upload: Upload, said: str, length: int, streamed: bool
) -> None:
    body = CONTENT[10_000 : 10_000 + length]
    answer = await upload.append(iter([body]) if streamed else body, {"content-range": said})
    assert (answer.status, answer.code) in {(400, "SIZE_INVALID"), (416, "BLOB_UPLOAD_INVALID")}
    assert await upload.offset() == 10_000


@pytest.mark.parametrize("size", [2 * MIB, 5 * MIB + 1], ids=["two batches", "six"])
async def test_a_long_body_that_ends_before_its_content_range_leaves_nothing_behind(upload: Upload, size: int) -> None:
    said = {"content-range": f"10000-{10_000 + size}"}
    assert (await upload.append(iter([some_bytes(size)]), said)).status == 400
    assert await upload.offset() == 10_000


@pytest.mark.parametrize("length", ["abc", "-1", "", "1e3", "9" * 30, "0x10"])
async def test_a_content_length_that_is_no_number_is_refused(upload: Upload, length: str) -> None:
    headers = {"content-range": "10000-10009", "content-length": length}
    assert (await upload.append(b"0123456789", headers)).status == 400
    assert await upload.offset() == 10_000


async def test_an_empty_chunk_changes_nothing(upload: Upload) -> None:
    for headers in ({}, {"content-range": "10000-10000"}):
        answer = await upload.append(b"", headers)
        assert (answer.status, answer["range"]) == (202, "0-9999")


# --- too much ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1 * MIB + 1, 4 * MIB])
@pytest.mark.parametrize("way", ["post", "patch", "put", "streamed patch"])
async def test_a_blob_over_the_limit_is_refused_and_leaves_nothing(start_registry, way: str, length: int) -> None:
    registry = await start_registry(max_blob_bytes=MIB)
    app, body = registry.repository("app"), some_bytes(length)
    if way == "post":
        answer = await app.http.post(app.path(f"blobs/uploads/?digest={digest_of(body)}"), body)
        assert registry.query(upload_count) == 0
    else:
        upload = await app.start()
        answer = (
            await upload.close(digest_of(body), body)
            if way == "put"
            else await upload.append(iter([body]) if way == "streamed patch" else body)
        )
        assert await upload.offset() == 0
    assert (answer.status, answer.code) == (413, "SIZE_INVALID")
    assert staged(registry) == 0


async def test_a_blob_of_exactly_the_limit_is_taken(start_registry) -> None:
    registry = await start_registry(max_blob_bytes=MIB)
    await registry.repository("app").push_blob(some_bytes(MIB))


async def test_chunks_cannot_add_up_beyond_the_limit(start_registry) -> None:
    registry = await start_registry(max_blob_bytes=MIB)
    upload = await registry.repository("app").start()
    assert (await upload.append(some_bytes(MIB - 10))).status == 202
    assert (await upload.append(b"x" * 11)).status == 413
    assert await upload.offset() == MIB - 10
    assert (await upload.append(b"x" * 10)).status == 202


async def test_a_body_without_end_is_cut_at_the_limit(start_registry) -> None:
    registry = await start_registry(max_blob_bytes=MIB)
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 16_384
            yield b"\0" * 16_384

    upload = await registry.repository("app").start()
    assert (await upload.append(endless())).status == 413
    assert sent < 3 * MIB


async def test_one_principal_has_only_so_many_uploads(start_registry) -> None:
    registry = await start_registry(uploads_per_principal=3)
    app = registry.repository("app")
    uploads = [await app.start() for _ in range(3)]
    for query in ("", f"?digest={digest_of(CONTENT)}"):
        answer = await app.http.post(app.path("blobs/uploads/") + query, CONTENT if query else b"")
        assert (answer.status, answer.code) == (429, "TOOMANYREQUESTS")
    await uploads[0].cancel()
    await uploads[1].close(digest_of(CONTENT), CONTENT)
    assert [await app.start(), await app.start()]


async def test_uploads_at_once_cannot_get_past_their_number(start_registry) -> None:
    workers = [await start_registry(uploads_per_principal=3) for _ in range(2)]
    answers = await asyncio.gather(*(worker.http.post("/v2/app/blobs/uploads/") for worker in workers * 20))
    assert sorted(answer.status for answer in answers) == [202] * 3 + [429] * 37


# --- stalled ----------------------------------------------------------------------------------------------------------


async def _stalling(first: bytes) -> AsyncIterator[bytes]:
    yield first
    await asyncio.Event().wait()


@pytest.mark.parametrize("length", [10, 2 * MIB], ids=["in the first batch", "later"])
async def test_an_upload_that_sends_nothing_for_too_long_is_cut_and_can_resume(start_registry, length: int) -> None:
    registry = await start_registry(upload_idle_seconds=1)
    body = some_bytes(length)
    upload = await registry.repository("app").start()
    answer = await asyncio.wait_for(upload.append(_stalling(body)), 10)
    assert (answer.status, answer.code) == (408, "BLOB_UPLOAD_INVALID")
    offset = await upload.offset()
    assert length - MIB <= offset <= length, "more than the batch that was being gathered is lost"
    assert (await upload.close(digest_of(body + b"end"), body[offset:] + b"end")).status == 201


@pytest.mark.parametrize("target", ["manifests/v1", "blobs/uploads/?digest=" + EMPTY])
async def test_any_stalled_body_is_cut(start_registry, target: str) -> None:
    registry = await start_registry(upload_idle_seconds=1)
    app = registry.repository("app")
    method = "PUT" if target.startswith("manifests") else "POST"
    answer = await asyncio.wait_for(app.http.send(method, app.path(target), body=_stalling(b"{")), 10)
    assert answer.status == 408
    assert registry.query(upload_count) == 0


async def test_a_stalled_form_is_cut(start_registry) -> None:
    registry = await start_registry(upload_idle_seconds=1)
    answer = await asyncio.wait_for(registry.nobody.post("/oauth2/token", _stalling(b"grant_type=")), 10)
    assert answer.status == 408


async def test_a_slow_upload_that_keeps_sending_is_not_cut(start_registry) -> None:
    registry = await start_registry(upload_idle_seconds=1)

    async def dripping() -> AsyncIterator[bytes]:
        for byte in CONTENT[:6]:
            yield bytes([byte])
            await asyncio.sleep(0.3)

    upload = await registry.repository("app").start()
    assert (await upload.append(dripping())).status == 202
    assert await upload.offset() == 6


async def test_a_client_that_hangs_up_during_a_single_post_leaves_no_session(registry: Registry) -> None:
    """It never learnt where the session is, so nobody could ever end it."""

    def breaking() -> Iterator[bytes]:
        yield CONTENT[:10_000]
        raise HungUp

    await registry.http.post(f"/v2/app/blobs/uploads/?digest={digest_of(CONTENT)}", breaking())
    assert (registry.query(upload_count), files(registry)) == (0, 0)


# --- two at once ------------------------------------------------------------------------------------------------------


class Held:
    """A body that waits in the middle until it is let go."""

    def __init__(self, first: bytes, rest: bytes) -> None:
        self._first, self._rest = first, rest
        self.reached = asyncio.Event()
        self._go = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._first
        self.reached.set()
        await self._go.wait()
        yield self._rest

    def let_go(self) -> None:
        self._go.set()


@pytest.mark.parametrize("second", ["patch", "long patch", "put", "empty put"])
async def test_of_two_writers_on_one_session_one_is_refused_and_nothing_is_mixed(start_registry, second: str) -> None:
    workers = [await start_registry(), await start_registry()]
    upload = await workers[0].repository("app").start()
    held = Held(b"A" * (2 * MIB), b"A" * MIB)
    first = asyncio.ensure_future(upload.append(held))
    await held.reached.wait()
    other = Upload(workers[1].http, upload.location)
    answer = await {
        "patch": lambda: other.append(b"B" * 10),
        "long patch": lambda: other.append(b"B" * (3 * MIB)),
        "put": lambda: other.close(digest_of(b"B" * 10), b"B" * 10),
        "empty put": lambda: other.close(EMPTY),
    }[second]()
    held.let_go()
    assert (answer.status, answer.code) in {(409, "BLOB_UPLOAD_INVALID"), (416, "BLOB_UPLOAD_INVALID")}
    assert (await first).status == 202
    assert (await upload.close(digest_of(b"A" * (3 * MIB)))).status == 201


async def test_ten_writers_at_once_leave_a_blob_of_whole_chunks(app: Repository) -> None:
    upload = await app.start()
    chunks = [bytes([65 + number]) * 1000 for number in range(10)]
    answers = await asyncio.gather(*(upload.append(chunk) for chunk in chunks))
    assert {answer.status for answer in answers} <= {202, 409, 416}
    taken = [chunk for chunk, answer in zip(chunks, answers, strict=True) if answer.status == 202]
    assert await upload.offset() == 1000 * len(taken)
    order = sorted((answer for answer in answers if answer.status == 202), key=lambda answer: int(answer["range"][2:]))
    whole = b"".join(chunks[answers.index(answer)] for answer in order)
    assert (await upload.close(digest_of(whole))).status == 201


async def test_a_writer_that_is_overtaken_after_its_seal_tells_its_own_offset(
    app: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await app.start()
    seal = FolderAppender.seal

    def overtaken(appender: FolderAppender) -> None:
        seal(appender)
        monkeypatch.undo()
        with Path(appender._path).open("ab") as file:
            file.write(b"B" * 500)

    monkeypatch.setattr(FolderAppender, "seal", overtaken)
    assert (await upload.append(b"A" * 1000))["range"] == "0-999"
    assert await upload.offset() == 1500
    assert (await upload.close(digest_of(b"A" * 1000 + b"B" * 500))).status == 201


async def test_bytes_of_a_broken_body_that_were_written_and_not_hashed_are_hashed_at_the_close(
    app: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, content = await app.start(), some_bytes(2 * MIB)

    async def broken() -> AsyncIterator[bytes]:
        for start in range(0, len(content), MIB):
            yield content[start : start + MIB]
        raise HungUp

    def only_written(executor: Executor, appender: Appender, _: Hasher | None, batch: Batch) -> tuple[Future[None]]:
        return (executor.submit(appender.write, batch.content),)

    monkeypatch.setattr(ingest, "_put_to_work", only_written)
    await upload.append(broken())
    monkeypatch.undo()
    kept = await upload.offset()
    assert kept >= MIB
    assert (await upload.close(digest_of(content[:kept]))).status == 201


async def test_two_uploads_of_one_digest_at_once_both_succeed_and_one_copy_stays(start_registry) -> None:
    workers = [await start_registry(), await start_registry()]
    body = some_bytes(2 * MIB)
    digests = await asyncio.gather(*(worker.repository("app").push_blob(body) for worker in workers * 3))
    assert set(digests) == {digest_of(body)}
    assert (await workers[0].repository("app").blob(digests[0])).body == body


async def test_a_session_that_is_closed_twice_at_once_makes_one_blob(app: Repository) -> None:
    upload = await app.start()
    await upload.append(CONTENT)
    answers = await asyncio.gather(*(upload.close(digest_of(CONTENT)) for _ in range(4)))
    statuses = sorted(answer.status for answer in answers)
    assert statuses[0] == 201
    assert set(statuses) <= {201, 404, 409, 416}
    assert (await app.blob(digest_of(CONTENT))).body == CONTENT


async def test_cancel_and_close_at_once_end_in_one_of_the_two(app: Repository) -> None:
    for number in range(10):
        body = some_bytes(1000, number)
        upload = await app.start()
        await upload.append(body)
        closed, cancelled = await asyncio.gather(upload.close(digest_of(body)), upload.cancel())
        assert (await upload.status()).status == 404
        assert await app.has_blob(digest_of(body)) == (closed.status == 201)
        assert closed.status == 201 or cancelled.status == 204


# --- other people's sessions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", ["owner", "stranger"])
async def test_the_session_of_another_principal_does_not_exist(registry: Registry, owner: str) -> None:
    """CVE-2026-32589: Quay let anybody read, change and cancel uploads by their id."""
    registry.query(lambda tx: add_principal(tx, "the-stranger", "the-stranger's-secret"))
    stranger = registry.nobody.signed_in("the-stranger", "the-stranger's-secret")
    mine, theirs = (registry.http, stranger) if owner == "owner" else (stranger, registry.http)
    upload = await registry.repository("app", mine).start()
    await upload.append(CONTENT[:10])
    other = Upload(theirs, upload.location)
    answers: list[Answer] = [
        await other.status(),
        await other.append(b"injected"),
        await other.close(digest_of(CONTENT[:10])),
        await other.cancel(),
    ]
    unknown = await Upload(theirs, "/v2/app/blobs/uploads/" + "0" * 32).status()
    for answer in answers:
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")
        assert set(answer.detail) == set(unknown.detail)
    assert await upload.offset() == 10
