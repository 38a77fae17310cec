from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.web.answer import Answer, AnyAnswer, FileAnswer, StreamAnswer, deliver, header


async def sent(answer: AnyAnswer, *, is_head: bool = False) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []

    async def send(message: Any) -> None:  # noqa: ANN401
        messages.append(message)

    await deliver(answer, send, "the-request", is_head=is_head)
    return messages


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def a_stream() -> StreamAnswer:
    return StreamAnswer(206, [(b"x-y", b"z")], _chunks(b"abc", b"def"), 6)


async def test_an_answer_has_its_length_and_the_request_s_id() -> None:
    start, body = await sent(Answer(200, [(b"x-y", b"z")], b"abc"))
    assert start["headers"] == [(b"x-y", b"z"), (b"x-request-id", b"the-request"), (b"content-length", b"3")]
    assert body == {"type": "http.response.body", "body": b"abc"}


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_has_no_body_says_no_length(status: int) -> None:
    start, _ = await sent(Answer(status))
    assert b"content-length" not in dict(start["headers"])


async def test_a_file_is_handed_to_the_server() -> None:
    _, body = await sent(FileAnswer(200, [], Path("/tmp/blob"), 7))
    assert body == {"type": "http.response.pathsend", "path": "/tmp/blob"}


async def test_a_stream_is_sent_chunk_by_chunk() -> None:
    _, *bodies = await sent(a_stream())
    assert [(body["body"], body.get("more_body", False)) for body in bodies] == [
        (b"abc", True),
        (b"def", True),
        (b"", False),
    ]


@pytest.mark.parametrize(
    ("make", "length"),
    [
        (lambda: Answer(200, [], b"abc"), b"3"),
        (lambda: FileAnswer(200, [], Path("/tmp/blob"), 7), b"7"),
        (a_stream, b"6"),
    ],
)
async def test_a_head_has_the_length_and_no_body(make, length: bytes) -> None:
    start, body = await sent(make(), is_head=True)
    assert dict(start["headers"])[b"content-length"] == length
    assert body == {"type": "http.response.body", "body": b""}


async def test_a_stream_that_fails_is_not_ended_as_if_it_were_whole() -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"abc"
        raise OSError("the disk")

    messages: list[dict[str, Any]] = []

    async def send(message: Any) -> None:  # noqa: ANN401
        messages.append(message)

    with pytest.raises(OSError, match="the disk"):
        await deliver(StreamAnswer(200, [], failing(), 6), send, "id", is_head=False)
    assert all(message.get("more_body") for message in messages[1:])


def test_a_header_is_latin_1() -> None:
    assert header(b"x", "é") == (b"x", b"\xe9")
