"""Which addresses may be called: public ones, and what the operator allowed.

The ranges are those of the IANA special-purpose address registries that are not globally reachable. They are written
out because Python's ``is_global`` has changed between its patch releases.
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; one cloud's metadata service
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host agent, seen from every virtual machine there
        "169.254.0.0/16",  # link-local; the metadata service of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 holds an IPv4 address
        "3fff::/20",  # documentation
    )
)
# Whatever is not in here is loopback, unique-local, link-local, multicast or reserved.
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Permitted:
    """What may be called beside the public Internet: names, whatever they resolve to, and networks."""

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> "Permitted":
        """Networks and host names, as the setting has them."""
        texts = list(entries)
        networks = {text: found for text in texts if (found := network_of(text)) is not None}
        return cls(frozenset(_plain_name(text) for text in texts if text not in networks), tuple(networks.values()))

    def lists(self, host: str) -> bool:
        """Did the operator name this host, or the network of this address?"""
        literal = literal_of(host)
        return _plain_name(host) in self.names if literal is None else self._holds(literal)

    def refuses(self, host: str) -> bool:
        """Is this an address, however it is written, or a name for this machine, that nobody may call?"""
        literal = literal_of(host)
        if literal is not None:
            return not self.allows(literal)
        name = _plain_name(host)
        return (name == "localhost" or name.endswith(".localhost")) and name not in self.names

    def allows(self, address: Address) -> bool:
        return self._holds(address) or _is_public(address)

    def _holds(self, address: Address) -> bool:
        forms = {address, _inner(address)}
        return any(form in network for network in self.networks for form in forms)


def network_of(text: str) -> Network | None:
    """The network or the single address, or None when the text is neither. Host bits may be set."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def literal_of(host: str) -> Address | None:
    """The address that a host is, also in the old forms (``127.1``, ``0x7f000001``, ``2130706433``)."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where the system or a gateway would call that one."""
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(address.packed[12:])
    return address


def _is_public(address: Address) -> bool:
    plain = _inner(address)
    if isinstance(plain, IPv6Address) and plain not in _GLOBAL_UNICAST:
        return False
    return not any(plain in network for network in _NOT_PUBLIC)


def _plain_name(host: str) -> str:
    return host.lower().rstrip(".")
