"""Clients whose bodies stop, never end or are not as long as they said; clients that do not read. On the wire."""

import socket
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.content import digest_of, some_bytes
from tests.faults.plain import OWNER, OWNER_SECRET, Repository, plain_server, repository_of
from tests.faults.serve.seen import port_of, processes_of, settled
from tests.invariants import assert_clean
from tests.services import Registry, wait_until

from entrepot.content.ingest import BATCH

MIB = 1024 * 1024
IDLE_SECONDS = 1
LARGEST = 64 * MIB
CUT_WITHIN = 10.0
CONTENT = some_bytes(4 * MIB, "slow")
HALF = 2 * MIB
READERS = 8
# For a reader: chunks of 1 MiB, read and not yet sent, and what the allocator keeps. The blob is much larger.
A_FEW_CHUNKS = 20 * MIB
# What lies in buffers between the two: sockets, the web server's, a batch or two of ours.
UNDER_WAY = 16 * MIB


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    data_dir = tmp_path_factory.mktemp("slow") / "data"
    limits = ("--upload-idle-seconds", str(IDLE_SECONDS), "--max-blob-bytes", str(LARGEST))
    with plain_server(data_dir, "--workers", "1", *limits) as registry:
        processes = settled(registry)
        yield registry
        assert processes_of(registry) == processes
        assert_clean(data_dir)


@pytest.fixture
def app(server: Registry) -> Iterator[Repository]:
    with repository_of(server) as repository:
        yield repository


@pytest.fixture
def location(app: Repository) -> str:
    """Of a fresh upload."""
    return app.start().headers["location"]


@dataclass
class Wire:
    """A connection on which a test writes what it likes."""

    socket: socket.socket

    def ask(self, method: str, target: str, *headers: str) -> None:
        credentials = b64encode(f"{OWNER}:{OWNER_SECRET}".encode()).decode()
        lines = (f"{method} {target} HTTP/1.1", "Host: localhost", f"Authorization: Basic {credentials}", *headers)
        self.socket.sendall("\r\n".join((*lines, "", "")).encode())

    def answers(self) -> list[int]:
        """The status of every answer until the server closes the connection."""
        received = bytearray()
        try:
            while piece := self.socket.recv(65536):
                received += piece
        except ConnectionResetError:  # it closed with bytes of ours unread
            pass
        return [int(head.split()[0]) for head in bytes(received).split(b"HTTP/1.1 ")[1:]]


@contextmanager
def wire_to(registry: Registry) -> Iterator[Wire]:
    with socket.create_connection(("127.0.0.1", port_of(registry)), timeout=CUT_WITHIN) as connection:
        yield Wire(connection)


def staged(app: Repository, location: str) -> int:
    last = int(app.http.get(location).headers["range"].removeprefix("0-"))
    return last + 1 if last else 0


def test_an_upload_that_stops_halfway_is_cut_and_can_resume(server: Registry, app: Repository, location: str) -> None:
    with wire_to(server) as wire:
        wire.ask("PATCH", location, f"Content-Length: {len(CONTENT)}")
        wire.socket.sendall(CONTENT[:HALF])
        assert wire.answers() == [408]
    assert resumed(app, location)


def test_a_body_shorter_than_its_length_can_resume(server: Registry, app: Repository, location: str) -> None:
    with wire_to(server) as wire:
        wire.ask("PATCH", location, f"Content-Length: {len(CONTENT)}")
        wire.socket.sendall(CONTENT[:HALF])
        wire.socket.shutdown(socket.SHUT_WR)
        assert 202 not in wire.answers()
    # Nobody is told when the server has noticed.
    wait_until(lambda: resumed(app, location), "the upload is finished", within=CUT_WITHIN)


def resumed(app: Repository, location: str) -> bool:
    """Go on where the session says; at most the batch that was being gathered is lost."""
    offset = staged(app, location)
    return HALF - BATCH <= offset <= HALF and app.close(location, CONTENT, CONTENT[offset:]).status_code == 201


def test_a_chunked_body_without_end_is_cut_at_the_limit(server: Registry, app: Repository, location: str) -> None:
    piece = b"10000\r\n" + bytes(65536) + b"\r\n"
    sent = 0
    with wire_to(server) as wire:
        wire.ask("PATCH", location, "Transfer-Encoding: chunked")
        with suppress(ConnectionError):
            while sent < 100 * LARGEST:
                wire.socket.sendall(piece)
                sent += 65536
    assert sent < LARGEST + UNDER_WAY
    assert staged(app, location) == 0


def test_what_follows_a_body_is_no_part_of_it(server: Registry, app: Repository, location: str) -> None:
    with wire_to(server) as wire:
        wire.ask("PATCH", location, "Content-Length: 4")
        wire.socket.sendall(b"good" + b"and more than was said\r\n\r\n")
        assert wire.answers() == [202, 400]
    assert staged(app, location) == 4


@pytest.mark.parametrize(
    "headers",
    [("Content-Length: 4", "Content-Length: 8"), ("Content-Length: -4",), ("Transfer-Encoding: chunked, identity",)],
    ids=["two", "negative", "not-chunked-at-last"],
)
def test_a_length_that_is_not_clear_is_refused(
    server: Registry, app: Repository, location: str, headers: tuple[str, ...]
) -> None:
    with wire_to(server) as wire:
        wire.ask("PATCH", location, *headers)
        wire.socket.sendall(b"goodevil")
        assert wire.answers() == [400]
    assert staged(app, location) == 0


def test_a_length_beside_chunks_smuggles_nothing(server: Registry, app: Repository, location: str) -> None:
    """RFC 9112, section 6.3: the chunks count, and the connection ends, or the request is refused."""
    with wire_to(server) as wire:
        wire.ask("PATCH", location, "Content-Length: 5", "Transfer-Encoding: chunked")
        wire.socket.sendall(b"0\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert wire.answers() in ([400], [202])
    assert staged(app, location) == 0


def test_idle_connections_keep_nobody_out(server: Registry, app: Repository) -> None:
    with ExitStack() as held:
        for _ in range(300):
            held.enter_context(wire_to(server)).socket.sendall(b"GET /v2/ HTTP/1.1\r\nX-Slow")
        begun = time.monotonic()
        assert app.push_blob(b"beside idle connections").status_code == 201
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize("ranges", ["", "bytes=1-"], ids=["whole", "range"])
def test_readers_that_do_not_read_cost_no_memory_and_keep_nobody_waiting(
    server: Registry, app: Repository, ranges: str
) -> None:
    content = some_bytes(LARGEST, f"slow reader {ranges}")
    assert app.push_blob(content).status_code == 201
    target = app.path(f"blobs/{digest_of(content)}")
    headers = [f"Range: {ranges}"] if ranges else []
    (worker,) = processes_of(server).web
    before = memory_of(worker)
    with ExitStack() as held:
        readers = [held.enter_context(wire_to(server)) for _ in range(READERS)]
        for reader in readers:
            reader.ask("GET", target, "Connection: close", *headers)
            assert reader.socket.recv(5) == b"HTTP/"
        assert app.push_blob(f"beside {ranges}".encode()).status_code == 201
        assert memory_of(worker) - before < READERS * A_FEW_CHUNKS
        received = bytearray()
        while piece := readers[-1].socket.recv(MIB):
            received += piece
    assert received.endswith(b"\r\n\r\n" + (content[1:] if ranges else content))


def memory_of(process: int) -> int:
    """Anonymous memory, which the page cache of files is no part of."""
    (line,) = [line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) * 1024
