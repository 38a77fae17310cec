"""A call: a request whose registry, caller and permission are settled. Route functions know nothing else."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from entrepot.access.model import Access, Action, Identity
from entrepot.catalog.model import Change, Place
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Origin
from entrepot.gate.auditing import Auditor, origin_of
from entrepot.gate.authenticate import Authenticator
from entrepot.gate.doors import Doors
from entrepot.gate.hosts import Host, Hosts
from entrepot.gate.passage import Passage
from entrepot.gate.registries import Registry
from entrepot.gate.sign_in import SignedIn
from entrepot.oci.reference import RepositoryName, parse_repository
from entrepot.web.answer import AnyAnswer, Headers
from entrepot.web.request import Request, decode_parameter
from entrepot.web.routing import Route, RouteTable

C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Caller:
    """Which registry is asked, under which of its hosts, by whom, and about which repository if about one."""

    registry: Registry
    host: Host
    identity: Identity
    repository: RepositoryName | None


@dataclass(frozen=True, slots=True)
class Site:
    """What all surfaces of one worker process share."""

    doors: Doors
    authenticator: Authenticator
    hosts: Hosts
    scheme: str
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    auditor: Auditor


class Call:
    """One permitted request."""

    def __init__(self, site: Site, request: Request, params: dict[str, str], caller: Caller) -> None:
        self.site = site
        self.doors = site.doors
        self.request = request
        self.registry = caller.registry
        self.host = caller.host
        self.identity = caller.identity
        # Rows without a repository have handlers that do not ask for one.
        self.place = Place(caller.registry.id, caller.repository or RepositoryName(""))
        self._params = params

    def param(self, name: str) -> str:
        """A route parameter, decoded. Raises REQUEST_INVALID."""
        return decode_parameter(self._params[name])

    def place_of(self, repository: str) -> Place:
        """Another repository of the same registry. Raises NAME_INVALID."""
        return Place(self.registry.id, parse_repository(repository))

    @property
    def login_server(self) -> str:
        """What the registry is called, under whichever of its hosts it was asked."""
        return self.site.hosts.login_server(self.registry.name)

    def now(self) -> datetime:
        return self.site.clock()

    def change(self) -> Change:
        """A change by the caller, now."""
        return Change(self.identity.principal, self.now(), self.site.new_id(), self.origin())

    def origin(self) -> Origin:
        """Where the caller asks from, for the audit log."""
        return origin_of(self.request, self.identity, self.registry.name)

    async def sign_in(self, name: str, secret: str) -> SignedIn:
        """Whose name and secret a public row was given; either way it is written down.

        Raises UNAUTHENTICATED, TOO_MANY_REQUESTS.
        """
        auditor, origin = self.site.auditor, replace(self.origin(), method="basic")
        try:
            found = await self.site.authenticator.sign_in(name, secret, self.registry, self.request.client)
        except Problem as problem:
            if problem.kind is Kind.UNAUTHENTICATED:
                auditor.sign_in_failed(name, problem, origin)
            raise
        auditor.signed_in(found.principal, replace(origin, credential=found.credential))
        return found

    async def principal_may(self, action: Action, repository: str) -> bool:
        """Whether the caller may by its roles, whatever its token lists: for the other repository of a mount."""
        rights = await self.site.authenticator.rights(self.identity.principal, self.registry)
        return rights.allow(action, repository)


class Admission(Protocol[C_co]):
    """How a request gets to a surface's handlers: which host it means, who asks, may they."""

    # What its rows may name as their access.
    accesses: tuple[type, ...]

    async def admit(self, passage: Passage) -> C_co:
        """The call, if its row permits it. Raises Problem."""
        ...

    def challenge(self, passage: Passage, problem: Problem) -> str | None:
        """What a 401 says in WWW-Authenticate."""
        ...


@dataclass(frozen=True, slots=True)
class Surface(Generic[C, P]):
    """A dialect: its rows, who gets to them, the parts that its handlers need, how it words a problem, what each answer
    carries.
    """

    name: str
    table: RouteTable[Callable[[C, P], Awaitable[AnyAnswer]], Access]
    admission: Admission[C]
    parts: P
    render: Callable[[Problem, Request], AnyAnswer]
    headers: Headers = ()

    def __post_init__(self) -> None:
        """Refuse rows that say nothing of who may (DESIGN D9), or what their admission knows nothing of."""
        for route in self.table.routes:
            if not isinstance(route.access, self.admission.accesses):
                raise TypeError(f"{route.method} {route.path} of {self.name} does not say who may")


Handler = Callable[[Call, P], Awaitable[AnyAnswer]]
SurfaceRoute = Route[Handler[P], Access]
