"""The proxy of a run's gateway, with real sockets and no engine: what passes, how it ends, and what it bounds."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256

import pytest

from entrepot.outbound.addresses import Permitted
from entrepot.outbound.streams import Streams
from entrepot.tasks.egress import Egress
from entrepot.tasks.engines.docker.gateway import passing
from entrepot.tasks.engines.docker.gateway.passing import HEAD_LIMIT, serve
from entrepot.tasks.engines.docker.serving import Server
from entrepot.tasks.engines.way_out import way_out

HERE = "127.0.0.1"
MUCH = 5 * 1024 * 1024


class Gateway:
    """``host``: what listens at the one host of the list; ``told``: what the run's log says."""

    def __init__(self, connections: int = 8) -> None:
        self.told: list[str] = []
        self.host = socket.create_server((HERE, 0))
        self.port = self.host.getsockname()[1]
        self.streams = Streams(Permitted.of([HERE]), lambda _host, _port: [HERE])
        way = way_out(Egress.parse([f"a.example:{self.port}"]), self.streams, [], self.told.append)
        listener = socket.create_server((HERE, 0))
        self.place = listener.getsockname()
        self.server = Server(listener, "run", partial(serve, way=way), connections)

    def called(self, head: str = "") -> socket.socket:
        stream = socket.create_connection(self.place, 20)
        stream.sendall(head.replace("\n", "\r\n").encode())
        return stream

    def tunnel(self) -> tuple[socket.socket, socket.socket]:
        """The client's end and the host's."""
        client = self.called(f"CONNECT a.example:{self.port} HTTP/1.1\nHost: a.example\n\n")
        served, _ = self.host.accept()
        served.settimeout(20)
        assert client.recv(100) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        return client, served

    def close(self) -> None:
        self.server.close()
        self.streams.close()
        self.host.close()


@contextmanager
def opened(connections: int = 8) -> Iterator[Gateway]:
    made = Gateway(connections)
    try:
        yield made
    finally:
        made.close()
    assert not [each.name for each in threading.enumerate() if "gateway" in each.name or "of run" in each.name]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with opened() as made:
        yield made


def everything(stream: socket.socket) -> bytes:
    return b"".join(iter(partial(stream.recv, 65536), b""))


def test_much_passes_both_ways_at_once(gateway: Gateway) -> None:
    """Neither side reads before it has written: a gateway with one hand would stand still."""
    client, served = gateway.tunnel()
    up, down = b"u" * MUCH, b"d" * MUCH

    def all_of(stream: socket.socket, content: bytes, got: list[str]) -> None:
        writing = threading.Thread(target=lambda: (stream.sendall(content), stream.shutdown(socket.SHUT_WR)))
        writing.start()
        got.append(sha256(everything(stream)).hexdigest())
        writing.join()

    got: tuple[list[str], list[str]] = [], []
    with client, served:
        ends = [threading.Thread(target=all_of, args=each) for each in ((client, up, got[0]), (served, down, got[1]))]
        for each in ends:
            each.start()
        for each in ends:
            each.join(60)
    assert got == ([sha256(down).hexdigest()], [sha256(up).hexdigest()])


def test_a_plain_request_goes_on_with_its_body_and_comes_back(gateway: Gateway) -> None:
    head = f"POST http://a.example:{gateway.port}/x HTTP/1.1\nHost: a.example\nContent-Length: 4\n\nbo"
    with gateway.called(head) as client:
        served, _ = gateway.host.accept()
        client.sendall(b"dy")
        with served:
            got = b""
            while not got.endswith(b"\r\n\r\nbody"):
                got += served.recv(4096)
            served.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        assert got.startswith(b"POST /x HTTP/1.1\r\nHost: a.example:")
        assert everything(client) == b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


