"""The token endpoint of both versions: what a client brings, and the tokens that it gets for it.

Spec: RFC 6749, RFC 7636, RFC 8628; Microsoft identity platform, "OAuth 2.0 ... flow".
"""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from entrepot.errors import Problem
from entrepot.gate.management import ManagementCall
from entrepot.identities.external.following import Standing
from entrepot.identities.model import New, Principal
from entrepot.identities.signing_in import devices
from entrepot.identities.signing_in.devices import Waiting
from entrepot.identities.signing_in.grants import (
    Code,
    Lost,
    Redeemed,
    Refresh,
    hand_out_refresh,
    open_grant,
    redeem_code,
    still_stands,
    use_refresh,
)
from entrepot.identities.signing_in.passwords import Proved
from entrepot.oauth.directory.answers import Given, SignedInPerson, answer_application, answer_person
from entrepot.oauth.directory.auditing import refused_client, refused_sign_in, refused_token, signed_in
from entrepot.oauth.directory.client_proofs import brings_proof, prove_client
from entrepot.oauth.directory.clients import Client, find_client
from entrepot.oauth.directory.forms import field, read_form
from entrepot.oauth.directory.parts import Parts
from entrepot.oauth.directory.passwords import prove_person
from entrepot.oauth.directory.problems import Aadsts, number_of, refused
from entrepot.oauth.directory.resources import Asked, parse_scope, scope_of_resource
from entrepot.oauth.directory.tenants import Authority, authority_of
from entrepot.web.answer import Answer

_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_WAITING: Final = {
    Waiting.PENDING: Aadsts.DEVICE_PENDING,
    Waiting.TOO_FAST: Aadsts.DEVICE_TOO_FAST,
    Waiting.DECLINED: Aadsts.DECLINED,
    Waiting.EXPIRED: Aadsts.DEVICE_EXPIRED,
}
# Refusals of a code or a refresh token itself.
_NOT_GOOD: Final = frozenset(
    {
        Aadsts.CODE_INVALID,
        Aadsts.CODE_USED,
        Aadsts.CODE_VERIFIER_WRONG,
        Aadsts.DECLINED,
        Aadsts.DEVICE_EXPIRED,
        Aadsts.REFRESH_REVOKED,
    }
)


@dataclass(frozen=True, slots=True)
class _Request:
    """One request of a client for tokens."""

    call: ManagementCall
    parts: Parts
    authority: Authority
    client: Client
    form: dict[str, str]
    version: int

    def asked(self, otherwise: str = "") -> Asked:
        """What for; ``otherwise``: when the request itself does not say."""
        if self.version == 1 and "resource" in self.form:
            more = ("openid", "profile", "offline_access")
            text = scope_of_resource(self.form["resource"], more)
        else:
            text = self.form.get("scope", "") or otherwise
        return parse_scope(text, self.client, self.authority.origin, self.call.site.hosts)


async def post_token(call: ManagementCall, parts: Parts) -> Answer:
    """Tokens for a secret, an assertion, a code, a device code or a refresh token; version 2."""
    return await _answer(call, parts, 2)


async def post_token_v1(call: ManagementCall, parts: Parts) -> Answer:
    """The same, version 1: `resource` in place of `scope`."""
    return await _answer(call, parts, 1)


async def _answer(call: ManagementCall, parts: Parts, version: int) -> Answer:
    authority = await authority_of(call)
    form = await read_form(call, parts)
    grant = _GRANTS.get(field(form, "grant_type"))
    if grant is None:
        raise refused(Aadsts.GRANT_UNSUPPORTED, grant=form["grant_type"])
    client = await _client(call, authority, form)
    try:
        return await grant(_Request(call, parts, authority, client, form, version))
    except Problem as problem:
        if number_of(problem) in _NOT_GOOD:
            refused_token(call, client.principal.id if client.principal else "", form["grant_type"], problem)
        raise


