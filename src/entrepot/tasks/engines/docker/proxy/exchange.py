"""One request of a run: decided on, then passed to the engine and back."""

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from threading import Event, Thread
from typing import Final, TypeAlias
from urllib.parse import urlencode

import h11
import msgspec

from entrepot.tasks.engines.docker.proxy import registry
from entrepot.tasks.engines.docker.proxy.channel import BODY_LIMIT, PIECE, Channel, Closed
from entrepot.tasks.engines.docker.proxy.model import SOCKET, Json, Manner, Passed, Refused, Run
from entrepot.tasks.engines.docker.proxy.routes import Target, find
from entrepot.tasks.engines.model import EngineFailed

_PASSED_ON: Final = frozenset(
    {b"x-registry-auth", b"x-registry-config", b"accept", b"user-agent"}
    | {b"x-docker-expose-session-uuid", b"x-docker-expose-session-name", b"x-docker-expose-session-grpc-method"}
)
# Two sessions with one key share the files that a build was sent before: those of the run's own sessions only.
_SHARED_KEY: Final = b"x-docker-expose-session-sharedkey"
_HOP_BY_HOP: Final = frozenset({"connection", "content-length", "transfer-encoding", "upgrade", "keep-alive"})
_LOOK_AGAIN: Final = 0.25
ANSWER_LIMIT: Final = 16 * 1024 * 1024
# How much of a body is thrown away after a refusal, so that the client comes to read why.
_DRAINED: Final = 1024


# A stream to the engine, for one exchange.
Reach: TypeAlias = Callable[[], AbstractContextManager[socket.socket]]


def serve(channel: Channel, run: Run, engine: Reach) -> None:
    """All requests of a connection, until it ends."""
    with suppress(Closed):
        while _one(channel, channel.request(), run, engine):
            pass


def _one(channel: Channel, request: h11.Request, run: Run, engine: Reach) -> bool:
    """Whether another may follow."""
    try:
        if request.target.startswith(registry.PREFIX):
            return registry.pass_on(channel, request, run.registry)
        target = find(request.method.decode(), request.target.decode("latin-1"))
        passed = target.passed(run, _json(channel) if target.route.reads else {})
        exchange = _Exchange(channel, run, engine, request, target, passed)
    except Refused as refused:
        return _told(channel, refused.status, refused.message)
    except EngineFailed as error:
        return _told(channel, HTTPStatus.BAD_GATEWAY, str(error))
    try:
        return exchange.passed_on()
    except (OSError, HTTPException, EngineFailed, msgspec.MsgspecError):  # an answer may have begun: it breaks off
        return False


def _told(channel: Channel, status: int, message: str) -> bool:
    if channel.small_body() is not None:
        return channel.refuse(status, message)
    channel.refuse(status, message)
    channel.stream.shutdown(socket.SHUT_WR)
    channel.stream.settimeout(1.0)
    for _ in range(_DRAINED):
        try:
            if not channel.stream.recv(PIECE):
                break
        except OSError:
            break
    return False


