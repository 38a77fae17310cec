import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.outbound.addresses import Address, Permitted, literal_of

NOBODY = Permitted()
NAT64 = ipaddress.ip_network("64:ff9b::/96")

PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "172.32.0.1",
    "192.169.0.1",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)
NOT_PUBLIC = (
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::7f00:1",  # IPv4-compatible
    "64:ff9b::a00:1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:808:808::",
    "2001:0:53aa:64c:0:0:80ff:fffe",  # Teredo
    "2001:db8::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_called(address: str) -> None:
    assert NOBODY.allows(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_may_not_be_called(address: str) -> None:
    assert not NOBODY.allows(ipaddress.ip_address(address))


@pytest.mark.parametrize("written", ["127.1", "0x7f000001", "0x7f.1", "2130706433", "0177.0.0.1", "127.0.0.1"])
def test_loopback_in_any_writing_is_the_same_address(written: str) -> None:
    assert literal_of(written) == ipaddress.ip_address("127.0.0.1")
    assert NOBODY.refuses(written)


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST.", "registry.localhost"])
def test_a_name_of_this_machine_may_not_be_called(name: str) -> None:
    assert NOBODY.refuses(name)


@pytest.mark.parametrize("name", ["idp.example.com", "localhost.example.com", "7.example.com"])
def test_another_name_is_not_refused_before_it_is_resolved(name: str) -> None:
    assert not NOBODY.refuses(name)


def test_a_network_that_the_operator_allows_may_be_called_also_through_its_ipv6_forms() -> None:
    permitted = Permitted.of(["10.0.0.0/8", "fd00::/8"])
    for address in ("10.9.8.7", "::ffff:10.9.8.7", "64:ff9b::a09:807", "fd12::1"):
        assert permitted.allows(ipaddress.ip_address(address))
    for address in ("11.0.0.1", "1.1.1.1"):
        assert permitted.allows(ipaddress.ip_address(address))
    for address in ("127.0.0.1", "192.168.0.1", "::ffff:192.168.0.1", "fc00::1"):
        assert not permitted.allows(ipaddress.ip_address(address))


def test_a_name_that_the_operator_allows_is_that_name_only() -> None:
    permitted = Permitted.of(["idp.corp.example", "192.0.2.7", "localhost"])
    assert permitted.lists("IDP.corp.example.")
    assert permitted.lists("192.0.2.7")
    assert not permitted.refuses("localhost")
    assert not permitted.lists("sub.idp.corp.example")
    assert not permitted.lists("corp.example")
    assert not permitted.lists("192.0.2.8")


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_the_forms_that_lead_to_it(address: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        form = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + int(address))
        assert NOBODY.allows(form) == NOBODY.allows(address)


@given(st.ip_addresses())
def test_what_python_calls_special_is_never_allowed(address: Address) -> None:
    inner = getattr(address, "ipv4_mapped", None) or address in NAT64
    special = address.is_private or address.is_multicast or address.is_reserved or address.is_link_local
    assert inner or not (special and NOBODY.allows(address))
