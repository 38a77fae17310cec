"""Signing in through an outside provider: the way there, and the way back to where somebody wanted to sign in.

Spec: OpenID Connect Core 1.0 section 3.1; RFC 9700 sections 2.1 and 4. What a browser is sent with is kept here for ten
minutes, is good once, and only on the browser that it was made for. It leads back to pages of ours and nowhere else.
"""

import hmac
import re
import secrets
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

import msgspec
from sqlalchemy import Connection

from entrepot.errors import Kind, Problem
from entrepot.gate.management import ManagementCall
from entrepot.identities import queries
from entrepot.identities.external.model import Arrival, OutsideDownError, OutsideRefusedError
from entrepot.identities.external.oidc import RelyingParty, Sent
from entrepot.identities.federation.model import quoted
from entrepot.identities.rules import ADDRESS, parse_user_code
from entrepot.identities.signing_in import lockout
from entrepot.identities.signing_in.handles import Handle, Made, body_of, hand_out, look_up
from entrepot.identities.signing_in.handles import take_back as forget
from entrepot.identities.signing_in.lockout import Attempt
from entrepot.identities.signing_in.people import known_by_id
from entrepot.identities.signing_in.queries import lock_handle
from entrepot.oauth.directory import device
from entrepot.oauth.directory.auditing import failed, log_refused
from entrepot.oauth.directory.cookies import browser_token, form_token
from entrepot.oauth.directory.parts import Parts
from entrepot.oauth.directory.passwords import count
from entrepot.oauth.directory.problems import Aadsts, refused
from entrepot.oauth.directory.sign_in import SINGLE_SIGN_ON, Entered, enter
from entrepot.oauth.directory.tenants import Authority, find_tenant
from entrepot.web.answer import Answer, header

CALLBACK: Final = f"{SINGLE_SIGN_ON}/callback"
_METHOD: Final = "single_sign_on"
_NEXT_LIMIT: Final = 12 * 1024
_CODE_LIMIT: Final = 4096
# Pages of ours that somebody signs in for.
_NEXT: Final = re.compile(r"/devicelogin(\?[!-~]*)?|/([A-Za-z0-9.-]{1,253})/oauth2(/v2\.0)?/authorize\?[!-~]*")


class _Pending(msgspec.Struct):
    """What a browser was sent to the provider with. ``sealed``: nonce and verifier."""

    browser: str
    next: str
    sealed: str


class _Back(NamedTuple):
    """What is left of it when the browser is back."""

    next: str
    sent: Sent


