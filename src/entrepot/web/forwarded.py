"""Who asks, when proxies stand in between: X-Forwarded-For or Forwarded (RFC 7239), as far as proxies of ours wrote it.

Each proxy appends the address that it saw. So the list is read from its end, and the first address that is no proxy of
ours is the client; whatever stands before it the client may have made up.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Networks = Sequence[IPv4Network | IPv6Network]


# The ``for`` of one element: an address, or a quoted one, IPv6 in brackets, perhaps with a port (RFC 7239 section 6).
_FOR: Final = re.compile(
    r'(?:^|;)\s*for\s*=\s*"?\[?([0-9A-F:.]+?)(?:\](?::\d+)?|(?<=\d):\d+)?"?\s*(?:;|$)', re.IGNORECASE
)


def addresses_of(forwarded: Sequence[str]) -> list[str]:
    """Of lines of ``Forwarded``, what each proxy told as ``for``; where that is no address (``unknown``), nothing."""
    elements = [element for line in forwarded for element in line.split(",")]
    return [found[1] if (found := _FOR.search(element)) else "" for element in elements]


def true_client(peer: str, forwarded: Sequence[str], trusted: Networks) -> str:
    """The client's address; ``forwarded`` are the values of the header's lines, in order."""
    seen = peer
    for told in reversed([address.strip() for line in forwarded for address in line.split(",")]):
        if not _is_ours(seen, trusted) or parse_address(told) is None:
            break
        seen = told
    return seen


def plain_address(peer: str) -> str:
    """A socket for both families shows IPv4 clients as ``::ffff:192.0.2.1``: they are 192.0.2.1."""
    if not peer.startswith("::ffff:"):
        return peer
    parsed = parse_address(peer)
    return peer if parsed is None else str(parsed)


def _is_ours(address: str, trusted: Networks) -> bool:
    parsed = parse_address(address)
    return parsed is not None and any(parsed in network for network in trusted)


def parse_address(address: str) -> IPv4Address | IPv6Address | None:
    """A mapped one as what it maps; None for what is no address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return parsed if mapped is None else mapped
