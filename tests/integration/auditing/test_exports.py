"""Entries go out in order, none is left out, and a destination that is down is caught up later."""

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.integration.auditing.conftest import write
from tests.registry import Registry
from tests.services import wait_until

from entrepot.app.certificates import made_certificate
from entrepot.auditing.chaining import Chainer
from entrepot.auditing.export import Export, Exporter
from entrepot.auditing.line_file import LineFile
from entrepot.auditing.syslog import Address, Syslog, Transport

MARK = b"\xef\xbb\xbf"


def sequences(texts: list[bytes]) -> list[int]:
    return [json.loads(text)["sequence"] for text in texts]


def lines_of(path: Path) -> list[int]:
    return sequences(path.read_bytes().splitlines())


def exporter_of(registry: Registry, export: Export) -> Exporter:
    return Exporter(registry.database, export)


@pytest.fixture
def chained(registry: Registry, chainer: Chainer) -> Chainer:
    write(registry.database, registry.clock, 3)
    chainer.chain()
    return chainer


# --- a file -----------------------------------------------------------------------------------------------------------


async def test_a_file_gets_each_entry_once_and_goes_on_where_it_was(
    registry: Registry, chained: Chainer, tmp_path
) -> None:
    path = tmp_path / "logs" / "audit.jsonl"
    export = Export("file", LineFile(path, 1_000_000, 2))
    assert exporter_of(registry, export).send() == 3
    assert exporter_of(registry, export).send() == 0
    write(registry.database, registry.clock, 1)
    chained.chain()
    assert exporter_of(registry, export).send() == 1
    assert lines_of(path) == [1, 2, 3, 4]


async def test_a_file_is_rotated_at_its_size_and_the_oldest_go(
    registry: Registry, chained: Chainer, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    export = Export("file", LineFile(path, 1, 2))
    for _ in range(4):
        exporter_of(registry, export).send()
        write(registry.database, registry.clock, 1)
        chained.chain()
    assert lines_of(path) == [6]
    assert lines_of(tmp_path / "audit.jsonl.1") == [5]
    assert lines_of(tmp_path / "audit.jsonl.2") == [4]
    assert not (tmp_path / "audit.jsonl.3").exists()


async def test_a_folder_that_is_not_there_yet_is_caught_up_later(
    registry: Registry, chained: Chainer, tmp_path
) -> None:
    (tmp_path / "logs").write_bytes(b"in the way")
    export = Export("file", LineFile(tmp_path / "logs" / "audit.jsonl", 1_000_000, 2))
    assert exporter_of(registry, export).send() == 0
    (tmp_path / "logs").unlink()
    assert exporter_of(registry, export).send() == 3


# --- a syslog server --------------------------------------------------------------------------------------------------


class Receiver(socketserver.ThreadingTCPServer):
    """A syslog server on TCP, or TLS with a context; what it has got."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", port), Reader)
        self.port = self.server_address[1]
        self.raw = bytearray()
        self.open: list[socket.socket] = []
        self._context = context

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, peer = super().get_request()
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
        self.open.append(connection)
        return connection, peer

    def hang_up(self) -> None:
        for connection in self.open:
            with suppress(OSError):  # the client was first
                connection.shutdown(socket.SHUT_RDWR)

    def has(self, count: int) -> bool:
        return bytes(self.raw).count(MARK) == count

    def messages(self) -> list[bytes]:
        """The JSON of each message, by octet counting (RFC 6587 section 3.4.1)."""
        found, rest = [], bytes(self.raw)
        while rest:
            length, _, rest = rest.partition(b" ")
            message, rest = rest[: int(length)], rest[int(length) :]
            found.append(message.partition(MARK)[2])
        return found


class Reader(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Receiver)
        while received := self.request.recv(65536):
            self.server.raw += received


@contextmanager
def stream_server(port: int = 0, context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Hangs up with the block."""
    with Receiver(port, context) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()


async def test_udp_is_a_datagram_for_each_entry(registry: Registry, chained: Chainer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        address = Address(Transport.UDP, "127.0.0.1", server.getsockname()[1])
        with exporter_of(registry, Export("syslog", Syslog(address))) as exporter:
            assert exporter.send() == 3
        assert sequences([server.recv(65536).partition(MARK)[2] for _ in range(3)]) == [1, 2, 3]


async def test_tcp_counts_the_octets_of_each_message(registry: Registry, chained: Chainer) -> None:
    with stream_server() as server:
        address = Address(Transport.TCP, "127.0.0.1", server.port)
        with exporter_of(registry, Export("syslog", Syslog(address))) as exporter:
            assert exporter.send() == 3
            write(registry.database, registry.clock, 1)
            chained.chain()
            assert exporter.send() == 1
            wait_until(lambda: server.has(4), "all messages are there", 5)
        assert sequences(server.messages()) == [1, 2, 3, 4]


async def test_a_server_that_is_down_and_one_that_comes_back_are_caught_up(
    registry: Registry, chained: Chainer
) -> None:
    with stream_server() as server:
        port = server.port
    syslog = Syslog(Address(Transport.TCP, "127.0.0.1", port))
    with exporter_of(registry, Export("syslog", syslog)) as exporter:
        assert exporter.send() == 0
        with stream_server(port) as first:
            assert exporter.send() == 3
            wait_until(lambda: first.has(3), "all messages are there", 5)
        write(registry.database, registry.clock, 2)
        chained.chain()
        with stream_server(port) as second:
            # The first has hung up: what is sent into that connection would be lost.
            wait_until(lambda: exporter.send() == 2, "it goes to the second", 5)
            wait_until(lambda: second.has(2), "all messages are there", 5)
        assert sequences(first.messages()) == [1, 2, 3]
        assert sequences(second.messages()) == [4, 5]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of ``localhost``, with its key; the CA lies beside it."""
    folder = tmp_path / "tls"
    folder.mkdir()
    pem = folder / "served.pem"
    pem.write_bytes(made_certificate(folder, ("localhost",), datetime.now(UTC)).pem)
    return pem


async def test_tls_trusts_the_ca_that_it_is_given_and_no_other(
    registry: Registry, chained: Chainer, certificate: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with stream_server(context=context) as server:
        address = Address(Transport.TLS, "localhost", server.port)
        with exporter_of(registry, Export("syslog", Syslog(address))) as exporter:
            assert exporter.send() == 0
        with exporter_of(registry, Export("syslog", Syslog(address, certificate.with_name("ca.crt")))) as exporter:
            assert exporter.send() == 3
            write(registry.database, registry.clock, 1)
            chained.chain()
            assert exporter.send() == 1
            wait_until(lambda: server.has(4), "all messages are there", 5)
        assert sequences(server.messages()) == [1, 2, 3, 4]
