"""The exchange: a token of the directory in, a refresh token of the registry out. Source: ACR-REFERENCE 4.2."""

from typing import Final, NamedTuple

import msgspec

from entrepot.access.model import Nothing
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call
from entrepot.gate.management import arm_audiences
from entrepot.gate.sign_in import SignedIn
from entrepot.identities.signing_in.grants import Refreshed, use_refresh
from entrepot.oauth.directory.clients import FIRST_PARTY
from entrepot.oauth.forms import Form, expect_service, read_form
from entrepot.oauth.issue import issue_refresh_token
from entrepot.oauth.parts import Parts
from entrepot.oauth.standing import expect_standing
from entrepot.oauth.tokens import NO_STORE
from entrepot.web.answer import JSON, Answer

REGISTRY_AUDIENCE: Final = "https://containerregistry.azure.net"
# The second is the older one's name; a refresh token of the directory in the same form is not looked at.
_BY_ACCESS_TOKEN: Final = frozenset({"access_token", "access_token_refresh_token"})
_BY_REFRESH_TOKEN: Final = "refresh_token"  # noqa: S105  the name of a grant


class _Exchanged(msgspec.Struct):
    refresh_token: str


class _Caller(NamedTuple):
    """Who brings a token of the directory, what it ends with, and the client that it was given to."""

    principal: str
    credential: str
    client_id: str
    tenant: str


async def exchange(call: Call, parts: Parts) -> Answer:
    """For whoever has a role on this registry."""
    form = await read_form(call, parts)
    grant = form.get("grant_type")
    if grant not in _BY_ACCESS_TOKEN and grant != _BY_REFRESH_TOKEN:
        raise Problem(Kind.REQUEST_INVALID, reason="grant_type must be access_token")
    expect_service(call, form.get("service"))
    caller = await (_by_refresh_token(call, form) if grant == _BY_REFRESH_TOKEN else _by_access_token(call, form))
    named = form.get("tenant") or caller.tenant
    if caller.tenant != call.registry.tenant_id or named.lower() != caller.tenant:
        raise Problem(Kind.UNAUTHENTICATED, reason="the token is of another tenant")
    if isinstance(await call.site.authenticator.rights(caller.principal, call.registry), Nothing):
        raise Problem(Kind.UNAUTHENTICATED, reason="the account has no role on this registry")
    signed_in = SignedIn(caller.principal, caller.credential)
    await expect_standing(call, parts, signed_in)
    tenant = caller.tenant if form.get("tenant") else ""
    issued = await issue_refresh_token(call, signed_in, caller.client_id, tenant)
    return Answer(200, [JSON, NO_STORE], msgspec.json.encode(_Exchanged(issued.token)))


async def _by_access_token(call: Call, form: Form) -> _Caller:
    """The token is for an audience that this registry takes. Raises UNAUTHENTICATED."""
    found = await call.site.authenticator.assertion(form.get("access_token") or "")
    if found.audience.removesuffix("/") != REGISTRY_AUDIENCE:
        if not _is_management(call, found.audience):
            raise Problem(Kind.UNAUTHENTICATED, reason="the token is for another audience")
        if not call.registry.arm_audience:
            raise Problem(Kind.UNAUTHENTICATED, reason=f"this registry takes tokens for {REGISTRY_AUDIENCE} alone")
    return _Caller(found.principal, found.credential, found.client_id, found.tenant)


async def _by_refresh_token(call: Call, form: Form) -> _Caller:
    """The deprecated form. A refresh token is good for what its person agreed to. Of Azure's tools and ours, which
    prove nothing and may ask for anything, that is everything; of an application it is no registry.

    Raises UNAUTHENTICATED.
    """
    found = await call.doors.write(use_refresh, form.get("refresh_token") or "", call.now())
    if not isinstance(found, Refreshed) or found.client_id not in FIRST_PARTY:
        raise Problem(Kind.UNAUTHENTICATED, reason="the refresh token does not count: use grant_type access_token")
    return _Caller(found.person.id, found.refresh.grant, found.client_id, found.person.tenant_id)


def _is_management(call: Call, audience: str) -> bool:
    """Azure's names for the management API, or this deployment's own under any of its names."""
    host = call.site.hosts.find(audience.partition("://")[2].removesuffix("/"))
    return arm_audiences(call.site.scheme).accept(audience, host if host and host.is_endpoint else call.host)
