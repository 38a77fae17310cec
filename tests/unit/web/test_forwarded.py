"""Which address is the client's, behind proxies."""

from ipaddress import ip_network

import pytest

from entrepot.web.forwarded import addresses_of, plain_address, true_client

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", ["198.51.100.7", "10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", ["\x1b[2J"], "10.0.0.1"),
        ("", ["198.51.100.7"], ""),
        ("::ffff:10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["198.51.100.7, ::ffff:10.0.0.2"], "198.51.100.7"),
    ],
    ids=[
        "direct",
        "a-stranger-who-claims",
        "one-proxy",
        "ipv6",
        "the-client-lied-before",
        "two-proxies",
        "two-lines",
        "a-proxy-that-says-nothing",
        "a-client-among-the-proxies",
        "not-an-address",
        "no-peer",
        "a-mapped-proxy",
        "a-mapped-proxy-before-it",
    ],
)
def test_the_client_is_the_last_address_that_no_proxy_of_ours_has(peer: str, forwarded: list[str], client: str) -> None:
    assert true_client(peer, forwarded, PROXIES) == client


@pytest.mark.parametrize(
    ("line", "addresses"),
    [
        ("for=192.0.2.60;proto=http;by=203.0.113.43", ["192.0.2.60"]),
        ('For="[2001:db8:cafe::17]:4711"', ["2001:db8:cafe::17"]),
        ('for="[2001:db8::1]", for=198.51.100.7:8080', ["2001:db8::1", "198.51.100.7"]),
        ("proto=https; for = 192.0.2.1 , for=unknown, for=_hidden", ["192.0.2.1", "", ""]),
        ("by=192.0.2.9", [""]),
        ("", [""]),
    ],
)
def test_forwarded_tells_an_address_for_each_proxy(line: str, addresses: list[str]) -> None:
    assert addresses_of([line]) == addresses


def test_a_proxy_that_hides_its_client_is_itself_the_client() -> None:
    assert true_client("10.0.0.1", addresses_of(["for=198.51.100.7, for=unknown"]), PROXIES) == "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:x", "::ffff:x"),
    ],
)
def test_a_mapped_address_is_the_one_that_it_maps(peer: str, client: str) -> None:
    assert plain_address(peer) == client
