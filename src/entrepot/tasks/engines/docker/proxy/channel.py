"""The run's side of a connection: HTTP/1.1 as h11 reads it, bounded."""

import socket
from collections.abc import Iterator
from threading import Lock
from typing import Final

import h11
import msgspec

HEAD_LIMIT: Final = 64 * 1024
BODY_LIMIT: Final = 1024 * 1024  # of what is read before it is decided on
PIECE: Final = 64 * 1024
_FRAMINGS: Final = frozenset({b"content-length", b"transfer-encoding"})


class Closed(Exception):
    """The client is gone, or does not speak HTTP."""


class Channel:
    """One thread may read while another writes."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        self._lock = Lock()
        self._is_too_long = False  # such a connection ends with its answer

    def request(self) -> h11.Request:
        """The next one. Raises Closed.

        One that frames its body in two ways is none (RFC 9112, 6.1): h11 heeds the one, and whoever comes after us may
        heed the other and take a part of the body for a request.
        """
        event = self._next()
        if not isinstance(event, h11.Request) or {name for name, _ in event.headers} >= _FRAMINGS:
            raise Closed
        return event

    def body(self) -> Iterator[bytes]:
        """Of the request, as it comes. Raises Closed when it breaks off."""
        while isinstance(event := self._next(), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise Closed

    def small_body(self) -> bytes | None:
        """What is left of it; None when it is too long, and from then on."""
        content = b""
        with self._lock:
            if self._http.their_state is not h11.SEND_BODY:
                return content
        if self._is_too_long:
            return None
        for piece in self.body():
            content += piece
            if len(content) > BODY_LIMIT:
                self._is_too_long = True
                return None
        return content

    def begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        self._send(h11.Response(status_code=status, headers=headers))

    def go_on(self, piece: bytes) -> None:
        self._send(h11.Data(data=piece))

    def end(self) -> bool:
        """Whether another request may come."""
        self._send(h11.EndOfMessage())
        with self._lock:
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return False
            self._http.start_next_cycle()
            return True

    def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> bool:
        self.begin(status, [*headers, ("Content-Length", str(len(body)))])
        if body:
            self.go_on(body)
        return self.end()

    def refuse(self, status: int, message: str) -> bool:
        """As docker's clients expect it."""
        body = msgspec.json.encode({"message": message})
        return self.answer(status, [("Content-Type", "application/json")], body)

    def upgrade(self, protocol: str) -> bytes:
        """From here on the stream is raw; what of it has come already."""
        headers = [("Connection", "Upgrade"), ("Upgrade", protocol)]
        headers.append(("Content-Type", "application/vnd.docker.raw-stream"))
        self._send(h11.InformationalResponse(status_code=101, headers=headers, reason=b"UPGRADED"))
        with self._lock:
            return bytes(self._http.trailing_data[0])

    def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while True:
            with self._lock:
                try:
                    event = self._http.next_event()
                except h11.RemoteProtocolError:
                    raise Closed from None
                go_ahead = self._http.they_are_waiting_for_100_continue
            if event is not h11.NEED_DATA:
                return event
            if go_ahead:
                self._send(h11.InformationalResponse(status_code=100, headers=[]))
            piece = self._received()
            with self._lock:
                self._http.receive_data(piece)

    def _received(self) -> bytes:
        try:
            return self.stream.recv(PIECE)
        except OSError:
            raise Closed from None

    def _send(self, event: h11.Event) -> None:
        with self._lock:
            try:
                content = self._http.send(event)
            except h11.LocalProtocolError:
                raise Closed from None
        try:
            self.stream.sendall(content or b"")
        except OSError:
            raise Closed from None
