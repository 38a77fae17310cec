"""Which addresses a registry answers. Source: ACR-REFERENCE 9.1.

Where ACR has private endpoints, here is the private network itself: an address of one is no public access.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

import msgspec

from entrepot.web.forwarded import parse_address


class AddressRules(msgspec.Struct, omit_defaults=True):
    """As the catalog keeps them. ``public``: whether public addresses are answered at all. ``default_allow``: addresses
    that no rule names are answered too. ``allowed``: addresses and networks.
    """

    public: bool = True
    default_allow: bool = True
    allowed: list[str] = []


@dataclass(frozen=True, slots=True)
class Firewall:
    """Rules, read once."""

    public: bool
    default_allow: bool
    allowed: tuple[IPv4Network | IPv6Network, ...]

    def permits(self, client: str) -> bool:
        """Whether a client with this address is answered; one whose address is not known is not."""
        address = parse_address(client)
        if address is None:
            return False
        if not self.public:
            return address.is_private
        return self.default_allow or any(address in network for network in self.allowed)


def firewall_of(rules: str | None) -> Firewall | None:
    """From the catalog's column. None: everybody is answered."""
    if rules is None:
        return None
    read = msgspec.json.decode(rules, type=AddressRules)
    return Firewall(read.public, read.default_allow, tuple(parse_network(each) for each in read.allowed))


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """An address, or a network in CIDR notation without bits behind its prefix; a mapped one as what it maps.

    Raises ValueError.
    """
    network = ip_network(text)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return network if mapped is None else ip_network(f"{mapped}/{network.prefixlen - 96}")
