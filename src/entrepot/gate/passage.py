"""How far a request has come: for its admission, its refusal and its line in the log."""

from typing import Any

from entrepot.access.model import Access, Identity
from entrepot.gate.hosts import Host
from entrepot.oci.reference import RepositoryName
from entrepot.web.rates import Pool
from entrepot.web.request import Request
from entrepot.web.routing import Route

AnyRoute = Route[Any, Access]


class Passage:
    """One request on its way. What is None has not been found out yet."""

    __slots__ = ("host", "identity", "params", "repository", "request", "route")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.route: AnyRoute | None = None
        self.params: dict[str, str] = {}
        self.repository: RepositoryName | None = None
        self.host: Host | None = None
        self.identity: Identity | None = None

    @property
    def pools(self) -> tuple[Pool, ...]:
        return () if self.route is None else self.route.pools

    @property
    def access(self) -> Access | None:
        return None if self.route is None else self.route.access