async def _client(call: ManagementCall, authority: Authority, form: dict[str, str]) -> Client:
    client_id = _client_id(call, form)
    try:
        return await find_client(call, authority, client_id)
    except Problem as problem:
        await refused_client(call, client_id, "", problem)
        raise


def _client_id(call: ManagementCall, form: Mapping[str, str]) -> str:
    """Of the form, or of an Authorization header, whose password is looked at later."""
    if "client_id" not in form and call.request.header(b"authorization") is not None:
        kind, _, value = (call.request.header(b"authorization") or "").partition(" ")
        if kind.lower() == "basic":
            return base64.b64decode(value.strip() + "==", validate=False).decode("latin-1").partition(":")[0]
    return field(dict(form), "client_id")


async def _client_credentials(request: _Request) -> Answer:
    proved = await prove_client(request.call, request.parts, request.authority, request.client, request.form)
    asked = request.asked()
    if not asked.scopes:
        raise refused(Aadsts.FIELD_MISSING, field="resource" if request.version == 1 else "scope")
    given = Given(proved.principal, request.client.id, asked, proved.credential, proved.expires_at)
    return await answer_application(request.call, request.authority, given, version=request.version)


async def _authorization_code(request: _Request) -> Answer:
    value, redirect_uri = field(request.form, "code"), field(request.form, "redirect_uri")
    redeemed = await request.call.doors.write(redeem_code, value, request.call.now())
    if redeemed is Lost.USED:
        raise refused(Aadsts.CODE_USED)
    if isinstance(redeemed, Lost) or redeemed.client_id != request.client.id:
        raise refused(Aadsts.CODE_INVALID, field="code")
    if redeemed.code.redirect_uri != redirect_uri:
        raise refused(Aadsts.CODE_INVALID, field="redirect_uri")
    _check_verifier(redeemed.code.challenge, request.form.get("code_verifier"))
    await _expect_proof(request, needed=not request.client.is_public_at(redirect_uri))
    return await _give(request, redeemed)


def _check_verifier(challenge: str, verifier: str | None) -> None:
    """A verifier without a challenge is refused too: somebody took it out of the first request (RFC 9700 4.8.2)."""
    if not challenge and verifier is None:
        return
    digest = hashlib.sha256((verifier or "").encode("utf-8", "surrogatepass")).digest()
    if not hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"="), challenge.encode()):
        raise refused(Aadsts.CODE_VERIFIER_WRONG)


async def _expect_proof(request: _Request, *, needed: bool) -> None:
    if needed or brings_proof(request.call, request.form):
        await prove_client(request.call, request.parts, request.authority, request.client, request.form)


async def _device_code(request: _Request) -> Answer:
    value = request.form.get("device_code") or field(request.form, "code")  # version 1 has the second name
    found = await request.call.doors.write(devices.poll, value, request.client.id, request.call.now())
    if isinstance(found, Waiting):
        raise refused(_WAITING[found])
    if isinstance(found, Lost):
        raise refused(Aadsts.CODE_INVALID, field="device_code")
    await _expect_proof(request, needed=not request.client.reach.is_public)
    return await _give(request, found)


async def _give(request: _Request, redeemed: Redeemed) -> Answer:
    """A grant, and its tokens."""
    call, person, code = request.call, redeemed.person, redeemed.code
    _expect_tenant(request.authority, person)
    asked = request.asked(code.scope)
    agreed = parse_scope(code.scope, request.client, request.authority.origin, call.site.hosts)
    _expect_agreed(request.client, asked, agreed)
    opened = await call.doors.write(_open, request.client.id, redeemed, call.now())
    if opened is None:
        raise refused(Aadsts.CODE_USED)
    refresh = opened if "offline_access" in agreed.openid | asked.openid or request.version == 1 else None
    signed_in = SignedInPerson(code.signed_in_at, code.nonce, refresh)
    # What a client asks for when it redeems may leave out what it asked for first.
    asked = Asked(asked.audience, asked.scopes, asked.openid | agreed.openid)
    given = Given(person, request.client.id, asked, redeemed.grant)
    return await answer_person(call, request.authority, given, signed_in, version=request.version)


