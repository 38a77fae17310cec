"""Admission to what belongs to the whole deployment: the management API, Graph, the directory's endpoints.

They are served under the deployment's own names alone, never under a registry's. Who asks proves it with a token of the
directory for this audience. A missing right is 403 here, as the management API of Azure answers it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from entrepot.access.directory_tokens import Assertion
from entrepot.access.model import Identity, Member, Operation, Public
from entrepot.catalog.model import Change
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Origin
from entrepot.gate.auditing import origin_of
from entrepot.gate.call import Site
from entrepot.gate.firewall import Firewall
from entrepot.gate.hosts import Host
from entrepot.gate.passage import Passage
from entrepot.web.request import Request, decode_parameter

_ARM: Final = ("https://management.azure.com", "https://management.core.windows.net")
_GRAPH: Final = ("https://graph.microsoft.com", "https://graph.windows.net")


class Audiences:
    """The audiences that a surface takes: Azure's names, and the deployment's own under each of its hosts."""

    def __init__(self, names: tuple[str, ...], scheme: str) -> None:
        self._names = names
        self._scheme = scheme

    def accept(self, audience: str, host: Host) -> bool:
        """Resource ids are written with and without a slash at their end (AZ-CLI-FLOWS 1)."""
        return audience.rstrip("/") in {*self._names, f"{self._scheme}://{host.authority}"}


def arm_audiences(scheme: str) -> Audiences:
    return Audiences(_ARM, scheme)


def graph_audiences(scheme: str) -> Audiences:
    return Audiences(_GRAPH, scheme)


class ManagementCall:
    """One permitted request. ``caller`` is None on public rows alone."""

    def __init__(self, site: Site, passage: Passage, host: Host, caller: Assertion | None) -> None:
        self.site = site
        self.doors = site.doors
        self.request: Request = passage.request
        self.host = host
        self._caller = caller
        self._params = passage.params

    @property
    def caller(self) -> Assertion:
        """Who asks. Raises UNAUTHENTICATED on a public row that nobody signed in for."""
        if self._caller is None:
            raise Problem(Kind.UNAUTHENTICATED, reason="sign in")
        return self._caller

    @property
    def origin(self) -> str:
        """The deployment as this client calls it: ``https://HOST:PORT``."""
        return f"{self.site.scheme}://{self.host.authority}"

    def param(self, name: str) -> str:
        """A route parameter, decoded. Raises REQUEST_INVALID."""
        return decode_parameter(self._params[name])

    def now(self) -> datetime:
        return self.site.clock()

    def new_id(self) -> str:
        return self.site.new_id()

    def change(self) -> Change:
        """A change by the caller, now."""
        return Change(self.caller.principal, self.now(), self.new_id(), self.audit_origin())

    def audit_origin(self) -> Origin:
        """Where the caller asks from, for the audit log."""
        caller = self._caller
        identity = None if caller is None else _identity(caller)
        return origin_of(self.request, identity, "")

    async def may(self, operation: str, scope: str) -> bool:
        """Whether the caller may do this to the resource with this id."""
        return await self.site.authenticator.may_manage(self.caller.principal, operation, scope)

    async def may_each(self, asked: Sequence[tuple[str, str]]) -> list[bool]:
        """Whether the caller may do each operation to the resource beside it."""
        return await self.site.authenticator.may_manage_each(self.caller.principal, asked)

    async def expect(self, operation: str, scope: str) -> None:
        """Raises DENIED unless the caller may."""
        if not await self.may(operation, scope):
            raise _denied(self.caller, operation, scope)


class Management:
    """One for each surface of a worker process. ``firewall``: whom it answers, by their address; None is everybody."""

    accesses = (Member, Operation, Public)

    def __init__(
        self, site: Site, audiences: Audiences, challenge: Callable[[Host], str], firewall: Firewall | None
    ) -> None:
        self._site = site
        self._audiences = audiences
        self._challenge = challenge
        self._firewall = firewall

    async def admit(self, passage: Passage) -> ManagementCall:
        """The call, if its row permits it. Raises ROUTE_UNKNOWN, NETWORK_DENIED, UNAUTHENTICATED, NAME_INVALID,
        DENIED.
        """
        host = self._site.hosts.find(passage.request.header(b"host") or "")
        if host is None or not host.is_endpoint:
            raise Problem(Kind.ROUTE_UNKNOWN, reason="nothing of the kind is served under this host name")
        passage.host = host
        if self._firewall is not None and not self._firewall.permits(passage.request.client):
            raise Problem(Kind.NETWORK_DENIED, address=passage.request.client)
        if isinstance(passage.access, Public):
            # Its handler finds out who asks, and writes down who could not prove it.
            passage.identity = Identity("")
            return ManagementCall(self._site, passage, host, None)
        caller = await self._identify(passage, host)
        call = ManagementCall(self._site, passage, host, caller)
        if isinstance(passage.access, Operation):
            scope = passage.access.scope.format_map({name: call.param(name) for name in passage.params})
            if "\0" in scope:  # PostgreSQL takes none, and no role is asked for what cannot be
                raise Problem(Kind.NAME_INVALID, name=scope.replace("\0", "")[:64], reason="No resource is named so.")
            await call.expect(passage.access.name, scope)
        elif not isinstance(passage.access, Member):
            raise _denied(caller, "", "")
        return call

    def challenge(self, passage: Passage, problem: Problem) -> str | None:  # noqa: ARG002  admissions have one shape
        return None if passage.host is None else self._challenge(passage.host)

    async def _identify(self, passage: Passage, host: Host) -> Assertion:
        kind, _, token = (passage.request.header(b"authorization") or "").partition(" ")
        if kind.lower() != "bearer":
            raise Problem(Kind.UNAUTHENTICATED, reason="send a token of the directory as Bearer")
        caller = await self._site.authenticator.assertion(token.strip())
        passage.identity = _identity(caller)
        if not self._audiences.accept(caller.audience, host):
            raise Problem(Kind.UNAUTHENTICATED, reason="the token is for another audience", audience=caller.audience)
        return caller


def _identity(caller: Assertion) -> Identity:
    return Identity(caller.principal, credential=caller.credential, method="bearer")


def _denied(caller: Assertion, operation: str, scope: str) -> Problem:
    client = caller.name or caller.client_id
    return Problem(Kind.DENIED, client=client, object=caller.principal, operation=operation, scope=scope)
