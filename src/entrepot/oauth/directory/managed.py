"""The managed-identity endpoints: a workload gets tokens of its identity without keeping a secret of an application.

Microsoft, "Managed identities for App Service", REST endpoint reference, api-version 2019-08-01. A workload finds the
endpoint and its header in IDENTITY_ENDPOINT and IDENTITY_HEADER. The header is a secret of that one identity, so the
endpoint may stand where all others do; whoever has no header gets nothing, wherever they ask from. A run of a task has
one header for all its identities, which ends with the run.

Microsoft, "Azure Instance Metadata Service", is the form of virtual machines. It has no secret, so it answers processes
of this machine alone, about the identities that the operator opened to it (``entrepot app identity --machine``).
"""

from datetime import datetime
from typing import Final

import msgspec

from entrepot.access.queries import RUN_PREFIX
from entrepot.errors import Kind, Problem
from entrepot.gate.management import ManagementCall
from entrepot.identities import queries
from entrepot.identities.model import Credential, Principal, Proof, Type
from entrepot.oauth.directory.answers import Given, access_token
from entrepot.oauth.directory.auditing import refused_client, signed_in
from entrepot.oauth.directory.client_proofs import Proved
from entrepot.oauth.directory.clients import Client
from entrepot.oauth.directory.parts import Parts
from entrepot.oauth.directory.problems import Aadsts, refused
from entrepot.oauth.directory.resources import parse_scope, scope_of_resource
from entrepot.oauth.directory.tenants import Authority, find_tenant
from entrepot.settings import is_loopback
from entrepot.web.answer import JSON, Answer
from entrepot.web.request import Request

_HEADER_LIMIT: Final = 512
_METHOD: Final = "identity_header"
# What a credential's hint says of the identity that is a task's own.
_OWN: Final = "system"
_MACHINE_METHOD: Final = "machine"


class _Token(msgspec.Struct):
    access_token: str
    expires_on: str
    resource: str
    token_type: str
    client_id: str


class _MachineToken(msgspec.Struct):
    """Numbers are texts, as Azure writes them."""

    access_token: str
    client_id: str
    expires_in: str
    expires_on: str
    ext_expires_in: str
    not_before: str
    resource: str
    token_type: str


async def get_identity_token(call: ManagementCall, parts: Parts) -> Answer:
    """A token of the managed identity whose header the workload sends. Runs of tasks are answered in any case: whoever
    gave a task an identity turned it on.
    """
    if not parts.identity_endpoint and not _header_of(call.request).startswith(RUN_PREFIX):
        raise Problem(Kind.ROUTE_UNKNOWN)
    proved = await _identity(call, parts)
    principal = proved.principal
    resource = call.request.query("resource") or ""
    if not resource:
        raise refused(Aadsts.FIELD_MISSING, field="resource")
    for name, own in (("client_id", principal.client_id), ("principal_id", principal.id), ("object_id", principal.id)):
        if call.request.query(name) not in {None, own}:
            raise refused(Aadsts.FIELD_INVALID, reason=f"the header is of an identity with another {name}")
    token, ends = await _token(call, proved, resource)
    body = _Token(token, _seconds(ends), resource, "Bearer", principal.client_id or "")
    return _answer(body)


async def get_machine_token(call: ManagementCall, parts: Parts) -> Answer:
    """A token of a managed identity for a process of this machine, as virtual machines get one."""
    if not parts.identity_endpoint:
        raise Problem(Kind.ROUTE_UNKNOWN)
    _expect_this_machine(call.request)
    resource = call.request.query("resource") or ""
    if not resource:
        raise refused(Aadsts.FIELD_MISSING, field="resource")
    proved = _chosen(call.request, await call.doors.read(queries.machine_identities))
    signed_in(call, proved.principal.id, _MACHINE_METHOD, proved.credential)
    token, ends = await _token(call, proved, resource)
    left = str(int((ends - call.now()).total_seconds()))
    client_id = proved.principal.client_id or ""
    return _answer(
        _MachineToken(token, client_id, left, _seconds(ends), left, _seconds(call.now()), resource, "Bearer")
    )


def _header_of(request: Request) -> str:
    return request.header(b"x-identity-header") or ""


def _expect_this_machine(request: Request) -> None:
    """What a browser, or a server that was talked into a request, cannot send. Raises as the service of Azure does."""
    if request.header(b"metadata") != "true" or request.header(b"x-forwarded-for") is not None:
        raise refused(Aadsts.FIELD_INVALID, reason="send the header Metadata: true, and by no proxy")
    if not is_loopback(request.client):
        raise refused(Aadsts.FIELD_INVALID, reason="only processes of this machine are answered")


