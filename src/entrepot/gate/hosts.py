"""Which registry a host means, and how a registry is called (DESIGN section 3, "hosts").

Links and realms are made from names that are known here, never from a Host header that was not checked.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

DEFAULT_REGISTRY: Final = "local"
# Spec: RFC 9110 section 7.2. No zone ids: they may hold any character.
_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::\d{1,5})?")
_HEADER_LIMIT: Final = 300


@dataclass(frozen=True, slots=True)
class Host:
    """A host that we answer for: the registry it means and how clients call it.

    ``is_endpoint``: a name of the whole deployment, which also serves the management API and sign-in.
    """

    registry: str
    authority: str
    is_endpoint: bool = False


class Hosts:
    """The names of one deployment. ``port`` is the one that clients see; a port of 443 is left out of names."""

    def __init__(self, domain: str, port: int, default_domain: str, aliases: Iterable[str] = ()) -> None:
        self._domain = domain
        self._suffix = "." + domain
        self._port = "" if port == 443 else f":{port}"  # noqa: PLR2004  the port that https means
        self._aliases = frozenset({"localhost", domain, *aliases})
        self._is_default_domain = domain == default_domain

    def login_server(self, registry: str) -> str:
        """The name that clients sign in to. Docker trusts ``localhost`` without set-up."""
        if registry == DEFAULT_REGISTRY and self._is_default_domain:
            return f"localhost{self._port}"
        return f"{registry}.{self._domain}{self._port}"

    def suffix(self) -> str:
        """What follows a registry's name and its dot in its login server."""
        return f"{self._domain}{self._port}"

    def endpoint(self) -> str:
        """Host and port of the management API: the bare domain, or ``localhost`` which needs no set-up."""
        return f"{'localhost' if self._is_default_domain else self._domain}{self._port}"

    def find(self, host_header: str) -> Host | None:
        """None for a host that is not ours, or a header that is no host."""
        if len(host_header) > _HEADER_LIMIT:
            return None
        match = _AUTHORITY.fullmatch(host_header.lower())
        return None if match is None else self._resolve(match[1].rstrip("."))

    def _resolve(self, name: str) -> Host | None:
        if name in self._aliases or _is_address(name):
            return Host(DEFAULT_REGISTRY, name + self._port, is_endpoint=True)
        registry, dot, _ = name.partition(".")
        if dot and name == registry + self._suffix:
            return Host(registry, name + self._port)
        return None


def _is_address(name: str) -> bool:
    try:
        if name.startswith("["):
            IPv6Address(name[1:-1])
        else:
            ip_address(name)
    except ValueError:
        return False
    return True