def test_a_second_request_of_a_connection_goes_nowhere_else(gateway: Gateway) -> None:
    """It comes to the first one's host, which is on the list; what it says of another is no more than text there."""
    head = f"GET http://a.example:{gateway.port}/ HTTP/1.1\nHost: a.example\n\n"
    with gateway.called(head + "GET http://evil.example/ HTTP/1.1\nHost: evil.example\n\n"):
        served, _ = gateway.host.accept()
        with served:
            got = b""
            while b"evil.example/ HTTP/1.1" not in got:
                got += served.recv(4096)


@pytest.mark.parametrize(
    ("head", "status", "said"),
    [
        ("CONNECT evil.example:443 HTTP/1.1\nHost: x\n\n", 403, "Refused by the run's egress list: evil.example:443"),
        ("GET http://EVIL.example/ HTTP/1.1\nHost: x\n\n", 403, "Refused by the run's egress list: evil.example:80"),
        ("CONNECT a_b!:443 HTTP/1.1\nHost: x\n\n", 403, "Refused by the run's egress list: 'a_b!':443"),
        ("GET / HTTP/1.1\nHost: a.example\n\n", 400, "this is a proxy"),
        ("CONNECT a.example HTTP/1.1\nHost: x\n\n", 400, "is no HOST:PORT"),
        ("hello\n\n", 400, "no request"),
    ],
)
def test_a_refusal_says_what_is_refused(gateway: Gateway, head: str, status: int, said: str) -> None:
    with gateway.called(head) as client:
        answer = everything(client).decode()
    assert answer.startswith(f"HTTP/1.1 {status} "), answer
    assert said in answer
    assert gateway.told == ([said] if status == 403 else [])


def test_a_host_that_does_not_answer_is_no_refusal(gateway: Gateway) -> None:
    gateway.host.close()
    with gateway.called(f"CONNECT a.example:{gateway.port} HTTP/1.1\nHost: x\n\n") as client:
        assert everything(client).startswith(b"HTTP/1.1 502 ")
    assert gateway.told == []


def test_each_refusal_is_told_once_and_not_without_end(gateway: Gateway) -> None:
    for number in (*range(105), 0):
        with gateway.called(f"CONNECT e{number}.example:443 HTTP/1.1\nHost: x\n\n") as client:
            assert b" 403 " in everything(client)
    assert gateway.told == [f"Refused by the run's egress list: e{number}.example:443" for number in range(100)]


def test_a_head_without_end_is_refused(gateway: Gateway) -> None:
    with gateway.called("GET http://a.example/ HTTP/1.1\nHost: x\nX: ") as client:
        client.sendall(b"x" * (HEAD_LIMIT + 1))
        client.shutdown(socket.SHUT_WR)
        assert everything(client).startswith(b"HTTP/1.1 400 ")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda name: monkeypatch.setattr(passing, name, 0.2)


def test_a_client_that_says_nothing_is_left(gateway: Gateway, impatient: Callable[[str], None]) -> None:
    impatient("_HEAD_SECONDS")
    with gateway.called("GET http://a.exam") as client:
        assert everything(client) == b""


def test_what_the_host_ended_holds_no_place_for_long(impatient: Callable[[str], None]) -> None:
    """A pool of a client's keeps a connection that is over until it needs another."""
    impatient("_LINGER_SECONDS")
    with opened(connections=1) as gateway:
        kept, served = gateway.tunnel()
        served.close()
        with kept:
            again, served_again = gateway.tunnel()
            for each in (again, served_again):
                each.close()


def test_no_more_than_so_many_pass_at_a_time() -> None:
    with opened(connections=1) as gateway:
        first, served = gateway.tunnel()
        with gateway.called(f"CONNECT a.example:{gateway.port} HTTP/1.1\nHost: x\n\n") as second:
            second.settimeout(0.3)
            with pytest.raises(TimeoutError):
                second.recv(1)
            first.close()
            served.close()
            second.settimeout(20)
            gateway.host.accept()[0].close()
            assert second.recv(100).startswith(b"HTTP/1.1 200 ")


def test_what_passes_ends_with_the_run() -> None:
    with opened() as gateway:
        client, served = gateway.tunnel()
        gateway.close()
        with client, served:
            assert client.recv(1) == b""
            assert served.recv(1) == b""
