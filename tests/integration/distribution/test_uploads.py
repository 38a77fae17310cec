"""Spec: OCI distribution-spec, "Pushing blobs"."""

from collections.abc import Iterator

import pytest
from tests.content import digest_of, some_bytes
from tests.integration.rows import bytes_used, upload_count
from tests.registry import Registry, Repository
from tests.wire import HungUp

from entrepot.app.parts import open_content
from entrepot.oci.digest import Digest

CONTENT = some_bytes(40_000, "content")
DIGEST = digest_of(CONTENT)
# More than one batch of the way in, so that the body is written while it comes.
LARGE = some_bytes(3 * 1024 * 1024 + 17, "large")

ALGORITHMS = pytest.mark.parametrize("algorithm", ["sha256", "sha512"])


def octets(start: int, stop: int) -> dict[str, str]:
    """How a chunk [start, stop) is announced."""
    return {"content-range": f"{start}-{stop - 1}", "content-type": "application/octet-stream"}


@ALGORITHMS
@pytest.mark.parametrize("content", [b"", b"x", CONTENT, LARGE], ids=["empty", "one byte", "one batch", "several"])
async def test_one_post_pushes_a_whole_blob(app: Repository, content: bytes, algorithm: str) -> None:
    digest = digest_of(content, algorithm)
    answer = await app.http.post(app.path(f"blobs/uploads/?digest={digest}"), content)
    assert (answer.status, answer["docker-content-digest"]) == (201, digest)
    assert (await app.http.get(answer["location"])).body == content


@ALGORITHMS
@pytest.mark.parametrize("content", [b"", b"x", CONTENT, LARGE], ids=["empty", "one byte", "one batch", "several"])
async def test_a_post_and_a_put_push_a_blob(app: Repository, content: bytes, algorithm: str) -> None:
    digest = digest_of(content, algorithm)
    upload = await app.start(f"?digest-algorithm={algorithm}")
    answer = await upload.close(digest, content)
    assert (answer.status, answer["location"]) == (201, f"/v2/app/blobs/{digest}")
    assert (await app.blob(digest)).body == content


async def test_a_session_begins_empty_under_a_location_of_its_own(app: Repository) -> None:
    first, second = await app.start(), await app.start()
    assert first.location.startswith("/v2/app/blobs/uploads/")
    assert first.location != second.location
    status = await first.status()
    assert (status.status, status["range"], status["location"]) == (204, "0-0", first.location)


async def test_a_session_names_itself_in_docker_upload_uuid(app: Repository) -> None:
    answer = await app.http.post("/v2/app/blobs/uploads/")
    assert answer["location"].endswith("/" + answer["docker-upload-uuid"])


@ALGORITHMS
async def test_chunks_make_a_blob(app: Repository, algorithm: str) -> None:
    upload = await app.start(f"?digest-algorithm={algorithm}")
    for start, stop in ((0, 1), (1, 10_000), (10_000, 40_000)):
        answer = await upload.append(CONTENT[start:stop], octets(start, stop))
        assert (answer.status, answer["range"], answer["location"]) == (202, f"0-{stop - 1}", upload.location)
    closed = await upload.close(digest_of(CONTENT, algorithm))
    assert closed.status == 201
    assert (await app.http.get(closed["location"])).body == CONTENT


async def test_the_closing_request_may_bring_the_last_chunk(app: Repository) -> None:
    upload = await app.start()
    await upload.append(CONTENT[:10_000], octets(0, 10_000))
    assert (await upload.close(DIGEST, CONTENT[10_000:], octets(10_000, 40_000))).status == 201
    assert (await app.blob(DIGEST)).body == CONTENT


async def test_docker_streams_chunks_without_saying_where_they_go(app: Repository) -> None:
    upload = await app.start()
    await upload.append(iter([LARGE[:1_000_000], LARGE[1_000_000:2_000_000]]))
    await upload.append(iter([LARGE[2_000_000:]]))
    assert (await upload.close(digest_of(LARGE))).status == 201
    assert (await app.blob(digest_of(LARGE))).body == LARGE


