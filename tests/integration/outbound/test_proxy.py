"""Calls through the operator's proxy: a small one that tunnels and forwards, and resolves the names itself."""

import base64
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from tests.integration.outbound.conftest import Names, StartOutbound
from tests.outside import Asked, Authority, Server, accepting, answer, ok, read_request, redirect, relay, serving

from entrepot.outbound.client import Outbound
from entrepot.outbound.model import OutboundError, Reason, Request


@pytest.fixture
def proxy() -> Iterator[Server]:
    """Every name is 127.0.0.1 to it. What is forwarded is answered by the proxy itself."""

    def talk(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            asked = read_request(connection)
            if asked is None:
                return
            server.asked.append(asked)
            if asked.method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                relay(connection, int(asked.target.rpartition(":")[2]))
            else:
                connection.sendall(b"".join(ok(b"forwarded")))

    with accepting(talk) as server:
        yield server


@pytest.fixture
def through(start_outbound: StartOutbound, proxy: Server) -> Outbound:
    return start_outbound(proxy=f"http://me:p%40ss@{proxy.place}")


def test_https_goes_through_a_tunnel_and_the_proxy_resolves(
    through: Outbound, proxy: Server, names: Names, ca: Authority
) -> None:
    with serving(lambda _: ok(b"hello"), ca.server) as server:
        got = through.send(Request("GET", f"https://idp.example:{server.port}/", {"authorization": "Bearer secret"}))
    assert got.body == b"hello"
    (tunnel,) = proxy.asked
    assert (tunnel.method, tunnel.target) == ("CONNECT", f"idp.example:{server.port}")
    assert tunnel.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert "authorization" not in tunnel.headers
    assert "proxy-authorization" not in server.asked[0].headers
    assert names.asked == []


def test_http_is_forwarded(through: Outbound, proxy: Server) -> None:
    assert through.send(Request("GET", "http://idp.example/path")).body == b"forwarded"
    assert proxy.asked[0].target == "http://idp.example/path"


def test_the_certificate_is_still_that_of_the_name(through: Outbound, ca: Authority) -> None:
    with serving(lambda _: ok(b"hello"), ca.server) as server:
        assert _reason(through, f"https://stranger.example:{server.port}/") is Reason.TLS_FAILED
    assert server.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "localhost", "169.254.169.254", "[::1]"])
def test_what_is_not_public_is_not_asked_of_the_proxy_either(through: Outbound, proxy: Server, host: str) -> None:
    assert _reason(through, f"http://{host}/") is Reason.ADDRESS_REFUSED
    assert proxy.connections == 0


def test_a_redirect_that_the_proxy_brings_is_checked(start_outbound: StartOutbound) -> None:
    with serving(lambda _: redirect("http://169.254.169.254/latest")) as proxy:
        through = start_outbound(proxy=f"http://{proxy.place}")
        assert _reason(through, "http://idp.example/") is Reason.ADDRESS_REFUSED
    assert len(proxy.asked) == 1


def test_what_the_operator_listed_is_reached_without_the_proxy(
    start_outbound: StartOutbound, proxy: Server, names: Names
) -> None:
    names.answers["idp.corp.example"] = [["127.0.0.1"]]
    through = start_outbound("idp.corp.example", proxy=f"http://{proxy.place}")
    with serving(lambda _: ok(b"hello")) as server:
        assert through.send(Request("GET", f"http://idp.corp.example:{server.port}/")).body == b"hello"
    assert proxy.connections == 0


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_proxy_that_refuses_is_named_as_such(start_outbound: StartOutbound, status: int) -> None:
    def refusing(asked: Asked) -> list[bytes]:
        return answer(status, b"ask the administrator")

    with serving(refusing) as proxy:
        through = start_outbound(proxy=f"http://{proxy.place}")
        assert _reason(through, "https://idp.example/") is Reason.PROXY_FAILED


def test_a_proxy_that_is_not_there_is_no_connection(start_outbound: StartOutbound) -> None:
    with serving(lambda _: ok()) as proxy:
        place = proxy.place
    assert _reason(start_outbound(proxy=f"http://{place}"), "https://idp.example/") is Reason.CONNECTION_FAILED


def test_a_proxy_may_itself_be_reached_over_tls(start_outbound: StartOutbound, ca: Authority) -> None:
    with serving(lambda _: ok(b"forwarded"), ca.server) as proxy:
        through = start_outbound(proxy=f"https://{proxy.place}")
        assert through.send(Request("GET", "http://idp.example/")).body == b"forwarded"
    assert proxy.asked[0].target == "http://idp.example/"


def _reason(outbound: Outbound, url: str) -> Reason:
    with pytest.raises(OutboundError) as raised:
        outbound.send(Request("GET", url, seconds=5))
    return raised.value.reason
