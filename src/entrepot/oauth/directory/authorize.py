"""The authorization endpoint: a client sends a person, they sign in, and go back with a code.

Spec: RFC 6749 section 4.1, RFC 7636, RFC 9700, OpenID Connect Core 1.0 section 3.1; Microsoft identity platform,
"OAuth 2.0 authorization code flow". Until client and redirect URI are known to belong together, a refusal is a page;
from then on the client gets it.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from entrepot.errors import Problem
from entrepot.gate.management import ManagementCall
from entrepot.identities.signing_in.grants import Code
from entrepot.identities.signing_in.handles import Handle, Made, hand_out
from entrepot.identities.signing_in.people import Present
from entrepot.oauth.directory.clients import Client, find_client
from entrepot.oauth.directory.forms import read_form
from entrepot.oauth.directory.pages import page
from entrepot.oauth.directory.parts import Parts
from entrepot.oauth.directory.problems import SAYINGS, Aadsts, describe, number_of, refused
from entrepot.oauth.directory.resources import parse_scope, scope_of_resource
from entrepot.oauth.directory.sign_in import Around, Entered, present_of, show, show_password, take_step
from entrepot.oauth.directory.tenants import Authority, authority_of
from entrepot.web.answer import Answer, header

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_STATE_LIMIT: Final = 8192
_NONCE_LIMIT: Final = 512


@dataclass(frozen=True, slots=True)
class _Wish:
    """A client that wants somebody signed in, and sent back there."""

    client: Client
    redirect_uri: str
    mode: str
    state: str | None
    scope: str = ""
    challenge: str = ""
    nonce: str = ""


async def get_authorize(call: ManagementCall, parts: Parts) -> Answer:
    """The sign-in page, or the way back for somebody who is signed in."""
    return await _serve(call, parts, None)


async def post_authorize(call: ManagementCall, parts: Parts) -> Answer:
    """A step of the sign-in."""
    return await _serve(call, parts, await read_form(call, parts))


async def _serve(call: ManagementCall, parts: Parts, form: dict[str, str] | None) -> Answer:
    authority = await authority_of(call)
    wish = await _addressed(call, authority)
    try:
        wish = _complete(call, authority, wish)
        around = _around(call, parts, authority, wish)
        return await (_look(call, parts, wish, around) if form is None else _step(call, parts, form, wish, around))
    except Problem as problem:
        if form is not None and number_of(problem) is Aadsts.FIELD_INVALID:
            raise  # a form that is not ours: the page says so
        return _send_back(wish, _refusal(problem))


async def _addressed(call: ManagementCall, authority: Authority) -> _Wish:
    """Who wants it, and where to: what must be right before anything is sent anywhere."""
    client = await find_client(call, authority, _query(call, "client_id"))
    redirect_uri = _query(call, "redirect_uri")
    client.expect_redirect(redirect_uri)
    state = call.request.query("state")
    mode = call.request.query("response_mode") or "query"
    if mode not in {"query", "form_post"}:
        raise refused(Aadsts.RESPONSE_UNSUPPORTED)
    if state is not None and len(state) > _STATE_LIMIT:
        raise refused(Aadsts.FIELD_INVALID, reason="state is too long")
    return _Wish(client, redirect_uri, mode, state)


def _query(call: ManagementCall, name: str) -> str:
    """A parameter that must stand there, and once: two readers may take two for different ones."""
    values = call.request.query_all(name)
    if len(values) != 1 or not values[0]:
        raise refused(Aadsts.FIELD_MISSING, field=name)
    return values[0]


def _complete(call: ManagementCall, authority: Authority, wish: _Wish) -> _Wish:
    """Raises a refusal that the client gets."""
    query = call.request.query
    if query("response_type") != "code":
        raise refused(Aadsts.RESPONSE_UNSUPPORTED)
    resource = query("resource")
    scope = query("scope") or ""
    if resource is not None:
        scope = scope_of_resource(resource, ("openid", "profile", "offline_access"))
    parse_scope(scope, wish.client, authority.origin, call.site.hosts)
    challenge = _challenge(call, needed=wish.client.is_public_at(wish.redirect_uri))
    nonce = query("nonce") or ""
    if len(nonce) > _NONCE_LIMIT:
        raise refused(Aadsts.FIELD_INVALID, reason="nonce is too long")
    return _Wish(wish.client, wish.redirect_uri, wish.mode, wish.state, scope, challenge, nonce)


def _challenge(call: ManagementCall, *, needed: bool) -> str:
    """S256 alone: with "plain", whoever sees the request can redeem the code."""
    challenge = call.request.query("code_challenge") or ""
    if not challenge and not needed:
        return ""
    if call.request.query("code_challenge_method") != "S256" or _CHALLENGE.fullmatch(challenge) is None:
        raise refused(Aadsts.CODE_CHALLENGE_MISSING)
    return challenge


def _around(call: ManagementCall, parts: Parts, authority: Authority, wish: _Wish) -> Around:
    target = urlsplit(wish.redirect_uri)
    query: bytes = call.request.scope["query_string"]
    return Around(
        authority,
        f"{call.request.path}?{query.decode('latin-1')}",
        f"to continue to {wish.client.name}" if wish.client.is_first_party else _warning(wish),
        (f"{target.scheme}://{target.netloc}",) if target.scheme in {"http", "https"} else (f"{target.scheme}:",),
        (call.request.query("login_hint") or "")[:256],
        "" if parts.provider is None else parts.provider.name,
    )


def _warning(wish: _Wish) -> str:
    """People see what another's application will be able to do."""
    where = urlsplit(wish.redirect_uri).netloc or wish.redirect_uri
    can = " It will be able to act for you there." if "/" in wish.scope else ""
    return f"to continue to {wish.client.name} at {where}.{can}"


