"""Requests to the gateway: where to, and what goes on to the host."""

import h11
import pytest

from entrepot.tasks.engines.docker.gateway.passing import Wanted, Wrong, wanted_of


def wanted(head: str, rest: bytes = b"") -> Wanted:
    http = h11.Connection(h11.SERVER)
    http.receive_data(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    event = http.next_event()
    assert isinstance(event, h11.Request)
    return wanted_of(event, rest)


@pytest.mark.parametrize(
    ("target", "host", "port"),
    [("a.example:443", "a.example", 443), ("[::1]:8443", "::1", 8443), ("10.0.0.1:80", "10.0.0.1", 80)],
)
def test_a_tunnel_has_nothing_of_the_request(target: str, host: str, port: int) -> None:
    assert wanted(f"CONNECT {target} HTTP/1.1\nHost: x", b"early") == Wanted(host, port, b"early", is_tunnel=True)


@pytest.mark.parametrize(
    ("address", "host", "port", "origin", "named"),
    [
        ("http://a.example/x?y=1", "a.example", 80, "/x?y=1", "a.example"),
        ("HTTP://a.example:8080", "a.example", 8080, "/", "a.example:8080"),
        ("http://a.example?y=/", "a.example", 80, "/?y=/", "a.example"),
        ("http://[::1]/", "::1", 80, "/", "[::1]"),
        ("http://[::1]:81/a", "::1", 81, "/a", "[::1]:81"),
    ],
)
def test_a_plain_request_goes_on_as_the_host_expects_it(
    address: str, host: str, port: int, origin: str, named: str
) -> None:
    got = wanted(f"POST {address} HTTP/1.1\nHost: other.example\nContent-Length: 4", b"body")
    assert got[:2] == (host, port)
    lines = got.first.decode().split("\r\n")
    assert lines[:2] == [f"POST {origin} HTTP/1.1", f"Host: {named}"]
    assert lines[2:] == ["content-length: 4", "Connection: close", "", "body"]
    assert not got.is_tunnel


def test_what_is_said_to_the_proxy_goes_no_further() -> None:
    """Nor does a second Host."""
    head = "GET http://a.example/ HTTP/1.1\nHost: b.example\nProxy-Authorization: Basic x\nProxy-Connection: keep-alive"
    got = wanted(f"{head}\nConnection: keep-alive, X-Mine\nX-Mine: 1\nUpgrade: websocket\nAccept: */*")
    assert got.first == b"GET / HTTP/1.1\r\nHost: a.example\r\naccept: */*\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "line",
    ["GET / HTTP/1.1", "GET https://a.example/ HTTP/1.1", "GET ftp://a.example/ HTTP/1.1", "OPTIONS * HTTP/1.1"]
    + [f"CONNECT {target} HTTP/1.1" for target in ("a.example", ":443", "a:", "a:0", "a:65536", "a:1x", "[::1]")]
    + [f"GET http://{address} HTTP/1.1" for address in ("", "/", "user@a.example/", "a.example:/", "a.example:x/")],
)
def test_what_is_no_request_to_a_proxy_is_refused(line: str) -> None:
    with pytest.raises(Wrong):
        wanted(f"{line}\nHost: a.example")