async def test_a_session_opened_for_one_algorithm_closes_with_another(app: Repository) -> None:
    upload = await app.start("?digest-algorithm=sha256")
    await upload.append(CONTENT)
    assert (await upload.close(digest_of(CONTENT, "sha512"))).status == 201
    assert (await app.blob(digest_of(CONTENT, "sha512"))).body == CONTENT


@pytest.mark.parametrize("query", ["?digest-algorithm=md5", "?digest-algorithm=SHA256", "?digest-algorithm=%00"])
async def test_an_unknown_algorithm_opens_no_session(app: Repository, query: str) -> None:
    answer = await app.http.post(app.path("blobs/uploads/") + query)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


# --- out of order -----------------------------------------------------------------------------------------------------

WRONG_PLACES = pytest.mark.parametrize(
    ("start", "stop"), [(10_001, 20_000), (0, 10_000), (9_999, 20_000), (20_000, 30_000)], ids=str
)


@WRONG_PLACES
async def test_a_chunk_out_of_order_is_refused_and_the_session_lives_on(app: Repository, start: int, stop: int) -> None:
    upload = await app.start()
    await upload.append(CONTENT[:10_000], octets(0, 10_000))
    refused = await upload.append(CONTENT[start:stop], octets(start, stop))
    assert (refused.status, refused.code) == (416, "BLOB_UPLOAD_INVALID")
    assert await upload.offset() == 10_000
    assert (await upload.close(DIGEST, CONTENT[10_000:])).status == 201


@WRONG_PLACES
async def test_a_last_chunk_out_of_order_is_refused_and_the_session_lives_on(
    app: Repository, start: int, stop: int
) -> None:
    upload = await app.start()
    await upload.append(CONTENT[:10_000], octets(0, 10_000))
    assert (await upload.close(DIGEST, CONTENT[start:stop], octets(start, stop))).status == 416
    assert await upload.offset() == 10_000
    assert (await upload.close(DIGEST, CONTENT[10_000:], octets(10_000, 40_000))).status == 201


async def test_the_first_chunk_begins_with_zero(app: Repository) -> None:
    upload = await app.start()
    assert (await upload.append(CONTENT[:100], octets(1, 101))).status == 416
    assert (await upload.status())["range"] == "0-0"


async def test_a_refused_chunk_tells_where_to_go_on(app: Repository) -> None:
    upload = await app.start()
    await upload.append(CONTENT[:10_000], octets(0, 10_000))
    assert (await upload.append(b"x" * 5, octets(5, 10))).detail["offset"] == 10_000


# --- resume, cancel ---------------------------------------------------------------------------------------------------


async def test_a_chunk_that_broke_off_is_resumed_where_it_ended(app: Repository) -> None:
    upload = await app.start()

    def breaking() -> Iterator[bytes]:
        yield from (LARGE[start : start + 16_384] for start in range(0, 2_097_152, 16_384))
        raise HungUp

    await upload.append(breaking())
    offset = await upload.offset()
    assert 0 < offset <= 2_097_152
    await upload.append(LARGE[offset:], octets(offset, len(LARGE)))
    assert (await upload.close(digest_of(LARGE))).status == 201


async def test_a_closing_request_that_broke_off_may_be_repeated_from_the_offset(app: Repository) -> None:
    upload = await app.start()

    def breaking() -> Iterator[bytes]:
        yield LARGE[:2_000_000]
        raise HungUp

    await upload.close(digest_of(LARGE), breaking())
    offset = await upload.offset()
    assert (await upload.close(digest_of(LARGE), LARGE[offset:])).status == 201
    assert (await app.blob(digest_of(LARGE))).body == LARGE


async def test_another_worker_goes_on_with_a_session(start_registry) -> None:
    first, second = await start_registry(), await start_registry()
    upload = await first.repository("app").start()
    await upload.append(CONTENT[:10_000])
    there = type(upload)(second.http, upload.location)
    assert await there.offset() == 10_000
    await there.append(CONTENT[10_000:20_000])
    await upload.append(CONTENT[20_000:30_000])
    assert (await there.close(DIGEST, CONTENT[30_000:])).status == 201
    assert (await first.repository("app").blob(DIGEST)).body == CONTENT


