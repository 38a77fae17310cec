"""What the handlers of /oauth2 work with, besides the call."""

from dataclasses import dataclass

from entrepot.identities.external.following import Following


@dataclass(frozen=True, slots=True)
class Parts:
    """``idle_seconds``: how long a form may stall. ``following``: asks after people from outside."""

    idle_seconds: float
    following: Following
