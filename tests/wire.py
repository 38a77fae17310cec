"""An HTTP client for an ASGI application in this process: what a server would do between a socket and the application.

httpx's own transport reads the whole request before it calls the application, and knows no ``http.response.pathsend``;
this one streams, lets a client hang up, and takes an answer that comes before the body has ended. It also holds the
application to the protocol: one head, a body as long as its Content-Length, nothing after the end.
"""

import asyncio
import base64
import json
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
)
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

# ASGI's own types: the values of a message depend on its "type".
Message = MutableMapping[str, Any]
Application = Callable[
    [dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]
Body = bytes | Iterable[bytes] | AsyncIterable[bytes]

# A tuple is as many header lines of one name.
Headers = Mapping[str, str | tuple[str, ...]]

# As Granian hands bodies over.
PIECE = 16 * 1024


class HungUp(Exception):
    """Raised by a request's body: the client goes away instead of sending the rest."""


class BrokenOff(Exception):
    """The application failed after it had begun to answer, so a server would cut the connection."""


@dataclass(frozen=True)
class Answer:
    """What a client receives. Header names are lower-case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    def __getitem__(self, name: str) -> str:
        """The header's one value."""
        (value,) = self.every(name)
        return value

    def get(self, name: str) -> str | None:
        found = self.every(name)
        return found[0] if found else None

    def every(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def json(self) -> Any:  # noqa: ANN401  a test knows the document's shape
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The error code of the specification's body; None when this is no error."""
        return None if self.status < 400 else self.json()["errors"][0]["code"]

    @property
    def detail(self) -> Any:  # noqa: ANN401  the specification leaves it open
        return self.json()["errors"][0]["detail"]


@dataclass(frozen=True)
class Client:
    """Sends requests to an application. Immutable: ``having`` and ``without`` make another one."""

    app: Application = field(repr=False)
    host: str
    headers: Mapping[str, str] = field(default_factory=dict)
    peer: str = "127.0.0.1"

    def having(self, **headers: str) -> "Client":
        """With these headers too; underscores stand for hyphens."""
        return replace(self, headers={**self.headers, **{name.replace("_", "-"): headers[name] for name in headers}})

    def without(self, name: str) -> "Client":
        return replace(self, headers={key: value for key, value in self.headers.items() if key != name})

    def bearing(self, token: str) -> "Client":
        return self.having(authorization=f"Bearer {token}")

    def signed_in(self, user: str, password: str) -> "Client":
        return self.having(authorization=basic(user, password))

    async def get(self, target: str, headers: Headers | None = None) -> Answer:
        return await self.send("GET", target, headers)

    async def head(self, target: str, headers: Headers | None = None) -> Answer:
        return await self.send("HEAD", target, headers)

    async def delete(self, target: str, headers: Headers | None = None) -> Answer:
        return await self.send("DELETE", target, headers)

    async def post(self, target: str, body: Body = b"", headers: Headers | None = None) -> Answer:
        return await self.send("POST", target, headers, body)

    async def put(self, target: str, body: Body = b"", headers: Headers | None = None) -> Answer:
        return await self.send("PUT", target, headers, body)

    async def patch(self, target: str, body: Body = b"", headers: Headers | None = None) -> Answer:
        return await self.send("PATCH", target, headers, body)

    async def send(self, method: str, target: str, headers: Headers | None = None, body: Body | None = None) -> Answer:
        """``target`` is what stands in the request line: percent-encoded, with the query. Bytes as a body get a
        Content-Length unless the headers name one; streams get none. A 500 fails the test: it is never right.
        """
        lines = {"host": self.host, **self.headers, **(headers or {})}
        if isinstance(body, bytes):
            lines.setdefault("content-length", str(len(body)))
        exchange = _Exchange(method, _pieces(body))
        scope = self._scope(method, target, list(_header_lines(lines)))
        answer = await exchange.run(self.app, scope)
        assert answer.status != 500, f"{method} {target[:200]} failed: see the log"
        return answer

    def _scope(self, method: str, target: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
        path, _, query = target.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": headers,
            "client": (self.peer, 40_000),
            "server": ("127.0.0.1", 5000),
            "extensions": {"http.response.pathsend": {}},
        }


class _Exchange:
    """One request and its answer, as the server between the two sees them."""

    def __init__(self, method: str, body: AsyncIterator[bytes]) -> None:
        self._is_head = method == "HEAD"
        self._body = body
        self._sending = True
        self._answered = asyncio.Event()
        self._start: Message | None = None
        self._received = bytearray()

    async def run(self, app: Application, scope: dict[str, Any]) -> Answer:
        try:
            await app(scope, self._receive, self._send)
        except Exception as error:
            if self._start is None:
                raise
            raise BrokenOff(f"after a status {self._start['status']}") from error
        assert self._start is not None, "the application answered nothing"
        assert self._answered.is_set(), "the application did not end its answer"
        return self._answer(self._start)

    async def _receive(self) -> Message:
        if self._sending:
            try:
                return {"type": "http.request", "body": await anext(self._body), "more_body": True}
            except StopAsyncIteration:
                self._sending = False
                return {"type": "http.request", "body": b"", "more_body": False}
            except HungUp:
                self._sending = False
                return {"type": "http.disconnect"}
        await self._answered.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        assert not self._answered.is_set(), "the application sent something after its answer had ended"
        match message["type"]:
            case "http.response.start":
                assert self._start is None, "the application began its answer twice"
                self._start = message
            case "http.response.body":
                self._received += message.get("body", b"")
                if not message.get("more_body", False):
                    self._answered.set()
            case "http.response.pathsend":
                self._received += _content(message["path"])
                self._answered.set()
            case other:
                raise AssertionError(f"no such message: {other}")

    def _answer(self, start: Message) -> Answer:
        headers = tuple((key.decode("latin-1"), value.decode("latin-1")) for key, value in start["headers"])
        assert all(name == name.lower() for name, _ in headers), "ASGI's header names are lower-case"
        assert not any(set(value) & set("\r\n\0") for _, value in headers), "a header breaks its line"
        answer = Answer(start["status"], headers, bytes(self._received))
        length = answer.get("content-length")
        if self._is_head or answer.status in {204, 304}:
            assert not answer.body, "this answer has no body"
        elif length is not None:
            assert int(length) == len(answer.body), "the body is not as long as its Content-Length"
        return answer


def _content(path: str) -> bytes:
    return Path(path).read_bytes()


async def _pieces(body: Body | None) -> AsyncIterator[bytes]:
    match body:
        case None:
            return
        case bytes():
            for start in range(0, len(body), PIECE):
                yield body[start : start + PIECE]
        case AsyncIterable():
            async for piece in body:
                yield piece
        case _:
            for piece in body:
                yield piece


def _header_lines(headers: Headers) -> Iterator[tuple[bytes, bytes]]:
    for name, value in headers.items():
        for line in (value,) if isinstance(value, str) else value:
            yield name.lower().encode(), line.encode("latin-1")


def basic(user: str, password: str) -> str:
    """An Authorization header's value. Spec: RFC 7617."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Lifespan:
    """Runs an application's life: ``async with Lifespan(app): ...``."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._stop = asyncio.Event()
        self._started = asyncio.Event()
        self._task: asyncio.Future[None] | None = None
        self._asked = False

    async def __aenter__(self) -> None:
        self._task = asyncio.ensure_future(self._app({"type": "lifespan"}, self._receive, self._send))
        waiting = asyncio.ensure_future(self._started.wait())
        await asyncio.wait({self._task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting
            self._task.result()

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        if self._task is not None:
            await self._task

    async def _receive(self) -> Message:
        if self._asked:
            await self._stop.wait()
            return {"type": "lifespan.shutdown"}
        self._asked = True
        return {"type": "lifespan.startup"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            self._started.set()
