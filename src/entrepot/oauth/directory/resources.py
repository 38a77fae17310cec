"""What a token is asked for: scopes of version 2, ``resource`` of version 1, and the audience that both name.

Microsoft identity platform, "Scopes and permissions". A resource id may end in a slash, and its scope then has two:
``https://h//.default`` (AZ-CLI-FLOWS 1).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from entrepot.gate.hosts import Hosts
from entrepot.oauth.directory.clients import Client
from entrepot.oauth.directory.problems import Aadsts, refused

OPENID: Final = frozenset({"openid", "profile", "email", "offline_access"})
_GRAPH: Final = "https://graph.microsoft.com"
_KNOWN: Final = frozenset(
    {
        "https://management.azure.com",
        "https://management.core.windows.net",
        "https://containerregistry.azure.net",
        _GRAPH,
        "https://graph.windows.net",
    }
)
_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True)
class Asked:
    """An audience, as it was written; the words for it; and which of OpenID's words came along."""

    audience: str
    scopes: tuple[str, ...]
    openid: frozenset[str]

    @property
    def text(self) -> str:
        """All of it, as a scope."""
        return " ".join((*self.scopes, *sorted(self.openid)))


def parse_scope(text: str, client: Client, origin: str, hosts: Hosts) -> Asked:
    """Raises a refusal: for several audiences in one request, and for one that is unknown here."""
    words = _words(text)
    openid = frozenset(word for word in words if word in OPENID)
    scopes = tuple(word for word in words if word not in OPENID)
    audiences = list(dict.fromkeys(_audience_of(scope) for scope in scopes))
    if not audiences:
        # A sign-in and nothing more: the token is for the client itself.
        return Asked(client.id, (), openid)
    if len({audience.rstrip("/") for audience in audiences}) > 1:
        raise refused(Aadsts.SCOPE_INVALID, reason="ask for one resource at a time")
    _expect_known(audiences[0], client, origin, hosts)
    return Asked(audiences[0], scopes, openid)


def scope_of_resource(resource: str, more: Iterable[str] = ()) -> str:
    """The scope that says what ``resource`` of version 1 says."""
    return " ".join((f"{resource}/.default", *more))


def _words(text: str) -> list[str]:
    if len(text) > _LIMIT:
        raise refused(Aadsts.SCOPE_INVALID, reason="it is too long")
    return list(dict.fromkeys(text.split()))


def _audience_of(scope: str) -> str:
    """``https://h//.default`` is for ``https://h/``; a word alone is a permission of Graph."""
    resource, slash, _ = scope.rpartition("/")
    return resource if slash and resource else _GRAPH


def _expect_known(audience: str, client: Client, origin: str, hosts: Hosts) -> None:
    plain = audience.rstrip("/")
    if plain in _KNOWN or plain in {client.id, f"api://{client.id}", *client.reach.identifiers}:
        return
    url = urlsplit(plain)
    host = hosts.find(url.netloc)
    if url.scheme == urlsplit(origin).scheme and not url.path and host is not None and host.is_endpoint:
        return
    raise refused(Aadsts.RESOURCE_UNKNOWN, resource=audience)
