"""Calls of one sender: over one connection while the other side keeps it, and none is lost when it does not."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.integration.outbound.conftest import FORBIDDEN, Names
from tests.outside import Authority, ok, serving

from entrepot.outbound.client import Outbound
from entrepot.outbound.model import OutboundError, Reason, Request

HEARD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Keeper:
    """A server that keeps connections. ``asked``: the target of each request, with the connection's number."""

    port: int
    asked: list[tuple[str, int]] = field(default_factory=list)


@contextmanager
def keeping(ca: Authority) -> Iterator[Keeper]:
    connections: list[socket.socket] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            if self.connection not in connections:
                connections.append(self.connection)
            keeper.asked.append((self.path, connections.index(self.connection)))
            if self.path == "/silent":
                time.sleep(3)
            self.wfile.write(HEARD)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  http.server's own

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = ca.server.wrap_socket(server.socket, server_side=True)
    keeper = Keeper(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield keeper
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def post(place: str, target: str = "/", seconds: float = 10.0, scheme: str = "https") -> Request:
    return Request("POST", f"{scheme}://{place}{target}", body=b"hello", seconds=seconds)


def test_calls_to_one_origin_share_a_connection(outbound: Outbound, names: Names, ca: Authority) -> None:
    names.answers["idp.example"] = [["127.0.0.1"]]
    with keeping(ca) as keeper, outbound.line() as line:
        for number in range(3):
            assert line.send(post(f"idp.example:{keeper.port}", f"/{number}")).body == b"ok"
        assert outbound.send(post(f"idp.example:{keeper.port}", "/alone")).status == 200
        line.send(post(f"127.0.0.1:{keeper.port}", "/elsewhere"))
    assert keeper.asked == [("/0", 0), ("/1", 0), ("/2", 0), ("/alone", 1), ("/elsewhere", 2)]
    assert names.asked == ["idp.example"] * 2


def test_a_server_that_closes_after_each_answer_is_called_anew(outbound: Outbound) -> None:
    with serving(lambda _: ok(b"ok")) as server, outbound.line() as line:
        for _ in range(3):
            assert line.send(post(server.place, scheme="http")).body == b"ok"
    assert server.connections == 3


def test_each_call_has_a_deadline_of_its_own(outbound: Outbound, ca: Authority) -> None:
    with keeping(ca) as keeper, outbound.line() as line:
        place = f"127.0.0.1:{keeper.port}"
        line.send(post(place, seconds=1))
        time.sleep(1.2)
        line.send(post(place, seconds=5))
        began = time.monotonic()
        with pytest.raises(OutboundError) as failed:
            line.send(post(place, "/silent", seconds=0.5))
        assert failed.value.reason is Reason.TIMED_OUT
        assert time.monotonic() - began < 2
        assert line.send(post(place)).body == b"ok"


def test_what_may_not_be_called_may_not_be_called_on_a_line(outbound: Outbound, names: Names) -> None:
    names.answers["idp.example"] = [[FORBIDDEN]]
    with outbound.line() as line:
        for host in (FORBIDDEN, "idp.example"):
            with pytest.raises(OutboundError) as failed:
                line.send(post(host))
            assert failed.value.reason is Reason.ADDRESS_REFUSED


@contextmanager
def talking(*talks: Callable[[socket.socket], None]) -> Iterator[str]:
    """Each connection, in order, is talked on as told; its place."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            for each in talks:
                connection, _ = listener.accept()
                with connection:
                    each(connection)

        thread = threading.Thread(target=talk)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)
        assert not thread.is_alive()


def hear(connection: socket.socket) -> None:
    got = b""
    while not got.endswith(b"hello"):
        got += connection.recv(65536)


def answers(connection: socket.socket) -> None:
    hear(connection)
    connection.sendall(HEARD)


def test_a_connection_that_breaks_under_the_second_call_is_made_again(outbound: Outbound) -> None:
    def one_answer(connection: socket.socket) -> None:
        answers(connection)
        hear(connection)

    with talking(one_answer, answers) as place, outbound.line() as line:
        for _ in range(2):
            assert line.send(post(place, scheme="http")).body == b"ok"


def test_a_new_connection_that_breaks_is_a_failure(outbound: Outbound) -> None:
    with talking(hear) as place, outbound.line() as line:
        with pytest.raises(OutboundError) as failed:
            line.send(post(place, scheme="http"))
        assert failed.value.reason is Reason.ANSWER_INVALID
