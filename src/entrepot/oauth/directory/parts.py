"""What the directory's handlers work with, besides the call."""

from dataclasses import dataclass

from entrepot.access.sealing import Sealer
from entrepot.identities.external.following import Following
from entrepot.identities.external.oidc import RelyingParty
from entrepot.identities.federation.issuers import Issuers
from entrepot.identities.signing_in.passwords import Passwords
from entrepot.identities.signing_in.proving import Proving


@dataclass(frozen=True, slots=True)
class Parts:
    """``idle_seconds``: how long a form may stall. ``password_grant``: programs may sign people in by their passwords.
    ``identity_endpoint``: managed identities get tokens with the header that their workloads hold. ``provider``: an
    outside one that people may sign in through.
    """

    idle_seconds: float
    sealer: Sealer
    proving: Proving
    password_grant: bool
    identity_endpoint: bool
    issuers: Issuers
    passwords: Passwords
    following: Following
    provider: RelyingParty | None = None
