"""Servers of the outside world, on loopback, that answer byte for byte what a test tells them: also wrong things.

    with serving(lambda asked: ok(b"hello")) as server:
        ...  # http://127.0.0.1:PORT/, and server.asked is what came

An answer is given in pieces; a generator may wait between two with ``server.over``, so that nothing outlives its test.
"""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from entrepot.app.certificates import made_certificate

Answering = Callable[["Asked"], Iterable[bytes]]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    server_name: str | None = None  # what TLS was asked for


@dataclass
class Server:
    """A running server, and what it was asked so far."""

    address: str
    port: int
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    over: threading.Event = field(default_factory=threading.Event)  # set when the test ends

    @property
    def place(self) -> str:
        return f"{self.address}:{self.port}"


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> list[bytes]:
    """A whole answer with its length."""
    lines = {"content-length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{head}\r\n".encode("latin-1"), body]


def ok(body: bytes = b"", headers: Mapping[str, str] | None = None) -> list[bytes]:
    return answer(200, body, headers)


def ok_json(document: Any) -> list[bytes]:  # noqa: ANN401  any document
    return ok(json.dumps(document).encode(), {"content-type": "application/json"})


def redirect(location: str, status: int = 302) -> list[bytes]:
    return answer(status, headers={"location": location})


@dataclass(frozen=True)
class Authority:
    """A CA of the test's own with a certificate for some names."""

    ca_file: Path
    server: ssl.SSLContext

    @property
    def trusting(self) -> ssl.SSLContext:
        """For clients: trusts this CA beside the system's."""
        context = ssl.create_default_context()
        context.load_verify_locations(self.ca_file)
        return context


def authority(folder: Path, *names: str) -> Authority:
    made = made_certificate(folder, names, datetime.now(UTC))
    pem = folder / "pair.pem"
    pem.write_bytes(made.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    assert made.ca_file is not None
    return Authority(made.ca_file, context)


@contextmanager
def serving(answering: Answering, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> Iterator[Server]:
    """Runs while the block lasts; one thread for each connection, and one answer on each."""

    def talk(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(20)
            names: list[str | None] = [None]
            if tls is None:
                speak(connection, None)
                return
            tls.sni_callback = lambda _socket, name, _context: names.append(name)
            with tls.wrap_socket(connection, server_side=True) as secure:
                speak(secure, names[-1])

    def speak(connection: socket.socket, name: str | None) -> None:
        asked = read_request(connection, name)
        if asked is None:
            return
        server.asked.append(asked)
        for piece in answering(asked):
            connection.sendall(piece)
        # Reads until the peer is done: closing with unread bytes would cut the answer off.
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with accepting(talk, address) as server:
        yield server


@contextmanager
def accepting(talk: Callable[[socket.socket], None], address: str = "127.0.0.1") -> Iterator[Server]:
    """Hands each connection to ``talk`` in a thread of its own."""
    with socket.create_server((address, 0)) as listener:
        server = Server(address, listener.getsockname()[1])
        threads: list[threading.Thread] = []
        open_ones: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                server.connections += 1
                open_ones.append(connection)
                threads.append(threading.Thread(target=talk, args=(connection,), daemon=True))
                threads[-1].start()

        accepting_thread = threading.Thread(target=accept, daemon=True)
        accepting_thread.start()
        try:
            yield server
        finally:
            server.over.set()
            listener.shutdown(socket.SHUT_RDWR)
            accepting_thread.join(10)
            for connection in open_ones:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(10)
            assert not any(thread.is_alive() for thread in (accepting_thread, *threads))


def read_request(connection: socket.socket, name: str | None = None) -> Asked | None:
    """None when the peer went away before it had asked."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return None
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {key.lower(): value for key, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    method, target, _ = first.split(" ")
    return Asked(method, target, headers, body, name)


def relay(connection: socket.socket, port: int) -> None:
    """Carries bytes between the connection and a port of 127.0.0.1 until one side is done."""
    with socket.create_connection(("127.0.0.1", port)) as target:
        back = threading.Thread(target=_copy, args=(target, connection), daemon=True)
        back.start()
        _copy(connection, target)
        back.join(10)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
