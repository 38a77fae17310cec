import pytest

from entrepot.gate.firewall import Firewall, firewall_of, parse_network

RULES = ("203.0.113.7", "198.51.100.0/24", "2001:db8:1::/48", "2001:db8:2::5", "::ffff:192.0.2.0/120")


def firewall(*, public: bool = True, default_allow: bool = False) -> Firewall:
    return Firewall(public, default_allow, tuple(parse_network(rule) for rule in RULES))


@pytest.mark.parametrize(
    "client",
    [
        *("203.0.113.7", "198.51.100.0", "198.51.100.255", "2001:db8:1:ffff::1", "2001:db8:2::5"),
        *("::ffff:198.51.100.9", "192.0.2.44"),
    ],
)
def test_an_address_of_a_rule_is_let_in(client: str):
    assert firewall().permits(client)


@pytest.mark.parametrize(
    "client",
    [
        *("203.0.113.8", "198.51.101.0", "198.51.99.255", "2001:db8:2::6", "2001:db8:3::1", "::ffff:203.0.113.8"),
        *("127.0.0.1", "::1", "10.0.0.1", "", "unix:", "203.0.113.7, 1.2.3.4", "203.0.113.07", "::203.0.113.7"),
    ],
)
def test_every_other_one_is_not(client: str):
    assert not firewall().permits(client)


def test_where_the_rest_is_allowed_rules_do_not_matter():
    assert firewall(default_allow=True).permits("8.8.8.8")


def test_without_public_access_only_private_addresses_are_answered_whatever_rules_say():
    closed = firewall(public=False, default_allow=True)
    assert [closed.permits(client) for client in ("10.1.2.3", "fd00::1", "::1")] == [True, True, True]
    assert [closed.permits(client) for client in ("8.8.8.8", "2001:4860::1", "")] == [False, False, False]


def test_without_rules_there_is_no_firewall():
    assert firewall_of(None) is None
    read = firewall_of('{"default_allow":false,"allowed":["10.0.0.0/8"]}')
    assert read == Firewall(public=True, default_allow=False, allowed=(parse_network("10.0.0.0/8"),))


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "example.com", "1.2.3.4\0"])
def test_what_is_no_network_is_refused(text: str):
    with pytest.raises(ValueError, match=r"IPv|host bits"):
        parse_network(text)
