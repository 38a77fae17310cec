import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples

from entrepot.errors import Kind, Problem
from entrepot.web.request import Message, Request, decode_parameter, parse_number


def a_request(
    *,
    query: bytes = b"",
    headers: Iterable[tuple[bytes, bytes]] = (),
    messages: Iterable[Message] = (),
    http_version: str = "1.1",
) -> Request:
    waiting = iter(messages)

    async def receive() -> Message:
        try:
            return next(waiting)
        except StopIteration:
            await asyncio.Event().wait()
            raise

    scope: dict[str, Any] = {
        "method": "GET",
        "http_version": http_version,
        "path": "/v2/",
        "raw_path": b"/v2/",
        "query_string": query,
        "headers": list(headers),
        "client": ("192.0.2.1", 5),
    }
    return Request(scope, receive, "id")


def pieces(*contents: bytes) -> list[Message]:
    return [{"type": "http.request", "body": content, "more_body": True} for content in contents] + [
        {"type": "http.request", "body": b"", "more_body": False}
    ]


async def test_a_body_is_its_pieces_joined() -> None:
    assert await a_request(messages=pieces(b"ab", b"", b"c")).body(3, 1) == b"abc"


async def test_a_body_over_the_limit_is_refused() -> None:
    for headers in ([], [(b"content-length", b"4")]):
        with pytest.raises(Problem) as refusal:
            await a_request(messages=pieces(b"ab", b"cd"), headers=headers).body(3, 1)
        assert refusal.value.kind is Kind.REQUEST_TOO_LARGE


async def test_a_body_that_says_it_is_too_long_is_not_waited_for() -> None:
    with pytest.raises(Problem):
        await asyncio.wait_for(a_request(headers=[(b"content-length", b"4")]).body(3, 60), 1)


@pytest.mark.parametrize("declared", [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")])
async def test_a_body_is_left_until_it_was_read_to_its_end(declared: tuple[bytes, bytes]) -> None:
    request = a_request(headers=[declared], messages=pieces(b"ab", b"c"))
    assert request.leaves_body()
    async for _ in request.pieces(1):
        assert request.leaves_body()
    assert not request.leaves_body()


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"0")]])
def test_a_request_without_a_body_leaves_none(headers: list[tuple[bytes, bytes]]) -> None:
    assert not a_request(headers=headers).leaves_body()


def test_over_http2_a_body_that_is_left_is_nothing_to_the_connection() -> None:
    assert not a_request(headers=[(b"content-length", b"3")], http_version="2").leaves_body()


@pytest.mark.parametrize(("declared", "left"), [(b"3", 0), (b"65536", 0), (b"65537", 3), (None, 3)])
async def test_over_http2_a_short_rest_is_read_away(declared: bytes | None, left: int) -> None:
    messages = iter(pieces(b"ab", b"c"))
    headers = [] if declared is None else [(b"content-length", declared)]
    await a_request(headers=headers, messages=messages, http_version="2").read_away()
    assert len(list(messages)) == left


async def test_a_rest_that_does_not_come_is_not_waited_for() -> None:
    stalled = a_request(headers=[(b"content-length", b"3")], messages=pieces(b"ab")[:1], http_version="2")
    with pytest.raises(Problem):
        await asyncio.wait_for(stalled.read_away(), 30)


async def test_a_client_that_goes_away_breaks_its_body_off() -> None:
    request = a_request(messages=[*pieces(b"ab")[:1], {"type": "http.disconnect"}])
    with pytest.raises(Problem) as refusal:
        await request.body(10, 1)
    assert refusal.value.kind is Kind.REQUEST_INVALID


async def test_a_body_that_stalls_is_cut() -> None:
    with pytest.raises(Problem) as refusal:
        await asyncio.wait_for(a_request(messages=pieces(b"ab")[:1]).body(10, 0.05), 5)
    assert refusal.value.kind is Kind.UPLOAD_STALLED


async def test_a_request_that_is_cancelled_is_not_taken_for_stalled() -> None:
    reading = asyncio.ensure_future(a_request().body(10, 60))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_task_goes_on_after_a_stalled_body() -> None:
    """The cut is made by a cancel, which must not linger."""
    with pytest.raises(Problem):
        await a_request().body(10, 0.05)
    assert await _one_more_wait()


async def _one_more_wait() -> bool:
    await asyncio.sleep(0)
    return True


async def test_time_that_the_reader_takes_is_not_the_client_s() -> None:
    """A slow disk between two pieces is no stall."""
    found: list[bytes] = []
    stream: AsyncIterator[bytes] = a_request(messages=pieces(b"a", b"b")).pieces(0.05)
    async for piece in stream:
        found.append(piece)
        await asyncio.sleep(0.15)
    assert found == [b"a", b"b"]


@examples(200)
@given(st.binary(max_size=100))
def test_any_query_is_read_or_refused(query: bytes) -> None:
    try:
        values = a_request(query=query).query_all("n")
    except Problem as problem:
        assert problem.kind is Kind.REQUEST_INVALID
    else:
        assert all(value.encode() or not value for value in values)


@examples(100)
@given(st.text(max_size=30))
def test_a_query_gives_back_what_was_encoded(text: str) -> None:
    assert a_request(query=b"a=1&n=" + quote(text, safe="").encode()).query("n") == text


def test_a_parameter_given_twice_counts_once() -> None:
    request = a_request(query=b"n=1&n=2")
    assert (request.query("n"), request.query_all("n"), request.query("m")) == ("1", ["1", "2"], None)


def test_a_query_of_too_many_fields_is_refused() -> None:
    assert a_request(query=b"&".join([b"a=1"] * 1000)).query("a") == "1"
    with pytest.raises(Problem):
        a_request(query=b"&".join([b"a=1"] * 1001)).query("a")


@examples(100)
@given(st.text(max_size=30))
def test_a_path_parameter_is_decoded_once(text: str) -> None:
    assert decode_parameter(quote(text, safe="")) == text
    assert decode_parameter(quote(quote(text, safe=""), safe="")) == quote(text, safe="")


@examples(100)
@given(st.text(st.characters(codec="ascii"), max_size=30))
def test_any_path_parameter_is_decoded_or_refused(text: str) -> None:
    try:
        assert decode_parameter(text).encode() is not None
    except Problem as problem:
        assert problem.kind is Kind.REQUEST_INVALID


@examples(200)
@given(st.integers(0, 10**19 - 1).map(str) | st.text(max_size=25))
def test_a_number_is_decimal_digits_alone(text: str) -> None:
    try:
        number = parse_number(text, "it")
    except Problem as problem:
        assert problem.kind is Kind.REQUEST_INVALID
    else:
        assert set(text) <= set("0123456789")
        assert number == int(text)


def test_headers_are_found_by_their_name() -> None:
    request = a_request(headers=[(b"accept", b"a"), (b"accept", b"b"), (b"content-length", b"5")])
    assert request.headers(b"accept") == ["a", "b"]
    assert request.content_length() == 5
    assert request.header(b"host") is None
