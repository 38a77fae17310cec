"""A request as ASGI gives it, read strictly and only as far as asked. Spec: ASGI HTTP connection scope, RFC 9110."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

from entrepot.errors import Kind, Problem
from entrepot.web.forwarded import plain_address

# ASGI's own types: messages are dictionaries whose values depend on their "type".
Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

QUERY_FIELDS_LIMIT: Final = 1000
_NUMBER_DIGITS: Final = 19
_BEFORE_STREAMS: Final = frozenset({"1.0", "1.1"})
_READ_AWAY_LIMIT: Final = 64 * 1024
_READ_AWAY_SECONDS: Final = 1.0


class Request:
    """One HTTP request. ``path`` is still percent-encoded; route parameters are decoded one by one."""

    __slots__ = ("_ended", "_headers", "_query", "_receive", "client", "id", "method", "path", "scope")

    def __init__(self, scope: Scope, receive: Receive, request_id: str) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = _raw_path(scope)
        self.id = request_id
        self.client: str = plain_address(scope["client"][0]) if scope.get("client") else ""
        self._receive = receive
        self._ended = False
        self._headers: dict[bytes, bytes] | None = None
        self._query: dict[str, list[str]] | None = None

    def header(self, name: bytes) -> str | None:
        """The header's value; of several lines with one name the last. ``name`` is lower-case."""
        if self._headers is None:
            self._headers = dict(self.scope["headers"])
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def headers(self, name: bytes) -> list[str]:
        """The values of every line with this name."""
        lines: Iterable[tuple[bytes, bytes]] = self.scope["headers"]
        return [value.decode("latin-1") for key, value in lines if key == name]

    def content_length(self) -> int | None:
        """None when the request does not say. Raises REQUEST_INVALID."""
        text = self.header(b"content-length")
        return None if text is None else parse_number(text, "Content-Length")

    def query(self, name: str) -> str | None:
        """The parameter's value; when it stands twice the first."""
        values = self.query_all(name)
        return values[0] if values else None

    def query_all(self, name: str) -> list[str]:
        """Raises REQUEST_INVALID for a query that is not UTF-8 or has too many fields."""
        if self._query is None:
            self._query = _parse_query(self.scope["query_string"])
        return self._query.get(name, [])

    def is_stream(self) -> bool:
        """Whether it is one of many of a connection, as over HTTP/2."""
        return self.scope["http_version"] not in _BEFORE_STREAMS

    def leaves_body(self) -> bool:
        """Whether a part of the body was not read: over HTTP/1.1 the connection can then carry no other request."""
        if self._ended or self.is_stream():
            return False
        return self.header(b"transfer-encoding") is not None or self.header(b"content-length") not in {None, "0"}

    async def read_away(self) -> None:
        """What is left of a short body, over HTTP/2: an answer before its end resets the stream, and a client that is
        still sending may take that for a failure (curl 7.88 does).
        """
        if self._ended:
            return
        length = self.content_length()
        if length is not None and length <= _READ_AWAY_LIMIT:
            async for _ in self.pieces(_READ_AWAY_SECONDS):
                pass

    async def body(self, limit: int, idle_seconds: float) -> bytes:
        """The whole body. Raises REQUEST_TOO_LARGE past ``limit`` bytes, UPLOAD_STALLED, REQUEST_INVALID."""
        declared = self.content_length()
        if declared is not None and declared > limit:
            raise Problem(Kind.REQUEST_TOO_LARGE, limit=limit)
        pieces: list[bytes] = []
        length = 0
        async for piece in self.pieces(idle_seconds):
            length += len(piece)
            if length > limit:
                raise Problem(Kind.REQUEST_TOO_LARGE, limit=limit)
            pieces.append(piece)
        return b"".join(pieces)

    async def pieces(self, idle_seconds: float) -> AsyncIterator[bytes]:
        """The body as it comes in. Raises UPLOAD_STALLED when nothing comes for so long, REQUEST_INVALID when the
        client went away in the middle.
        """
        watch = _StallWatch(idle_seconds)
        try:
            while True:
                message = await watch.guard(self._receive)
                if message["type"] != "http.request":
                    raise Problem(Kind.REQUEST_INVALID, reason="the connection ended before the body did")
                piece = message.get("body", b"")
                self._ended = not message.get("more_body", False)
                if piece:
                    yield piece
                if self._ended:
                    return
        finally:
            watch.end()


class _StallWatch:
    """Cancels a wait for the next piece that lasts too long. One timer for many pieces: a timer each costs more than
    the piece.
    """

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._waiting: asyncio.Task[Any] | None = None
        self._stalled = False
        self._since = self._loop.time()
        self._timer = self._loop.call_later(seconds, self._look)

    async def guard(self, receive: Receive) -> Message:
        self._since = self._loop.time()
        self._waiting = asyncio.current_task()
        try:
            return await receive()
        except asyncio.CancelledError:
            if self._stalled and self._waiting is not None:
                self._waiting.uncancel()
                raise Problem(Kind.UPLOAD_STALLED, idle_seconds=int(self._seconds)) from None
            raise
        finally:
            self._waiting = None

    def _look(self) -> None:
        waited = self._loop.time() - self._since
        if self._waiting is not None and waited >= self._seconds:
            self._stalled = True
            self._waiting.cancel()
            return
        self._timer = self._loop.call_later(max(self._seconds - waited, 0.05), self._look)

    def end(self) -> None:
        self._timer.cancel()


def decode_parameter(text: str) -> str:
    """Undo percent-encoding once. Raises REQUEST_INVALID for what is not UTF-8."""
    if "%" not in text:
        return text
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(Kind.REQUEST_INVALID, reason="the path is not UTF-8") from None


def parse_number(text: str, what: str) -> int:
    """A decimal number without sign. Raises REQUEST_INVALID."""
    if not (text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS):
        raise Problem(Kind.REQUEST_INVALID, reason=f"{what} is not a number")
    return int(text)


def _raw_path(scope: Scope) -> str:
    raw: bytes | None = scope.get("raw_path")
    path: str = scope["path"]
    return path if raw is None else raw.decode("latin-1").partition("?")[0]


def _parse_query(raw: bytes) -> dict[str, list[str]]:
    if not raw:
        return {}
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_LIMIT
        )
    except ValueError:
        raise Problem(Kind.REQUEST_INVALID, reason="the query cannot be read") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