def _open(tx: Connection, client_id: str, redeemed: Redeemed, now: datetime) -> str | None:
    """A refresh token; None for a code that was used again meanwhile."""
    if not still_stands(tx, redeemed):
        return None
    open_grant(tx, redeemed.person.id, client_id, New(redeemed.grant, now), redeemed.code.credential)
    refresh = Refresh(redeemed.grant, redeemed.code.scope, redeemed.code.signed_in_at)
    return hand_out_refresh(tx, redeemed.person.id, client_id, refresh, now)


def _expect_tenant(authority: Authority, person: Principal) -> None:
    if not authority.admits(person.tenant_id):
        raise refused(Aadsts.CODE_INVALID, field="code")


def _expect_agreed(client: Client, asked: Asked, agreed: Asked) -> None:
    """First-party clients may ask for anything; others for what their person saw when they signed in."""
    if not client.is_first_party and asked.audience.rstrip("/") != agreed.audience.rstrip("/"):
        raise refused(Aadsts.CONSENT_REQUIRED, resource=asked.audience)


async def _refresh_token(request: _Request) -> Answer:
    value, call = field(request.form, "refresh_token"), request.call
    await _expect_proof(request, needed=not request.client.reach.is_public)
    found = await call.doors.write(use_refresh, value, call.now())
    if found is Lost.REVOKED:
        raise refused(Aadsts.REFRESH_REVOKED)
    if isinstance(found, Lost) or found.client_id != request.client.id:
        raise refused(Aadsts.CODE_INVALID, field="refresh_token")
    _expect_tenant(request.authority, found.person)
    asked = request.asked(found.refresh.scope)
    agreed = parse_scope(found.refresh.scope, request.client, request.authority.origin, call.site.hosts)
    _expect_agreed(request.client, asked, agreed)
    await _expect_standing(request, found.person)
    given = Given(found.person, request.client.id, asked, found.refresh.grant)
    signed_in = SignedInPerson(found.refresh.signed_in_at, refresh_token=value)
    return await answer_person(call, request.authority, given, signed_in, version=request.version)


async def _expect_standing(request: _Request, person: Principal) -> None:
    """Raises a refusal for somebody from outside whom the outside does not let in any more, or says nothing of."""
    standing = await request.parts.following.follow(person.id, request.call.audit_origin())
    if standing is Standing.GONE:
        raise refused(Aadsts.REFRESH_REVOKED)
    if standing is Standing.UNKNOWN:
        raise refused(Aadsts.OUTSIDE_DOWN)


async def _password(request: _Request) -> Answer:
    if not request.parts.password_grant:
        raise refused(Aadsts.GRANT_UNSUPPORTED, grant="password")
    await _expect_proof(request, needed=not request.client.reach.is_public)
    upn, password = field(request.form, "username"), field(request.form, "password")
    known = await prove_person(request.call, request.parts, request.authority, (upn, password))
    lacking = _lacking(known)
    if lacking is not None:
        refused_sign_in(request.call, upn, known.person.id, "password", lacking)
        raise lacking
    signed_in(request.call, known.person.id, "password", known.credential)
    now = int(request.call.now().timestamp())
    code = Code("", request.asked().text, known.credential, now)
    return await _give(request, Redeemed(known.person, request.client.id, str(uuid.uuid4()), code))


def _lacking(proved: Proved) -> Problem | None:
    """What a right password is not enough for."""
    if proved.known.totp is not None:
        return refused(Aadsts.SECOND_FACTOR)
    return refused(Aadsts.PASSWORD_EXPIRED) if proved.known.must_change else None


_GRANTS: Final[dict[str, Callable[[_Request], Awaitable[Answer]]]] = {
    "authorization_code": _authorization_code,
    "client_credentials": _client_credentials,
    "device_code": _device_code,
    "password": _password,
    "refresh_token": _refresh_token,
    _DEVICE_GRANT: _device_code,
}
