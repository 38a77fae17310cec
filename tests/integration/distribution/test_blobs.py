"""Spec: OCI distribution-spec, "Pulling blobs", "Checking if content exists"; RFC 9110 sections 13 and 14."""

import re

import pytest
from tests.content import digest_of, some_bytes
from tests.integration.rows import condemn, mark_corrupt
from tests.registry import Registry, Repository
from tests.wire import Answer

CONTENT = some_bytes(2048, "blob")
LARGE = some_bytes(2_500_000, "large")
ABSENT = digest_of(b"nobody pushed this")


@pytest.fixture
async def digest(app: Repository) -> str:
    return await app.push_blob(CONTENT)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("content", [b"", b"x", LARGE], ids=["empty", "one byte", "large"])
async def test_a_blob_is_answered_whole_with_its_digest_and_length(
    app: Repository, content: bytes, algorithm: str
) -> None:
    digest = await app.push_blob(content, algorithm)
    answer = await app.blob(digest)
    assert (answer.status, answer.body) == (200, content)
    assert answer["docker-content-digest"] == digest
    assert answer["content-length"] == str(len(content))
    assert answer["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("content", [b"", CONTENT], ids=["empty", "not empty"])
async def test_head_says_what_get_would_without_the_body(app: Repository, content: bytes) -> None:
    digest = await app.push_blob(content)
    head = await app.http.head(app.path(f"blobs/{digest}"))
    assert (head.status, head.body) == (200, b"")
    told = {name: value for name, value in head.headers if name != "x-request-id"}
    assert told == {name: value for name, value in (await app.blob(digest)).headers if name != "x-request-id"}


async def test_a_blob_that_is_not_here_is_not_found(app: Repository) -> None:
    answer = await app.blob(ABSENT)
    assert (answer.status, answer.code, answer.detail["digest"]) == (404, "BLOB_UNKNOWN", ABSENT)
    assert (await app.http.head(app.path(f"blobs/{ABSENT}"))).status == 404


async def test_a_blob_of_another_repository_is_not_found(digest: str, registry: Registry) -> None:
    other = registry.repository("other")
    assert (await other.blob(digest)).status == 404
    assert not await other.has_blob(digest)


async def test_a_blob_is_known_by_the_digest_that_it_was_pushed_under_only(app: Repository, digest: str) -> None:
    assert (await app.blob(digest_of(CONTENT, "sha512"))).status == 404


# --- conditions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ['"{}"', 'W/"{}"', "{}", '"other", "{}"', "*"])
async def test_who_holds_the_blob_is_told_so_without_a_body(app: Repository, digest: str, form: str) -> None:
    answer = await app.blob(digest, {"if-none-match": form.format(digest)})
    assert (answer.status, answer["etag"]) == (304, f'"{digest}"')


async def test_who_holds_other_bytes_gets_the_blob(app: Repository, digest: str) -> None:
    assert (await app.blob(digest, {"if-none-match": f'"{ABSENT}"'})).body == CONTENT


async def test_a_condition_that_holds_goes_before_a_range(app: Repository, digest: str) -> None:
    assert (await app.blob(digest, {"if-none-match": f'"{digest}"', "range": "bytes=0-1"})).status == 304


# --- one range --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-", 0, 2048),
        ("bytes=0-0", 0, 1),
        ("bytes=500-1499", 500, 1500),
        ("bytes=2047-", 2047, 2048),
        ("bytes=2000-5000", 2000, 2048),
        ("bytes=-500", 1548, 2048),
        ("bytes=-5000", 0, 2048),
        ("bytes=-1", 2047, 2048),
        ("Bytes = 1-2", 1, 3),
        ("bytes=1-9999999999999999999", 1, 2048),
    ],
)
async def test_a_range_is_answered_with_its_bytes(
    app: Repository, digest: str, asked: str, start: int, stop: int
) -> None:
    answer = await app.blob(digest, {"range": asked})
    assert (answer.status, answer.body) == (206, CONTENT[start:stop])
    assert answer["content-range"] == f"bytes {start}-{stop - 1}/2048"
    assert answer["content-length"] == str(stop - start)
    assert answer["docker-content-digest"] == digest


@pytest.mark.parametrize("asked", ["bytes=2048-", "bytes=5000-10000", "bytes=500-0", "bytes=-0", "bytes=9-8,5000-"])
async def test_a_range_that_cannot_be_met_is_refused_with_the_length(app: Repository, digest: str, asked: str) -> None:
    answer = await app.blob(digest, {"range": asked})
    assert (answer.status, answer.code, answer["content-range"]) == (416, "RANGE_INVALID", "bytes */2048")


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes=-1", "bytes=0-0"])
async def test_no_range_of_an_empty_blob_can_be_met(app: Repository, asked: str) -> None:
    answer = await app.blob(await app.push_blob(b""), {"range": asked})
    assert (answer.status, answer["content-range"]) == (416, "bytes */0")


@pytest.mark.parametrize(
    "asked",
    [
        "lines=1-2",
        "bytes",
        "bytes=",
        "bytes=a-b",
        "bytes=1",
        "bytes=-",
        "bytes=1-2-3",
        "bytes=--1",
        "bytes=+1-2",
        "1-2",
    ],
)
async def test_a_range_of_another_form_is_not_an_error(app: Repository, digest: str, asked: str) -> None:
    answer = await app.blob(digest, {"range": asked})
    assert (answer.status, answer.body) == (200, CONTENT) or answer.status == 416


