"""The token endpoint: a credential and scopes in, a short-lived access token out."""

from typing import Final

import msgspec

from entrepot.access.model import Scope
from entrepot.access.scopes import parse_scopes
from entrepot.access.tokens import TokenKind
from entrepot.errors import Kind, Problem
from entrepot.gate.authenticate import parse_basic
from entrepot.gate.call import Call
from entrepot.gate.sign_in import SignedIn
from entrepot.oauth.forms import Form, expect_service, read_form
from entrepot.oauth.issue import Issued, issue_access_token, issue_anonymous_token
from entrepot.oauth.parts import Parts
from entrepot.oauth.standing import expect_standing
from entrepot.web.answer import JSON, Answer

NO_STORE: Final = (b"cache-control", b"no-store")


class _Token(msgspec.Struct, omit_defaults=True):
    """ACR's answer is the first field. Docker takes a token without ``expires_in`` for one of a minute."""

    access_token: str
    token: str
    expires_in: int
    issued_at: str
    refresh_token: str | None = None


async def get_token(call: Call, parts: Parts) -> Answer:
    """By query, with Basic or anonymously."""
    expect_service(call, call.request.query("service"))
    scopes = parse_scopes(call.request.query_all("scope"))
    authorization = call.request.header(b"authorization")
    if authorization is None:
        return _answer(call, await issue_anonymous_token(call, scopes))
    kind, _, value = authorization.partition(" ")
    if kind.lower() != "basic":
        raise Problem(Kind.UNAUTHENTICATED, reason="sign in with Basic")
    name, secret = parse_basic(value.strip())
    signed_in = await call.sign_in(name, secret)
    await expect_standing(call, parts, signed_in)
    offline = call.request.query("offline_token") == "true"
    return await _answer_signed_in(call, signed_in, scopes, secret if offline else None)


async def post_token(call: Call, parts: Parts) -> Answer:
    """By form: ``grant_type=refresh_token``, or ``password``; this without user name and password is anonymous."""
    form = await read_form(call, parts)
    expect_service(call, form.get("service"))
    scopes = parse_scopes(form.every("scope"))
    match form.get("grant_type"):
        case "refresh_token":
            secret = form.get("refresh_token") or ""
            signed_in = await _by_refresh_token(call, secret)
        case "password" if "username" not in form and "password" not in form:
            return _answer(call, await issue_anonymous_token(call, scopes))
        case "password":
            secret = form.get("password") or ""
            signed_in = await call.sign_in(form.get("username") or "", secret)
        case _:
            raise Problem(Kind.REQUEST_INVALID, reason="grant_type must be refresh_token or password")
    await expect_standing(call, parts, signed_in)
    return await _answer_signed_in(call, signed_in, scopes, secret if _wants_offline(form) else None)


def _wants_offline(form: Form) -> bool:
    return form.get("access_type") == "offline"


async def _by_refresh_token(call: Call, token: str) -> SignedIn:
    grant = await call.site.authenticator.token(token, call.registry)
    if grant.kind is not TokenKind.REFRESH:
        raise Problem(Kind.UNAUTHENTICATED, reason="this is not a refresh token")
    return SignedIn(grant.principal, grant.credential, token=grant)


async def _answer_signed_in(call: Call, signed_in: SignedIn, scopes: list[Scope], offline: str | None) -> Answer:
    """``offline``: the secret of a client that wants a refresh token to keep.

    It gets the one back that it signed in with. For a password it gets none: docker would keep it in the password's
    place, and be signed out when it ends.
    """
    issued = await issue_access_token(call, signed_in, scopes)
    is_refresh = signed_in.token is not None and signed_in.token.kind is TokenKind.REFRESH
    return _answer(call, issued, offline if is_refresh else None)


def _answer(call: Call, issued: Issued, refresh_token: str | None = None) -> Answer:
    issued_at = call.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    body = _Token(issued.token, issued.token, int(issued.life.total_seconds()), issued_at, refresh_token)
    return Answer(200, [JSON, NO_STORE], msgspec.json.encode(body))