def _json(channel: Channel) -> Json:
    content = channel.small_body()
    if content is None:
        raise Refused(f"the body has more than {BODY_LIMIT} bytes", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        return msgspec.json.decode(content, type=Json | None) or {} if content else {}
    except msgspec.MsgspecError as error:
        raise Refused(f"the body: {error}", HTTPStatus.BAD_REQUEST) from None


@dataclass(frozen=True, slots=True)
class _Exchange:
    channel: Channel
    run: Run
    engine: Reach
    request: h11.Request
    target: Target
    passed: Passed

    def passed_on(self) -> bool:
        with self.engine() as stream:
            match self.passed.manner:
                case Manner.CALL:
                    return self._call(stream)
                case Manner.STREAM:
                    return self._stream(stream)
                case Manner.HIJACK:
                    return self._hijack(stream)
                case Manner.LATE:
                    return self._late()

    # --- the manners --------------------------------------------------------------------------------------------------

    def _call(self, stream: socket.socket) -> bool:
        if not self.target.route.reads and self.channel.small_body() is None:
            raise Closed
        with closing(self._asked(stream, self._content())) as response:
            body = response.read(ANSWER_LIMIT + 1)
        if len(body) > ANSWER_LIMIT:
            raise Closed
        if self.passed.answer is not None and response.status < HTTPStatus.MULTIPLE_CHOICES:
            body = self.passed.answer(body)
        if self.request.method == b"HEAD":
            self.channel.begin(response.status, _headers(response))
            return self.channel.end()
        return self.channel.answer(response.status, _headers(response), self._of_the_run(body))

    def _stream(self, stream: socket.socket) -> bool:
        """The request's body goes on in a thread of its own: the engine may answer before it has read all of it."""
        answered = Event()
        self._sent(stream, self._framing())
        feeding = Thread(target=self._feed, args=(stream, answered), name=f"feed {self.run.name}", daemon=True)
        feeding.start()
        try:
            with closing(HTTPResponse(stream, method=self.request.method.decode())) as response:
                response.begin()
                self.channel.begin(response.status, _headers(response))
                for piece in self._pieces(response):
                    self.channel.go_on(piece)
            answered.set()
            return self.channel.end()
        finally:
            answered.set()
            _shut(stream)

    def _hijack(self, stream: socket.socket) -> bool:
        protocol = _value(self.request, b"upgrade")
        if protocol not in {"tcp", "h2c"}:
            raise Closed
        if not self.target.route.reads and self.channel.small_body() is None:
            raise Closed
        content = self._content()
        self._sent(stream, [("Connection", "Upgrade"), ("Upgrade", protocol), *_length(content)], content)
        with closing(HTTPResponse(stream, method="POST")) as response:
            response.begin()
            if response.status != HTTPStatus.SWITCHING_PROTOCOLS:
                body = self._of_the_run(response.read(ANSWER_LIMIT))
                return self.channel.answer(response.status, _headers(response), body)
            early = self.channel.upgrade(protocol)
            sides = (self.channel.stream, stream, early)
            there = Thread(target=_poured, args=sides, name=f"hijack {self.run.name}", daemon=True)
            there.start()
            # What came together with the head is in the response's own buffer.
            _back(response, self.channel.stream)
            there.join()
        return False

    def _late(self) -> bool:
        """Clients go on once they have the head."""
        if self.passed.late is None or self.channel.small_body() is None:
            raise Closed
        self.channel.begin(HTTPStatus.OK, [("Content-Type", "application/json")])
        self.channel.go_on(self.passed.late(lambda: _is_gone(self.channel.stream)))
        return self.channel.end()

    # --- to the engine ------------------------------------------------------------------------------------------------

    def _content(self) -> bytes:
        return b"" if self.passed.body is None else msgspec.json.encode(self.passed.body)

    def _asked(self, stream: socket.socket, content: bytes) -> HTTPResponse:
        self._sent(stream, _length(content), content)
        response = HTTPResponse(stream, method=self.request.method.decode())
        response.begin()
        return response

    def _sent(self, stream: socket.socket, headers: list[tuple[str, str]], content: bytes = b"") -> None:
        """Both names and values come from h11, which lets no line break through. Each request has a connection of its
        own, behind which the engine reads no other.
        """
        query = f"?{urlencode(self.passed.query)}" if self.passed.query else ""
        path = f"{self.passed.version or self.target.version}{self.passed.path}"
        lines = [
            f"{self.request.method.decode()} {path}{query} HTTP/1.1",
            "Host: docker",
            *(f"{name}: {value}" for name, value in [*self._kept(), *headers]),
            *(() if self.passed.manner is Manner.HIJACK else ("Connection: close",)),
        ]
        stream.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + content)

    def _kept(self) -> Iterator[tuple[str, str]]:
        """A body that was written anew is JSON, whatever its first writer said."""
        if self.passed.body is not None:
            yield "Content-Type", "application/json"
        for name, value in self.request.headers:
            if name in _PASSED_ON or (name == b"content-type" and self.passed.body is None):
                yield name.decode(), value.decode("latin-1")
            elif name == _SHARED_KEY:
                yield name.decode(), f"{self.run.name}-{value.decode('latin-1')}"

    def _framing(self) -> list[tuple[str, str]]:
        if length := _value(self.request, b"content-length"):
            return [("Content-Length", length)]
        return [("Transfer-Encoding", "chunked")] if _value(self.request, b"transfer-encoding") else _length(b"")

    def _feed(self, stream: socket.socket, answered: Event) -> None:
        """The body, then a look whether the client is still there: a build ends with its client."""
        chunked = bool(_value(self.request, b"transfer-encoding"))
        try:
            for piece in self.channel.body():
                stream.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if chunked:
                stream.sendall(b"0\r\n\r\n")
            while not answered.is_set() and not _is_gone(self.channel.stream):
                pass
        except (Closed, OSError, ValueError):  # ValueError: the connection was closed meanwhile
            pass
        if not answered.is_set():
            _shut(stream)

    # --- from the engine ----------------------------------------------------------------------------------------------

    def _of_the_run(self, body: bytes) -> bytes:
        """Names as the run gave them; its id stands nowhere else, so the text alone tells."""
        return body.replace(f"{self.run.name}_".encode(), b"").replace(self.run.socket.encode(), SOCKET.encode())

    def _pieces(self, response: HTTPResponse) -> Iterator[bytes]:
        if response.status >= HTTPStatus.BAD_REQUEST:
            yield self._of_the_run(response.read(ANSWER_LIMIT))
            return
        while piece := response.read1(PIECE):
            if self.passed.watch is not None:
                self.passed.watch(piece)
            yield piece


def _headers(response: HTTPResponse) -> list[tuple[str, str]]:
    return [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP]


def _value(request: h11.Request, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in request.headers if key == name), "")


def _length(content: bytes) -> list[tuple[str, str]]:
    return [("Content-Length", str(len(content)))]


def _is_gone(stream: socket.socket) -> bool:
    """Waits a little for it."""
    ready, _, _ = select.select([stream], [], [], _LOOK_AGAIN)
    if not ready:
        return False
    if stream.recv(1, socket.MSG_PEEK):
        select.select([], [], [], _LOOK_AGAIN)  # the next request, early: it waits for its turn
        return False
    return True


def _poured(source: socket.socket, target: socket.socket, early: bytes) -> None:
    """All of one stream into another, and its end too."""
    with suppress(OSError):
        piece = early or source.recv(PIECE)
        while piece:
            target.sendall(piece)
            piece = source.recv(PIECE)
        target.shutdown(socket.SHUT_WR)


def _back(response: HTTPResponse, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := response.fp.read1(PIECE):
            target.sendall(piece)
    _shut(target)


def _shut(stream: socket.socket) -> None:
    with suppress(OSError):
        stream.shutdown(socket.SHUT_RDWR)
