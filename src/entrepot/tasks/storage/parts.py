"""What the handlers of task storage work with, and who gets to them: whoever holds a URL that we signed."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from entrepot.access.model import SignedUrl
from entrepot.content.model import ContentStore
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Site
from entrepot.gate.firewall import Firewall
from entrepot.gate.management import ManagementCall
from entrepot.gate.passage import Passage
from entrepot.tasks.storage.signing import Signer

_UNKNOWN_HOST: Final = "nothing of the kind is served under this host name"


@dataclass(slots=True)
class Streams:
    """The logs that a worker process shows as they come. For one event loop."""

    going: int = 0


@dataclass(frozen=True, slots=True)
class Parts:
    """``source_bytes``: the largest source. ``idle_seconds``: how long a body may stall. ``retired``: how long bytes
    that were replaced stay for who reads them.
    """

    store: ContentStore
    signer: Signer
    source_bytes: int
    idle_seconds: float
    retired: timedelta
    streams: Streams = field(default_factory=Streams)


class SignedUrls:
    """Admission by signature, under the deployment's own names. ``firewall``: whom the management API answers."""

    accesses = (SignedUrl,)

    def __init__(self, site: Site, signer: Signer, firewall: Firewall | None) -> None:
        self._site = site
        self._signer = signer
        self._firewall = firewall

    async def admit(self, passage: Passage) -> ManagementCall:
        """The call, if the URL permits it. Raises ROUTE_UNKNOWN, NETWORK_DENIED, UNAUTHENTICATED, UNAUTHORIZED."""
        host = self._site.hosts.find(passage.request.header(b"host") or "")
        if host is None or not host.is_endpoint:
            raise Problem(Kind.ROUTE_UNKNOWN, reason=_UNKNOWN_HOST)
        passage.host = host
        if self._firewall is not None and not self._firewall.permits(passage.request.client):
            raise Problem(Kind.NETWORK_DENIED, address=passage.request.client)
        if not isinstance(passage.access, SignedUrl):
            raise Problem(Kind.UNAUTHENTICATED, reason="the row does not say who may")
        self._signer.check(passage.request, passage.access.permission, self._site.clock())
        return ManagementCall(self._site, passage, host, None)

    def challenge(self, passage: Passage, problem: Problem) -> str | None:  # noqa: ARG002  admissions have one shape
        return None