async def _look(call: ManagementCall, parts: Parts, wish: _Wish, around: Around) -> Answer:
    prompts = set((call.request.query("prompt") or "").split())
    present = None if "login" in prompts else await present_of(call, parts, around.authority)
    if "none" in prompts:
        if present is None or not wish.client.is_first_party:
            raise refused(Aadsts.LOGIN_REQUIRED)
        return await _give_code(call, wish, Entered(present))
    if present is None:
        return show_password(call, around)
    hint = around.username.lower()
    if (
        not wish.client.is_first_party
        or prompts & {"select_account", "consent"}
        or (hint and hint != present.person.upn)
    ):
        return show(call, "choose.html", around, username=present.person.upn or "", purpose=around.purpose)
    return await _give_code(call, wish, Entered(present))


async def _step(call: ManagementCall, parts: Parts, form: dict[str, str], wish: _Wish, around: Around) -> Answer:
    entered = await take_step(call, parts, form, around)
    return entered if isinstance(entered, Answer) else await _give_code(call, wish, entered)


async def _give_code(call: ManagementCall, wish: _Wish, entered: Entered) -> Answer:
    code = await call.doors.write(hand_out, _code(wish, entered.present), call.now())
    answer = _send_back(wish, {"code": code, "session_state": call.new_id()})
    answer.headers = [*answer.headers, *entered.cookies]
    return answer


def _code(wish: _Wish, present: Present) -> Made:
    session = present.session
    body = Code(wish.redirect_uri, wish.scope, session.credential, session.signed_in_at, wish.challenge, wish.nonce)
    return Made(Handle.CODE, present.person.id, wish.client.id, body=body)


def _refusal(problem: Problem) -> dict[str, str]:
    number = number_of(problem)
    error = SAYINGS[number].error
    return {"error": error, "error_description": f"AADSTS{number.value}: {describe(problem)}"}


def _send_back(wish: _Wish, fields: dict[str, str]) -> Answer:
    """To the client, whose address was checked."""
    if wish.state is not None:
        fields |= {"state": wish.state}
    if wish.mode == "form_post":
        target = urlsplit(wish.redirect_uri)
        targets = (f"{target.scheme}://{target.netloc}",)
        return page(
            "form_post.html",
            200,
            targets,
            action=wish.redirect_uri,
            purpose=f"Go on to {wish.client.name}.",
            fields=fields,
        )
    joint = "&" if "?" in wish.redirect_uri else "?"
    location = header(b"location", f"{wish.redirect_uri}{joint}{urlencode(fields)}")
    return Answer(303, [location, (b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer")])