def _chosen(request: Request, known: list[tuple[Principal, str]]) -> Proved:
    """The identity that is asked for, or the only one."""
    names = {value for name in ("client_id", "object_id", "principal_id") if (value := request.query(name))}
    found = [each for each in known if names <= {each[0].client_id, each[0].id}]
    if len(found) > 1:
        raise refused(Aadsts.FIELD_INVALID, reason="there are several identities: name one by client_id or object_id")
    if not found:
        raise refused(Aadsts.FIELD_INVALID, reason="Identity not found")
    principal, credential = found[0]
    return Proved(principal, credential, None)


async def _token(call: ManagementCall, proved: Proved, resource: str) -> tuple[str, datetime]:
    principal = proved.principal
    client = Client(principal.client_id or "", principal.name, principal=principal)
    asked = parse_scope(scope_of_resource(resource), client, call.origin, call.site.hosts)
    authority = await _authority(call, principal)
    return await access_token(
        call, authority, Given(principal, client.id, asked, proved.credential, proved.expires_at), ""
    )


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))


def _answer(body: msgspec.Struct) -> Answer:
    return Answer(200, [JSON, (b"cache-control", b"no-store")], msgspec.json.encode(body))


async def _identity(call: ManagementCall, parts: Parts) -> Proved:
    """By the header, which is CLIENT_ID.SECRET; either way it is written down."""
    header = _header_of(call.request)
    client_id = header.partition(".")[0]
    try:
        proved = await _prove(call, parts, header)
    except Problem as problem:
        if header:
            await refused_client(call, client_id, _METHOD, problem)
        raise
    signed_in(call, proved.principal.id, _METHOD, proved.credential)
    return proved


async def _prove(call: ManagementCall, parts: Parts, header: str) -> Proved:
    client_id, _, secret = header.partition(".")
    wrong = refused(Aadsts.SECRET_WRONG, client="")
    if not secret or len(header) > _HEADER_LIMIT or not header.isascii() or "\0" in header:
        raise wrong
    if client_id.startswith(RUN_PREFIX):
        return await _prove_run(call, parts, client_id, secret)
    principal = await call.doors.read(queries.principal_by_client_id, client_id)
    if principal is None or principal.type != Type.MANAGED_IDENTITY or not principal.enabled:
        raise wrong
    every = await call.doors.read(queries.credentials_of, principal.id, (Proof.SECRET,))
    place = await parts.proving.find([each.fingerprint for each in every], secret)
    found = None if place is None else every[place]
    if found is None or (found.expires_at is not None and found.expires_at <= call.now()):
        raise wrong
    return Proved(principal, found.id, found.expires_at)


async def _prove_run(call: ManagementCall, parts: Parts, name: str, secret: str) -> Proved:
    """As the identity that is asked for, or else the task's own, or the only one."""
    every = await call.doors.read(queries.lent_identities, name)
    good = [each for each in every if each[1].expires_at is None or each[1].expires_at > call.now()]
    if await parts.proving.find([credential.fingerprint for _, credential in good], secret) is None:
        raise refused(Aadsts.SECRET_WRONG, client="")
    principal, credential = _asked_for(call.request, good)
    return Proved(principal, credential.id, credential.expires_at)


def _asked_for(request: Request, lent: list[tuple[Principal, Credential]]) -> tuple[Principal, Credential]:
    names = {value for name in ("client_id", "object_id", "principal_id") if (value := request.query(name))}
    resource = request.query("mi_res_id") or request.query("msi_res_id") or ""
    if not names and not resource:
        lent = [each for each in lent if each[1].hint == _OWN] or lent
    found = [(principal, credential) for principal, credential in lent if names <= {principal.client_id, principal.id}]
    if resource:
        wanted = resource.rpartition("/")[2].lower()
        found = [each for each in found if each[1].hint != _OWN and each[0].name.lower() == wanted]
    if len(found) > 1:
        raise refused(Aadsts.FIELD_INVALID, reason="the task has several identities: name one by client_id")
    if not found:
        raise refused(Aadsts.FIELD_INVALID, reason="the task has no such identity")
    return found[0]


async def _authority(call: ManagementCall, principal: Principal) -> Authority:
    tenant = find_tenant(await call.doors.read(queries.tenants), principal.tenant_id)
    if tenant is None:
        raise refused(Aadsts.TENANT_UNKNOWN, tenant=principal.tenant_id)
    return Authority(tenant, tenant.id, call.origin)
