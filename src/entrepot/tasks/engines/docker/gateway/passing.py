"""One connection to the proxy: the request says where to, and from then on bytes pass both ways (RFC 9110, 9.3.6).

CONNECT for whatever has TLS, a whole ``http://`` address for what has none. After the one request the connection is
the host's: its name is looked at once, and no second request on the same connection could lead elsewhere.
"""

import socket
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from threading import Thread
from typing import Final, NamedTuple

import h11

from entrepot.tasks.engines.docker.serving import Server
from entrepot.tasks.engines.model import NoWay, WayOut

HEAD_LIMIT: Final = 32 * 1024
CONNECTIONS: Final = 64
_HEAD_SECONDS: Final = 30.0
_ANSWER_SECONDS: Final = 5.0
_LINGER_SECONDS: Final = 30.0
_PIECE: Final = 256 * 1024
_DRAINED: Final = 256
_PORTS: Final = range(1, 65_536)
_SCHEME: Final = "http://"
# Between the client and us (RFC 9110, 7.6.1); Host is written anew from the address.
_OURS: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"upgrade", b"host"}
)


class Wrong(Exception):
    """What is asked for is no request to a proxy."""


class Wanted(NamedTuple):
    """``first``: what the host gets before all that follows."""

    host: str
    port: int
    first: bytes
    is_tunnel: bool


def serve(stream: socket.socket, server: Server, way: WayOut) -> None:
    try:
        stream.settimeout(_HEAD_SECONDS)
        wanted = wanted_of(*_request(stream))
        with server.ending(way.open(wanted.host, wanted.port)) as host:
            for each in (stream, host):
                each.settimeout(None)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if wanted.is_tunnel:
                stream.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            host.sendall(wanted.first)
            _exchange(stream, host)
    except Wrong as wrong:
        _answer(stream, HTTPStatus.BAD_REQUEST, str(wrong))
    except NoWay as none:
        _answer(stream, HTTPStatus.FORBIDDEN if none.is_refused else HTTPStatus.BAD_GATEWAY, str(none))
    except OSError:
        pass  # one of both is gone


def wanted_of(request: h11.Request, rest: bytes) -> Wanted:
    """``rest``: what came after the head. Raises Wrong."""
    target = request.target.decode("ascii")
    if request.method == b"CONNECT":
        host, port = _authority(target, None)
        return Wanted(host, port, rest, is_tunnel=True)
    if target[: len(_SCHEME)].lower() != _SCHEME:
        raise Wrong(f"{target[:100]}: this is a proxy, for CONNECT and addresses with {_SCHEME}")
    end = next((place for place in range(len(_SCHEME), len(target)) if target[place] in "/?#"), len(target))
    authority, path = target[len(_SCHEME) : end], target[end:].partition("#")[0]
    host, port = _authority(authority, 80)
    origin = path if path.startswith("/") else f"/{path}"
    lines = [b"%b %b HTTP/%b" % (request.method, origin.encode(), request.http_version), b"Host: " + authority.encode()]
    lines += [b"%b: %b" % (name, value) for name, value in _kept(request)]
    return Wanted(host, port, b"\r\n".join([*lines, b"Connection: close", b"", b""]) + rest, is_tunnel=False)


def _request(stream: socket.socket) -> tuple[h11.Request, bytes]:
    """Raises Wrong, OSError."""
    http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
    try:
        while (event := http.next_event()) is h11.NEED_DATA:
            http.receive_data(stream.recv(_PIECE))
    except h11.RemoteProtocolError as error:
        raise Wrong(f"no request: {error}") from None
    if not isinstance(event, h11.Request):
        raise OSError
    return event, bytes(http.trailing_data[0])


def _authority(text: str, usual: int | None) -> tuple[str, int]:
    """Raises Wrong."""
    name, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        name, port = text, "" if usual is None else str(usual)
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    is_port = port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) in _PORTS  # noqa: PLR2004  digits
    if not name or "@" in name or not is_port:
        raise Wrong(f"{text[:100]} is no HOST:PORT")
    return name, int(port)


def _kept(request: h11.Request) -> Iterator[tuple[bytes, bytes]]:
    """Without what the client said to the proxy."""
    named = {
        name.strip().lower() for key, value in request.headers if key == b"connection" for name in value.split(b",")
    }
    return ((name, value) for name, value in request.headers if name not in _OURS | named)


def _exchange(client: socket.socket, host: socket.socket) -> None:
    """Until the host ends it: many a client keeps what is over until it needs another."""
    feeding = Thread(target=_poured, args=(client, host), name="feed through the gateway", daemon=True)
    feeding.start()
    _poured(host, client)
    feeding.join(_LINGER_SECONDS)
    _shut(client, host)
    feeding.join()


def _poured(source: socket.socket, target: socket.socket) -> None:
    """All of one into another, and its end too; where it breaks off, both are over."""
    try:
        while piece := source.recv(_PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        _shut(source, target)


def _shut(*streams: socket.socket) -> None:
    for stream in streams:
        with suppress(OSError):
            stream.shutdown(socket.SHUT_RDWR)


def _answer(stream: socket.socket, status: HTTPStatus, text: str) -> None:
    """And what the client still sends is read, or it would not come to read the answer."""
    body = f"{text}\n".encode()
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with suppress(OSError):
        stream.settimeout(_ANSWER_SECONDS)
        stream.sendall(head.encode() + body)
        stream.shutdown(socket.SHUT_WR)
        for _ in range(_DRAINED):
            if not stream.recv(_PIECE):
                break