async def test_a_range_belongs_to_get_alone(app: Repository, digest: str) -> None:
    """RFC 9110 section 14.2: a Range on any other method is ignored."""
    answer = await app.http.head(app.path(f"blobs/{digest}"), {"range": "bytes=0-9"})
    assert (answer.status, answer["content-length"], answer.get("content-range")) == (200, "2048", None)


async def test_a_large_range_is_streamed_whole(app: Repository) -> None:
    digest = await app.push_blob(LARGE)
    answer = await app.blob(digest, {"range": "bytes=1-2400000"})
    assert answer.body == LARGE[1:2_400_001]


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ('"{}"', 206),
        ('W/"{}"', 200),
        ('"' + ABSENT + '"', 200),
        ("Sat, 29 Oct 1994 19:43:31 GMT", 200),
        ("nonsense", 200),
    ],
)
async def test_if_range_must_name_these_bytes_strongly(
    app: Repository, digest: str, condition: str, status: int
) -> None:
    answer = await app.blob(digest, {"range": "bytes=0-9", "if-range": condition.format(digest)})
    assert (answer.status, answer.body) == (status, CONTENT[:10] if status == 206 else CONTENT)


# --- several ranges ---------------------------------------------------------------------------------------------------


def parts_of(answer: Answer) -> list[tuple[str, bytes]]:
    """Content-Range and body of each part. Spec: RFC 9110 section 14.6."""
    assert answer.status == 206
    boundary = answer["content-type"].removeprefix("multipart/byteranges; boundary=").encode()
    *parts, end = answer.body.split(b"\r\n--" + boundary)[1:]
    assert end.strip() == b"--"
    found: list[tuple[str, bytes]] = []
    for part in parts:
        head, _, body = part.partition(b"\r\n\r\n")
        match = re.search(rb"Content-Range: ([^\r]+)", head)
        assert match is not None
        found.append((match[1].decode(), body))
    return found


async def test_several_ranges_are_answered_in_parts(app: Repository, digest: str) -> None:
    answer = await app.blob(digest, {"range": "bytes=0-9, 100-199,-5"})
    assert parts_of(answer) == [
        ("bytes 0-9/2048", CONTENT[:10]),
        ("bytes 100-199/2048", CONTENT[100:200]),
        ("bytes 2043-2047/2048", CONTENT[-5:]),
    ]


async def test_of_several_ranges_those_that_can_be_met_are_answered(app: Repository, digest: str) -> None:
    answer = await app.blob(digest, {"range": "bytes=5000-6000,1-2"})
    assert (answer.status, answer.body, answer["content-range"]) == (206, CONTENT[1:3], "bytes 1-2/2048")


@pytest.mark.parametrize("asked", ["bytes=" + ",".join(["0-"] * 16), "bytes=" + "0-0," * 10_000])
async def test_many_overlapping_ranges_do_not_multiply_the_blob(app: Repository, asked: str) -> None:
    """RFC 9110 section 14.2 names this attack; CVE-2011-3192 was one."""
    digest = await app.push_blob(LARGE)
    answer = await app.blob(digest, {"range": asked})
    assert answer.status in {200, 206, 416}
    assert len(answer.body) < 2 * len(LARGE)


# --- what garbage collection and checks leave -------------------------------------------------------------------------


async def test_a_condemned_blob_is_asked_for_again_by_pushers_and_still_served_to_pulls(
    app: Repository, digest: str, registry: Registry
) -> None:
    registry.query(lambda tx: condemn(tx, digest))
    assert not await app.has_blob(digest)
    assert (await app.blob(digest)).body == CONTENT
    await app.push_blob(CONTENT)
    assert await app.has_blob(digest)


async def test_a_corrupt_blob_is_never_served_and_mended_by_a_push(
    app: Repository, digest: str, registry: Registry
) -> None:
    registry.query(lambda tx: mark_corrupt(tx, digest))
    assert (await app.blob(digest)).status == 404
    await app.push_blob(CONTENT)
    assert (await app.blob(digest)).body == CONTENT


# --- delete -----------------------------------------------------------------------------------------------------------


async def test_a_deleted_blob_is_gone_from_its_repository_only(
    app: Repository, digest: str, registry: Registry
) -> None:
    other = registry.repository("other")
    await other.push_blob(CONTENT)
    assert (await app.http.delete(app.path(f"blobs/{digest}"))).status == 202
    assert (await app.blob(digest)).status == 404
    assert (await other.blob(digest)).body == CONTENT


async def test_a_deleted_blob_can_be_pushed_again(app: Repository, digest: str) -> None:
    await app.http.delete(app.path(f"blobs/{digest}"))
    await app.push_blob(CONTENT)
    assert (await app.blob(digest)).body == CONTENT


async def test_a_blob_that_is_not_here_cannot_be_deleted(app: Repository, digest: str) -> None:
    target = app.path(f"blobs/{ABSENT}")
    assert (await app.http.delete(target)).code == "BLOB_UNKNOWN"
    await app.http.delete(app.path(f"blobs/{digest}"))
    assert (await app.http.delete(app.path(f"blobs/{digest}"))).status == 404
