"""Admission to the data plane of a registry (/v2, /acr/v1, /oauth2): which registry, who, may they.

A missing right is answered 401 with a fresh challenge before anything is looked up, so nobody learns what exists
(DESIGN D9).
"""

from typing import Final

from entrepot.access.model import ASKED, REGISTRY_NAMES, Access, Action, All, Identity, OwnUpload, Public, SignedIn
from entrepot.errors import Kind, Problem
from entrepot.gate.auditing import origin_of
from entrepot.gate.call import Call, Caller, Site
from entrepot.gate.hosts import Host
from entrepot.gate.passage import Passage
from entrepot.gate.registries import Registries, Registry
from entrepot.oci.reference import RepositoryName, parse_repository
from entrepot.web.request import Request

_CHALLENGED: Final = frozenset({Kind.UNAUTHENTICATED, Kind.UNAUTHORIZED})


class DataPlane:
    """One per worker process."""

    accesses = (Action, All, OwnUpload, Public, SignedIn)

    def __init__(self, site: Site, registries: Registries) -> None:
        self._site = site
        self._registries = registries

    async def admit(self, passage: Passage) -> Call:
        """The call, if its row permits it. Raises NAME_INVALID, ROUTE_UNKNOWN, ADDRESS_DENIED, UNAUTHENTICATED,
        UNAUTHORIZED, TOO_MANY_REQUESTS.
        """
        params, access = passage.params, passage.access
        assert access is not None  # noqa: S101  the gate has found the row
        if "repository" in params:
            passage.repository = _name_in_path(params["repository"])
        host, registry = await self._registry(passage.request)
        passage.host = host
        if registry.firewall is not None and not registry.firewall.permits(passage.request.client):
            raise Problem(Kind.ADDRESS_DENIED, address=passage.request.client)
        try:
            identity = passage.identity = await self._identify(access, passage.request, registry)
            if identity.method == "basic":
                self._site.auditor.signed_in(identity.principal, origin_of(passage.request, identity, registry.name))
            _expect_permitted(access, identity, passage.repository)
        except Problem as problem:
            if problem.kind in _CHALLENGED:
                problem.detail |= _asked(passage)
            raise
        # What was not permitted costs nothing here, so nobody who may do nothing uses up what others may.
        if registry.rates is not None:
            registry.rates.draw(passage.pools, identity.principal)
        return Call(self._site, passage.request, params, Caller(registry, host, identity, passage.repository))

    def challenge(self, passage: Passage, problem: Problem) -> str | None:
        """Spec: RFC 6750 section 3; no space after the commas, because az breaks on one (ACR-REFERENCE 4.1)."""
        if passage.host is None:
            return None
        authority = passage.host.authority
        challenge = f'Bearer realm="{self._site.scheme}://{authority}/oauth2/token",service="{authority}"'
        scope = _scope_asked(passage)
        if scope:
            challenge += f',scope="{scope}"'
        if passage.request.header(b"authorization") is None:
            return challenge
        error = "invalid_token" if problem.kind is Kind.UNAUTHENTICATED else "insufficient_scope"
        return f'{challenge},error="{error}"'

    async def _registry(self, request: Request) -> tuple[Host, Registry]:
        host = self._site.hosts.find(request.header(b"host") or "")
        registry = None if host is None else await self._registries.find(host.registry)
        if host is None or registry is None:
            raise Problem(
                Kind.ROUTE_UNKNOWN,
                reason="no registry answers under this host name: see ENTREPOT_DOMAIN and ENTREPOT_TLS_NAMES",
            )
        return host, registry

    async def _identify(self, access: Access, request: Request, registry: Registry) -> Identity:
        if isinstance(access, Public):
            return Identity("")
        authorization = request.header(b"authorization")
        return await self._site.authenticator.identify(authorization, registry, request.client)


def _name_in_path(text: str) -> RepositoryName:
    """ACR's SDKs escape the slashes of a name. No other character of one needs it, so no other escape is read.

    Raises NAME_INVALID.
    """
    return parse_repository(text.replace("%2F", "/").replace("%2f", "/"))


def _expect_permitted(access: Access, identity: Identity, repository: str | None) -> None:
    if not _permits(access, identity, repository):
        raise Problem(Kind.UNAUTHORIZED)


def _permits(access: Access, identity: Identity, repository: str | None) -> bool:
    """The one decision. Raises UNAUTHENTICATED for an expired token."""
    match access:
        case Public():
            return True
        case OwnUpload():
            # Whose session it is, its handler finds out: the session's row names its principal.
            return identity.rights.allow(access.action, repository)
        case _ if identity.expired:
            raise Problem(Kind.UNAUTHENTICATED, reason="the token has expired")
        case SignedIn():
            # Also where anonymous pull is on: skopeo, podman and docker ask here whether to send credentials at all.
            return not identity.is_anonymous
        case Action():
            return identity.rights.allow(access, repository)
        case All(actions=actions):
            return all(identity.rights.allow(action, repository) for action in actions)
        case _:
            return False


def _scope_asked(passage: Passage) -> str:
    return ":".join(_asked(passage).values())


def _asked(passage: Passage) -> dict[str, str]:
    """The scope that the route needs, in the words of a token."""
    match passage.access:
        case Action() as action if action in REGISTRY_NAMES:
            return {"type": "registry", "name": REGISTRY_NAMES[action], "action": ASKED[action]}
        case (OwnUpload(action=action)) | (Action() as action):
            return {"type": "repository", "name": passage.repository or "", "action": ASKED[action]}
        case All(actions=actions):
            words = ",".join(ASKED[action] for action in actions)
            return {"type": "repository", "name": passage.repository or "", "action": words}
        case _:
            return {}
