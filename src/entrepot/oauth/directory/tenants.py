"""Which tenant a path means: its id, its domain, or one of the words that Entra has for "whichever"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from entrepot.gate.management import ManagementCall
from entrepot.identities import queries
from entrepot.identities.model import Tenant
from entrepot.oauth.directory.problems import Aadsts, refused

# "adfs" is what authorities of AD FS end in; clients then leave the tenant out (AZ-CLI-FLOWS 1).
WHICHEVER: Final = frozenset({"common", "organizations", "adfs"})


@dataclass(frozen=True, slots=True)
class Authority:
    """The tenant that a request names. ``asked``: by which word, for links. ``origin``: under which of our names."""

    tenant: Tenant
    asked: str
    origin: str

    def admits(self, tenant_id: str) -> bool:
        """Whether somebody of this tenant may sign in here."""
        return self.asked in WHICHEVER or tenant_id == self.tenant.id

    def url(self, rest: str) -> str:
        return f"{self.origin}/{self.asked}/{rest}"

    @property
    def issuer_v1(self) -> str:
        """Of access tokens."""
        return f"{self.origin}/{self.tenant.id}/"

    @property
    def issuer_v2(self) -> str:
        """Of id tokens."""
        return f"{self.origin}/{self.tenant.id}/v2.0"

    def endpoints(self) -> frozenset[str]:
        """What an assertion for this token endpoint may name as its audience: it has many names."""
        names = {self.asked, self.tenant.id, self.tenant.domain or self.tenant.id, *WHICHEVER}
        forms = ("oauth2/v2.0/token", "oauth2/token", "v2.0", "")
        return frozenset(f"{self.origin}/{name}/{form}" for name in names for form in forms)


async def authority_of(call: ManagementCall) -> Authority:
    """Raises a refusal for a tenant that nobody has."""
    asked = call.param("tenant").lower()
    tenant = find_tenant(await call.doors.read(queries.tenants), asked)
    if tenant is None:
        raise refused(Aadsts.TENANT_UNKNOWN, tenant=asked)
    return Authority(tenant, asked, call.origin)


def find_tenant(tenants: Sequence[Tenant], asked: str) -> Tenant | None:
    """The oldest stands for "whichever"."""
    if asked in WHICHEVER:
        return tenants[0] if tenants else None
    return next((each for each in tenants if asked in {each.id, each.domain}), None)
