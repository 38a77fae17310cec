"""The run's socket as somebody sees it who writes HTTP himself."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPResponse

import pytest
from tests.e2e.clients import Shell
from tests.e2e.tasks.engine.machines import Bench, Host

pytestmark = [pytest.mark.xdist_group("task-engine"), pytest.mark.timeout(300)]

UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
STRONG = json.dumps({"Image": "x", "HostConfig": {"Privileged": True}})


@pytest.fixture
def stream(bench: Bench, host: Host) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.settimeout(30)
        made.connect(str(host.engine.folder / bench.run / "docker.sock"))
        yield made


def asked(line: str, body: str = "", headers: str = "") -> bytes:
    return f"{line} HTTP/1.1\r\nHost: docker\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def answer(stream: socket.socket) -> tuple[int, bytes]:
    response = HTTPResponse(stream, method="POST")
    response.begin()
    return response.status, response.read()


def test_requests_of_one_connection_are_each_looked_at(stream: socket.socket) -> None:
    for line, body, status in [
        ("GET /_ping", "", 200),
        ("POST /containers/create", STRONG, 403),
        ("GET /v1.41/containers/json", "", 200),
        ("POST /swarm/init", "{}", 403),
    ]:
        stream.sendall(asked(line, body))
        assert answer(stream)[0] == status


def test_a_connection_that_does_not_become_a_stream_is_none(stream: socket.socket) -> None:
    """What comes behind a refused upgrade is a request like any other, and not passed on unseen."""
    stream.sendall(asked("POST /containers/none/attach", headers=UPGRADE))
    assert answer(stream)[0] == 404
    stream.sendall(asked("POST /containers/create", STRONG))
    assert answer(stream)[0] == 403


def test_an_upgrade_that_the_engine_refuses_opens_nothing(stream: socket.socket) -> None:
    """BuildKit's sessions are h2c alone."""
    stream.sendall(asked("POST /session", headers=UPGRADE))
    assert answer(stream)[0] >= 400
    stream.sendall(asked("POST /containers/create", STRONG))
    assert answer(stream)[0] == 403


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nHost : d\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: " + b"x" * 300_000 + b"\r\n\r\n",
        b"GET /_ping\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\r\n" * 100_000,
    ],
    ids=["two-framings", "two-lengths", "coding", "space", "long-head", "no-version", "tls", "nothing"],
)
def test_what_is_no_plain_request_ends_the_connection(stream: socket.socket, request_: bytes) -> None:
    try:
        stream.sendall(request_)
        stream.shutdown(socket.SHUT_WR)
        said = stream.recv(65536)
    except OSError:
        said = b""
    assert said == b"" or b" 400 " in said or b" 403 " in said


def test_no_second_request_hides_in_a_body_of_two_framings(stream: socket.socket, admin: Shell) -> None:
    """Whoever believed the length would find a request of its own behind the first four bytes."""
    volume = b'{"Name": "smuggled", "DriverOpts": {"type": "none", "o": "bind", "device": "/"}}'
    hidden = b"POST /v1.41/volumes/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
    hidden += b"Content-Length: %d\r\n\r\n%b" % (len(volume), volume)
    head = b"POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert 0x10 <= len(hidden) <= 0xFF
    with suppress(OSError):
        stream.sendall(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden))
        stream.recv(65536)
    time.sleep(1)
    assert "smuggled" not in admin.run("docker", "volume", "ls")


def test_a_long_body_is_refused_before_it_is_read(stream: socket.socket) -> None:
    head = b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 99999999999\r\n\r\n"
    stream.sendall(head + b'{"Image": "' + b"x" * 1_200_000)
    status, said = answer(stream)
    assert (status, b"more than" in said) == (413, True)
