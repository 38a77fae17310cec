"""Who asks for a token or a sign-in: applications of the directory, and tools of Microsoft's and ours, which need none.

Redirects go to addresses that the application has, letter for letter; a program on the person's own machine listens on
a port that it finds, so for loopback addresses any port is right (RFC 8252 section 7.3).
"""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from sqlalchemy import Connection

from entrepot.gate.management import ManagementCall
from entrepot.identities import queries
from entrepot.identities.model import Principal, Reach, reach_of
from entrepot.oauth.directory.problems import Aadsts, refused
from entrepot.oauth.directory.tenants import Authority

# azure-identity signs developers on as the first of these. The last is our own command's (client/account.py).
FIRST_PARTY: Final[dict[str, str]] = {
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46": "Azure CLI",
    "1950a258-227b-4e31-a9cf-717495945fc2": "Azure PowerShell",
    "aebc6443-996d-45c2-90f0-388ff96faa56": "Visual Studio Code",
    "7c0b4a3e-52f1-4d0e-9f0b-6d3c1e8a9b25": "Entrepot's command line",
}
_LOOPBACK: Final = ("http://localhost", "http://127.0.0.1", "http://[::1]")
_LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ID_LIMIT: Final = 128


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who may ask. ``principal``: its service principal; first-party clients have none and act for people."""

    id: str
    name: str
    reach: Reach = field(default_factory=Reach)
    principal: Principal | None = None

    @property
    def is_first_party(self) -> bool:
        return self.principal is None

    def is_public_at(self, redirect_uri: str) -> bool:
        """Whether a code for this address may be redeemed without a credential of the client."""
        return fits(redirect_uri, self.reach.public)

    def expect_redirect(self, redirect_uri: str) -> None:
        """Raises a refusal, which must not be sent there."""
        if not fits(redirect_uri, (*self.reach.public, *self.reach.confidential)):
            raise refused(Aadsts.REDIRECT_UNKNOWN, client=self.id)


async def find_client(call: ManagementCall, authority: Authority, client_id: str) -> Client:
    """Raises a refusal for one that is unknown in this tenant or disabled."""
    if client_id in FIRST_PARTY:
        return Client(client_id, FIRST_PARTY[client_id], Reach(public=_LOOPBACK, is_public=True))
    unknown = refused(Aadsts.CLIENT_UNKNOWN, client=client_id, tenant=authority.asked)
    if len(client_id) > _ID_LIMIT or "\0" in client_id:
        raise unknown
    found = await call.doors.read(_find, client_id)
    if found is None or found.principal is None or not authority.admits(found.principal.tenant_id):
        raise unknown
    if not found.principal.provisioned:
        raise unknown
    if not found.principal.enabled:
        raise refused(Aadsts.CLIENT_DISABLED, client=client_id)
    return found


def _find(tx: Connection, client_id: str) -> Client | None:
    principal = queries.principal_by_client_id(tx, client_id)
    if principal is None:
        return None
    application = queries.application_by_client_id(tx, client_id)
    reach = Reach() if application is None else reach_of(application.attributes)
    return Client(client_id, principal.name, reach, principal)


def fits(redirect_uri: str, registered: tuple[str, ...]) -> bool:
    """Whether it is one of them; of loopback addresses any port is."""
    if redirect_uri in registered:
        return True
    asked = _loopback(redirect_uri)
    if asked is None:
        return False
    return any(_same_but_port(asked, known) for known in map(_loopback, registered) if known is not None)


def _loopback(uri: str) -> SplitResult | None:
    """None for what is no plain loopback address: nothing that a browser and we could read differently."""
    if not uri.isascii() or any(letter <= " " or letter in '\\@#?"<>' for letter in uri):
        return None
    try:
        url = urlsplit(uri)
        port_is_fine = url.port is None or url.port > 0
    except ValueError:
        return None
    return url if url.scheme == "http" and url.hostname in _LOOPBACK_HOSTS and port_is_fine else None


def _same_but_port(asked: SplitResult, known: SplitResult) -> bool:
    return asked.hostname == known.hostname and (asked.path or "/") == (known.path or "/")
