"""Answers: bytes, a file that the server sends by itself, a stream. ``deliver`` puts one on the wire."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from entrepot.web.request import Send

Headers = Sequence[tuple[bytes, bytes]]

JSON: Final[tuple[bytes, bytes]] = (b"content-type", b"application/json; charset=utf-8")
CLOSE: Final[tuple[bytes, bytes]] = (b"connection", b"close")


@dataclass(slots=True)
class Answer:
    """A status, headers, and a body held in memory."""

    status: int
    headers: Headers = ()
    body: bytes = b""


@dataclass(slots=True)
class FileAnswer:
    """A whole file of ``length`` bytes, handed to the server (ASGI ``http.response.pathsend``)."""

    status: int
    headers: Headers
    path: Path
    length: int


@dataclass(slots=True)
class StreamAnswer:
    """``length`` bytes in chunks; None: as many as there are. A stream that fails midway breaks the connection off: it
    never ends short.
    """

    status: int
    headers: Headers
    chunks: AsyncIterator[bytes] = field(repr=False)
    length: int | None = 0


AnyAnswer = Answer | FileAnswer | StreamAnswer


def header(name: bytes, value: str) -> tuple[bytes, bytes]:
    """A header line. The value comes from parsed input or from us, and holds no line break."""
    return (name, value.encode("latin-1"))


async def deliver(answer: AnyAnswer, send: Send, request_id: str, *, is_head: bool) -> None:
    """Send the answer. A HEAD's has the length of what GET would send, and no body."""
    length = len(answer.body) if isinstance(answer, Answer) else answer.length
    headers = [*answer.headers, (b"x-request-id", request_id.encode("ascii"))]
    if answer.status not in {204, 304} and length is not None:
        headers.append((b"content-length", str(length).encode("ascii")))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if is_head:
        await send({"type": "http.response.body", "body": b""})
    elif isinstance(answer, Answer):
        await send({"type": "http.response.body", "body": answer.body})
    elif isinstance(answer, FileAnswer):
        await send({"type": "http.response.pathsend", "path": str(answer.path)})
    else:
        async for chunk in answer.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
