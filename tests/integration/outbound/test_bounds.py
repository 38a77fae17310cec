"""Servers that drip, never end, or send more than was agreed: each costs a bounded time and a bounded memory."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat

import pytest
from tests.outside import Asked, Authority, Server, accepting, ok, serving

from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import MAX_CALLS, Outbound
from entrepot.outbound.model import OutboundError, Reason, Request

SECONDS = 0.4
HEAD = b"HTTP/1.1 200 OK\r\n"


def _dripping(first: bytes, drop: bytes, over: threading.Event) -> Iterator[bytes]:
    """Sends a drop every few milliseconds, far more often than any limit between two reads would notice."""
    yield first
    while not over.wait(0.01):
        yield drop


DRIPS: dict[str, tuple[bytes, bytes]] = {
    "status": (b"", b"H"),
    "headers": (HEAD, b"x: y\r\n"),
    "interim": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "body": (HEAD + b"content-length: 100000\r\n\r\n", b"."),
    "chunks": (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n.\r\n"),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize("drip", DRIPS)
def test_a_server_that_drips_gets_no_more_than_the_call_s_time(outbound: Outbound, drip: str) -> None:
    servers: list[Server] = []
    with serving(lambda _: _dripping(*DRIPS[drip], servers[0].over)) as server:
        servers.append(server)
        began = time.monotonic()
        reason = _reason(outbound, f"http://{server.place}/", seconds=SECONDS)
        took = time.monotonic() - began
    assert reason is Reason.TIMED_OUT
    assert took < SECONDS + 1


def test_a_server_that_never_finishes_its_handshake_is_timed_out(outbound: Outbound) -> None:
    with accepting(lambda _: None) as server:
        began = time.monotonic()
        assert _reason(outbound, f"https://{server.place}/", seconds=SECONDS) is Reason.TIMED_OUT
        assert time.monotonic() - began < SECONDS + 1


def test_a_server_that_reads_slowly_is_timed_out(outbound: Outbound) -> None:
    def slowly(connection: socket.socket) -> None:
        while not servers[0].over.wait(0.01) and connection.recv(1024):
            pass

    servers: list[Server] = []
    with accepting(slowly) as server:
        servers.append(server)
        request = Request("POST", f"http://{server.place}/", body=bytes(20_000_000), seconds=SECONDS)
        with pytest.raises(OutboundError) as raised:
            outbound.send(request)
    assert raised.value.reason is Reason.TIMED_OUT


def test_a_call_that_nobody_wants_any_more_ends(outbound: Outbound) -> None:
    canceled = threading.Event()

    def silent(_asked: Asked) -> Iterator[bytes]:
        canceled.set()
        servers[0].over.wait(60)
        yield b""

    servers: list[Server] = []
    with serving(silent) as server:
        servers.append(server)
        began = time.monotonic()
        with pytest.raises(OutboundError) as raised:
            outbound.send(Request("GET", f"http://{server.place}/", seconds=60, canceled=canceled))
        assert raised.value.reason is Reason.CANCELED
        assert time.monotonic() - began < 30


def test_an_answer_that_comes_late_is_read_also_over_tls(outbound: Outbound, ca: Authority) -> None:
    def late(_asked: Asked) -> Iterator[bytes]:
        yield HEAD + b"content-length: 4\r\n\r\nla"
        servers[0].over.wait(1.5)
        yield b"te"

    servers: list[Server] = []
    with serving(late, ca.server) as server:
        servers.append(server)
        assert outbound.send(Request("GET", f"https://{server.place}/", seconds=60)).body == b"late"


def test_a_resolver_that_stalls_is_timed_out(ca: Authority) -> None:
    released = threading.Event()

    def stall(_host: str, _port: int) -> list[str]:
        released.wait(20)
        return ["127.0.0.1"]

    outbound = Outbound(Permitted(), ca.trusting, resolve=stall)
    assert _reason(outbound, "http://slow.example/", seconds=SECONDS) is Reason.TIMED_OUT
    released.set()
    outbound.close()


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"\r\n",
        HEAD + b"content-length: 999999999999\r\n\r\n",
        HEAD + b"content-length: 1000000\r\ncontent-length: 1000000\r\n\r\n",
    ],
)
def test_an_endless_body_is_cut(outbound: Outbound, head: bytes) -> None:
    with serving(lambda _: chain([head], repeat(bytes(65536)))) as server:
        assert _reason(outbound, f"http://{server.place}/", limit=200_000) is Reason.ANSWER_TOO_LARGE


def test_endless_chunks_are_cut(outbound: Outbound) -> None:
    chunks = chain([HEAD + b"transfer-encoding: chunked\r\n\r\n"], repeat(b"4\r\nmore\r\n"))
    with serving(lambda _: chunks) as server:
        assert _reason(outbound, f"http://{server.place}/", limit=20_000) is Reason.ANSWER_TOO_LARGE


def test_a_bomb_does_not_unfold(outbound: Outbound) -> None:
    bomb = gzip.compress(bytes(20_000_000))
    with serving(lambda _: ok(bomb, {"content-encoding": "gzip"})) as server:
        assert _reason(outbound, f"http://{server.place}/", limit=100_000) is Reason.ANSWER_TOO_LARGE


@pytest.mark.parametrize(
    "answering",
    [
        lambda _: [HEAD, b"x-long: " + b"a" * 1_000_000 + b"\r\n\r\n"],
        lambda _: chain([HEAD], repeat(b"x-many: 1\r\n" * 1000)),
        lambda _: [HEAD + b"transfer-encoding: chunked\r\n\r\n", b"0\r\n" + b"x-trailer: 1\r\n" * 100_000],
        lambda _: [b"220 mail.example ESMTP\r\n"],
        lambda _: [b"\x15\x03\x03\x00\x02\x02\x28"],
        lambda _: [HEAD + b"content-length: 10\r\n\r\nshort"],
        lambda _: [HEAD + b"content-length: -5\r\n\r\n"],
        lambda _: [HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\nfive5"],
        lambda _: [HEAD + b"transfer-encoding: chunked\r\n\r\nZZ\r\n"],
        lambda _: [HEAD + b"content-length: 5\r\ncontent-encoding: br\r\n\r\nfive5"],
        lambda _: [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n"],
        lambda _: [],
    ],
    ids=[
        "a header of a million bytes",
        "endless headers",
        "endless trailers",
        "mail",
        "an alert of TLS",
        "a body that ends early",
        "a negative length",
        "two lengths",
        "a chunk without a size",
        "an unknown encoding",
        "another protocol",
        "nothing at all",
    ],
)
def test_an_answer_that_is_not_http_or_has_a_huge_head_is_none(
    outbound: Outbound, answering: Callable[[Asked], Iterable[bytes]]
) -> None:
    with serving(answering) as server:
        assert _reason(outbound, f"http://{server.place}/") is Reason.ANSWER_INVALID


def test_more_calls_than_are_allowed_at_once_wait_and_then_are_refused(outbound: Outbound) -> None:
    arrived = threading.Semaphore(0)
    servers: list[Server] = []

    def holding(asked: Asked) -> Iterator[bytes]:
        arrived.release()
        servers[0].over.wait(20)
        yield from ok()

    with serving(holding) as server, ThreadPoolExecutor(MAX_CALLS) as threads:
        servers.append(server)
        calls = [threads.submit(outbound.send, Request("GET", f"http://{server.place}/")) for _ in range(MAX_CALLS)]
        for _ in calls:
            assert arrived.acquire(timeout=10)
        assert _reason(outbound, f"http://{server.place}/", seconds=SECONDS) is Reason.BUSY
        server.over.set()
        assert [call.result(10).status for call in calls] == [200] * MAX_CALLS
    assert server.connections == MAX_CALLS


def _reason(outbound: Outbound, url: str, seconds: float = 10, limit: int = 1_000_000) -> Reason:
    with pytest.raises(OutboundError) as raised:
        outbound.send(Request("GET", url, seconds=seconds, limit=limit))
    return raised.value.reason
