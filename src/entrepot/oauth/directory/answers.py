"""Tokens of the directory as its endpoints hand them out, in the answers of both versions.

Spec: RFC 6749 section 5.1; OpenID Connect Core 1.0 section 2; Microsoft identity platform, "ID token claims
reference".
"""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import jwt
import msgspec

from entrepot.access.directory_tokens import Assertion, issue_directory_token
from entrepot.access.keys import Use
from entrepot.gate.management import ManagementCall
from entrepot.identities.model import Principal
from entrepot.oauth.directory.auditing import issued
from entrepot.oauth.directory.resources import Asked
from entrepot.oauth.directory.tenants import Authority
from entrepot.web.answer import JSON, Answer

ACCESS_TOKEN_LIFE: Final = timedelta(hours=1)
# Clients whose clocks run behind get a token that is valid all the same.
_BACKDATED: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Given:
    """What is given: to whom, by way of which client, for what; ``credential`` is what it ends with.

    ``until``: the end of that credential.
    """

    principal: Principal
    client_id: str
    asked: Asked
    credential: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SignedInPerson:
    """What a person's tokens say beside."""

    signed_in_at: int
    nonce: str = ""
    refresh_token: str | None = None


class _Answer(msgspec.Struct, omit_defaults=True):
    token_type: str
    scope: str
    expires_in: int | str
    ext_expires_in: int | str
    access_token: str
    refresh_token: str | None = None
    id_token: str | None = None
    client_info: str | None = None
    expires_on: str | None = None
    not_before: str | None = None
    resource: str | None = None


async def answer_application(call: ManagementCall, authority: Authority, given: Given, *, version: int) -> Answer:
    """For a client in its own name."""
    body = await _body(call, authority, given, "")
    return _answer(body, given, call.now(), version)


async def answer_person(
    call: ManagementCall, authority: Authority, given: Given, person: SignedInPerson, *, version: int
) -> Answer:
    """For a client in a person's name."""
    body = await _body(call, authority, given, given.principal.upn or "")
    body.refresh_token = person.refresh_token
    if "openid" in given.asked.openid:
        body.id_token = await _id_token(call, authority, given, person)
    info = {"uid": given.principal.id, "utid": given.principal.tenant_id}
    body.client_info = base64.urlsafe_b64encode(msgspec.json.encode(info)).rstrip(b"=").decode()
    return _answer(body, given, call.now(), version)


async def access_token(call: ManagementCall, authority: Authority, given: Given, name: str) -> tuple[str, datetime]:
    """The token and its end. ``name``: a person's user principal name."""
    now = call.now()
    ends = now + ACCESS_TOKEN_LIFE if given.until is None else min(now + ACCESS_TOKEN_LIFE, given.until)
    says = Assertion(
        principal=given.principal.id,
        tenant=given.principal.tenant_id,
        audience=given.asked.audience,
        client_id=given.client_id,
        name=name,
        credential=given.credential,
        not_before=now - _BACKDATED,
        expires_at=ends,
    )
    key = await call.site.authenticator.signing_key(Use.DIRECTORY)
    token_id = call.new_id()
    token = issue_directory_token(says, authority.issuer_v1, token_id, key)
    issued(call, says, token_id, given.asked.text)
    return token, ends


async def _body(call: ManagementCall, authority: Authority, given: Given, name: str) -> _Answer:
    token, ends = await access_token(call, authority, given, name)
    seconds = int((ends - call.now()).total_seconds())
    return _Answer("Bearer", given.asked.text, seconds, seconds, token)


async def _id_token(call: ManagementCall, authority: Authority, given: Given, person: SignedInPerson) -> str:
    now = int(call.now().timestamp())
    claims: dict[str, str | int] = {
        "aud": given.client_id,
        "iss": authority.issuer_v2,
        "iat": now,
        "nbf": now - int(_BACKDATED.total_seconds()),
        "exp": now + int(ACCESS_TOKEN_LIFE.total_seconds()),
        "auth_time": person.signed_in_at,
        "name": given.principal.name,
        "oid": given.principal.id,
        "sub": given.principal.id,
        "tid": given.principal.tenant_id,
        "preferred_username": given.principal.upn or "",
        "upn": given.principal.upn or "",
        "uti": call.new_id(),
        "ver": "2.0",
    }
    if person.nonce:
        claims["nonce"] = person.nonce
    key = await call.site.authenticator.signing_key(Use.DIRECTORY)
    return jwt.encode(claims, key.private, algorithm=key.algorithm, headers={"kid": key.kid})


def _answer(body: _Answer, given: Given, now: datetime, version: int) -> Answer:
    if version == 1:
        # Numbers were texts then.
        moment = int(now.timestamp())
        body.expires_on, body.not_before = str(moment + int(body.expires_in)), str(moment)
        body.expires_in, body.ext_expires_in = str(body.expires_in), str(body.ext_expires_in)
        body.resource = given.asked.audience
    headers = [JSON, (b"cache-control", b"no-store"), (b"pragma", b"no-cache")]
    return Answer(200, headers, msgspec.json.encode(body))