async def test_a_cancelled_session_is_gone_with_its_bytes(app: Repository, registry: Registry) -> None:
    upload = await app.start()
    await upload.append(CONTENT)
    assert (await upload.cancel()).status == 204
    for answer in (
        await upload.status(),
        await upload.append(CONTENT),
        await upload.close(DIGEST),
        await upload.cancel(),
    ):
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert not [*(registry.settings.data_dir / "content" / "staging").iterdir()]


async def test_a_closed_session_is_gone(app: Repository) -> None:
    upload = await app.start()
    await upload.close(DIGEST, CONTENT)
    assert (await upload.status()).status == 404
    assert (await upload.close(DIGEST, CONTENT)).status == 404


@pytest.mark.parametrize("identifier", ["0" * 32, "nonsense", "..", "%2e%2e", "F" * 32, "a" * 33, "%00", "%2fetc"])
async def test_a_session_that_never_was_is_not_found(app: Repository, identifier: str) -> None:
    answer = await app.http.get(app.path(f"blobs/uploads/{identifier}"))
    assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_a_session_belongs_to_its_repository(app: Repository, registry: Registry) -> None:
    upload = await app.start()
    elsewhere = upload.location.replace("/v2/app/", "/v2/other/")
    assert (await registry.http.get(elsewhere)).status == 404
    assert (await registry.http.put(f"{elsewhere}?digest={digest_of(b'')}")).status == 404


# --- wrong digests ----------------------------------------------------------------------------------------------------


async def test_a_wrong_digest_ends_the_session_and_leaves_nothing(app: Repository, registry: Registry) -> None:
    upload = await app.start()
    await upload.append(CONTENT)
    answer = await upload.close(digest_of(b"something else"))
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert answer.detail["actual"] == DIGEST
    assert (await upload.status()).status == 404
    assert not await app.has_blob(DIGEST)
    assert not await app.has_blob(digest_of(b"something else"))
    assert _files(registry) == []


@pytest.mark.parametrize("content", [b"", b"x", LARGE], ids=["empty", "one byte", "several batches"])
async def test_a_whole_blob_under_a_wrong_digest_leaves_nothing(
    app: Repository, registry: Registry, content: bytes
) -> None:
    answer = await app.http.post(app.path(f"blobs/uploads/?digest={digest_of(b'something else')}"), content)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert _files(registry) == []
    assert open_sessions(registry) == 0


async def test_a_close_without_a_digest_is_refused_and_the_session_lives_on(app: Repository) -> None:
    upload = await app.start()
    await upload.append(CONTENT)
    answer = await app.http.put(upload.location)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert (await upload.close(DIGEST)).status == 201


async def test_an_empty_close_of_an_empty_session_that_wants_bytes_is_refused(app: Repository) -> None:
    upload = await app.start()
    assert (await upload.close(DIGEST)).status == 400


async def test_a_blob_pushed_again_is_stored_once(app: Repository, registry: Registry) -> None:
    await app.push_blob(CONTENT)
    before = _used(registry)
    await app.push_blob(CONTENT)
    await registry.repository("other").push_blob(CONTENT)
    assert _used(registry) == before == len(CONTENT)


async def test_a_body_is_taken_as_it_is_whatever_its_content_encoding_says(app: Repository) -> None:
    digest = digest_of(CONTENT)
    headers = {"content-encoding": "gzip"}
    assert (await app.http.post(app.path(f"blobs/uploads/?digest={digest}"), CONTENT, headers)).status == 201
    assert (await app.blob(digest)).body == CONTENT


def _files(registry: Registry) -> list[str]:
    root = registry.settings.data_dir / "content"
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]


def _used(registry: Registry) -> int:
    return registry.query(bytes_used)


def open_sessions(registry: Registry) -> int:
    return registry.query(upload_count)


async def test_a_close_whose_worker_died_after_the_store_had_the_blob_is_done_by_the_next(
    app: Repository, registry: Registry
) -> None:
    content = some_bytes(3000)
    upload = await app.start()
    await upload.append(content)
    digest, session = Digest.parse(digest_of(content)), upload.location.rpartition("/")[2]
    open_content(registry.settings).commit(session, digest, len(content), ())
    assert (await upload.close(str(digest))).status == 201
    assert (await app.blob(str(digest))).body == content