async def get_single_sign_on(call: ManagementCall, parts: Parts) -> Answer:
    """The way to the outside provider."""
    provider = _provider(parts)
    wanted = call.request.query("next") or ""
    if len(wanted) > _NEXT_LIMIT or _NEXT.fullmatch(wanted) is None:
        raise refused(Aadsts.FIELD_INVALID, reason="next is no page of ours that one signs in for")
    # Each one that was begun is kept for a while; whoever begins many and ends none is slowed down.
    await count(parts, _attempt(call))
    browser, cookies = form_token(call)
    sent = Sent(_callback(call), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
    sealed = parts.sealer.seal(f"{sent.nonce} {sent.verifier}", _purpose(browser))
    made = Made(Handle.OUTSIDE, body=_Pending(browser, wanted, sealed))
    state = await call.doors.write(hand_out, made, call.now())
    try:
        where = await parts.following.turns.run(provider.address, sent, state, call.now())
    except OutsideDownError as down:
        raise _down(call, down) from None
    return _go(where, cookies)


async def get_callback(call: ManagementCall, parts: Parts) -> Answer:
    """The way back from the outside provider."""
    provider = _provider(parts)
    back = await _take(call, parts)
    try:
        arrival = await _redeem(call, parts, provider, back.sent)
        authority = await _authority(call, back.next)
        arrived = await parts.following.arrive(arrival, authority.tenant.id, call.audit_origin())
    except OutsideDownError as down:
        raise _down(call, down) from None
    except OutsideRefusedError as error:
        log_refused(call, error.detail)
        failed(call, "", None, _METHOD, error.reason)
        raise refused(Aadsts.OUTSIDE_REFUSED, reason=error.reason) from None
    await call.doors.write(lockout.note_success, _attempt(call))
    known = await call.doors.read(known_by_id, arrived.person.id)
    if known is None:
        raise refused(Aadsts.OUTSIDE_REFUSED, reason="the account is gone")
    entered = await enter(call, known, arrived.credential, _METHOD)
    return await _go_on(call, parts, authority, back.next, entered)


async def _take(call: ManagementCall, parts: Parts) -> _Back:
    """What this browser was sent with, on its one use. Raises a refusal."""
    state, browser = call.request.query("state") or "", browser_token(call)
    pending = await call.doors.write(_take_once, state, browser, call)
    if pending is None:
        failed(call, "", None, _METHOD, Aadsts.FLOW_EXPIRED.name)
        raise refused(Aadsts.FLOW_EXPIRED)
    nonce, _, verifier = parts.sealer.open(pending.sealed, _purpose(pending.browser)).partition(" ")
    return _Back(pending.next, Sent(_callback(call), nonce, verifier))


def _take_once(tx: Connection, state: str, browser: str, call: ManagementCall) -> _Pending | None:
    row = look_up(tx, state, Handle.OUTSIDE, call.now())
    if row is None or not browser:
        return None
    lock_handle(tx, row.id)
    row = look_up(tx, state, Handle.OUTSIDE, call.now())
    pending = None if row is None else body_of(row, _Pending)
    # Another browser's stays where it is: a stolen link must not end it.
    if pending is None or not hmac.compare_digest(pending.browser.encode(), browser.encode()):
        return None
    forget(tx, state)
    return pending


async def _redeem(call: ManagementCall, parts: Parts, provider: RelyingParty, sent: Sent) -> Arrival:
    query, now = call.request.query, call.now()
    await parts.following.turns.run(provider.expect_issuer, query("iss"), now)
    error = query("error")
    if error is not None:
        raise OutsideRefusedError(f"it says {quoted(error[:64])}", f"the provider answers {quoted(error)}")
    codes = call.request.query_all("code")
    if len(codes) != 1 or not 0 < len(codes[0]) <= _CODE_LIMIT:
        raise OutsideRefusedError("it sent no code")
    return await parts.following.turns.run(provider.redeem, codes[0], sent, now)


async def _authority(call: ManagementCall, wanted: str) -> Authority:
    found = _NEXT.fullmatch(wanted)
    asked = ((found and found[2]) or "common").lower()
    tenant = find_tenant(await call.doors.read(queries.tenants), asked)
    if tenant is None:
        raise refused(Aadsts.TENANT_UNKNOWN, tenant=asked)
    return Authority(tenant, asked, call.origin)


async def _go_on(call: ManagementCall, parts: Parts, authority: Authority, wanted: str, entered: Entered) -> Answer:
    path, _, query = wanted.partition("?")
    fields = parse_qsl(query, keep_blank_values=True)
    if path == device.PATH:
        user_code = parse_user_code(dict(fields).get("user_code", ""))
        return await device.ask(call, parts, authority, user_code, entered)
    return _go(f"{path}?{urlencode(_signed_in_again(fields))}", list(entered.cookies))


def _signed_in_again(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Whoever was to sign in again has done so."""
    return [
        (name, " ".join(word for word in value.split() if word != "login") if name == "prompt" else value)
        for name, value in fields
    ]


def _provider(parts: Parts) -> RelyingParty:
    if parts.provider is None:
        raise Problem(Kind.ROUTE_UNKNOWN)
    return parts.provider


def _attempt(call: ManagementCall) -> Attempt:
    """Of nobody's account: many people may sit behind one address."""
    place = f"single sign-on at {call.request.client}"
    return Attempt(place, place, strangers=ADDRESS)


def _callback(call: ManagementCall) -> str:
    return f"{call.origin}{CALLBACK}"


def _purpose(browser: str) -> str:
    return f"single sign-on of {browser}"


def _down(call: ManagementCall, down: OutsideDownError) -> Problem:
    log_refused(call, down.detail)
    return refused(Aadsts.OUTSIDE_DOWN)


def _go(where: str, cookies: list[tuple[bytes, bytes]]) -> Answer:
    headers = [header(b"location", where), (b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer")]
    return Answer(303, [*headers, *cookies])
