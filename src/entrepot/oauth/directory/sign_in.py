"""Signing a person in on a browser, a page at a time: password, second factor, a new password where one is needed.

Whoever needs somebody signed in (a client, a device) shows these pages under its own address, and gets a ``Entered``.
"""

import uuid
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlencode

import msgspec
from sqlalchemy import Connection

from entrepot.catalog.model import Change
from entrepot.errors import Problem
from entrepot.events.audit import record_change
from entrepot.gate.management import ManagementCall
from entrepot.identities.external.following import Standing
from entrepot.identities.model import New
from entrepot.identities.operations import Operation
from entrepot.identities.people import set_password
from entrepot.identities.rules import PASSWORD_LENGTHS, normal, why_weak
from entrepot.identities.signing_in import lockout, totp
from entrepot.identities.signing_in.handles import Handle, Made, body_of, hand_out, look_up, take_back
from entrepot.identities.signing_in.people import (
    Known,
    Present,
    Session,
    find_session,
    known_by_id,
    remember_browser,
    start_session,
)
from entrepot.oauth.directory.auditing import failed, refused_sign_in, signed_in
from entrepot.oauth.directory.cookies import Cookie, expect_own_form, form_token, read_cookie, set_cookie
from entrepot.oauth.directory.pages import page
from entrepot.oauth.directory.parts import Parts
from entrepot.oauth.directory.passwords import count, prove_person
from entrepot.oauth.directory.problems import Aadsts, describe, number_of, refused
from entrepot.oauth.directory.tenants import Authority
from entrepot.web.answer import Answer

_TOLD: Final = frozenset(
    {
        Aadsts.LOCKED,
        Aadsts.OUTSIDE_DOWN,
        Aadsts.OUTSIDE_REFUSED,
        Aadsts.PASSWORD_WRONG,
        Aadsts.PERSON_DISABLED,
        Aadsts.THROTTLED,
    }
)
SINGLE_SIGN_ON: Final = "/single-sign-on"
_AGAIN: Final = "This took too long. Sign in again."


@dataclass(frozen=True, slots=True)
class Around:
    """Where the pages are shown: the address that their forms go to, and what for.

    ``targets``: origins, beside ours, that the form may lead to. ``username``: what the client thinks who it is.
    ``provider``: the name of the outside provider that people may sign in through.
    """

    authority: Authority
    action: str
    purpose: str
    targets: tuple[str, ...] = ()
    username: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody who is signed in, and the cookies that say so."""

    present: Present
    cookies: tuple[tuple[bytes, bytes], ...] = ()


class _Pending(msgspec.Struct):
    """Somebody who is half signed in: ``needs_code``, or a new password."""

    credential: str
    needs_code: bool


@dataclass(frozen=True, slots=True)
class _Half:
    """Who is half signed in, and by which value the next form tells."""

    known: Known
    pending: _Pending
    value: str
    cookies: tuple[tuple[bytes, bytes], ...] = field(default=())


async def session_of(call: ManagementCall, authority: Authority) -> Present | None:
    """Who is signed in on this browser, if they belong here."""
    value = read_cookie(call, Cookie.SESSION)
    if not value:
        return None
    present = await call.doors.read(find_session, value, call.now())
    return present if present is not None and authority.admits(present.person.tenant_id) else None


async def present_of(call: ManagementCall, parts: Parts, authority: Authority) -> Present | None:
    """The same; somebody from outside only while the outside, asked anew from time to time, still lets them in."""
    present = await session_of(call, authority)
    if present is None:
        return None
    standing = await parts.following.follow(present.person.id, call.audit_origin())
    return present if standing is Standing.STANDS else None


def show_password(call: ManagementCall, around: Around, error: str = "", status: int = 200) -> Answer:
    values: dict[str, str] = {"purpose": around.purpose, "username": around.username, "provider": around.provider}
    values |= {"single_sign_on": f"{SINGLE_SIGN_ON}?{urlencode({'next': around.action})}"}
    return show(call, "password.html", around, status, error=error, **values)


def show(call: ManagementCall, template: str, around: Around, status: int = 200, **values: str | int | bool) -> Answer:
    """A page with a form of ours."""
    token, cookies = form_token(call)
    answer = page(template, status, around.targets, action=around.action, csrf=token, **{"error": "", **values})
    answer.headers = [*answer.headers, *cookies]
    return answer


async def take_step(call: ManagementCall, parts: Parts, form: dict[str, str], around: Around) -> Answer | Entered:
    """What follows from a form: another page, or somebody signed in. Raises a refusal."""
    expect_own_form(call, form)
    match form.get("step"):
        case "password":
            return await _take_password(call, parts, form, around)
        case "totp":
            return await _take_code(call, parts, form, around)
        case "change":
            return await _take_new_password(call, parts, form, around)
        case "continue":
            present = await present_of(call, parts, around.authority)
            return show_password(call, around, _AGAIN) if present is None else Entered(present)
        case _:
            return show_password(call, replace(around, username=""))


async def _take_password(call: ManagementCall, parts: Parts, form: dict[str, str], around: Around) -> Answer | Entered:
    upn, password = form.get("username", ""), form.get("password", "")
    shown = replace(around, username=upn)
    try:
        proved = await prove_person(call, parts, around.authority, (upn, password), read_cookie(call, Cookie.BROWSER))
    except Problem as problem:
        if number_of(problem) not in _TOLD:
            raise
        return show_password(call, shown, describe(problem), status=401)
    return await _go_on(call, around, proved.known, proved.credential, needs_code=proved.known.totp is not None)


async def _go_on(
    call: ManagementCall, around: Around, known: Known, credential: str, *, needs_code: bool
) -> Answer | Entered:
    if needs_code or known.must_change:
        pending = _Pending(credential, needs_code)
        value = await call.doors.write(hand_out, Made(Handle.PENDING, known.person.id, body=pending), call.now())
        return _show_half(call, around, _Half(known, pending, value))
    return await enter(call, known, credential, "password" if known.totp is None else "password, totp")


def _show_half(call: ManagementCall, around: Around, half: _Half, error: str = "", status: int = 200) -> Answer:
    template = "totp.html" if half.pending.needs_code else "change.html"
    values: dict[str, str | int] = {"username": half.known.person.upn or "", "pending": half.value, "error": error}
    if not half.pending.needs_code:
        values["least"] = PASSWORD_LENGTHS[0]
    return show(call, template, around, status, **values)


async def _half(call: ManagementCall, form: dict[str, str]) -> _Half | None:
    value = form.get("pending", "")

    def find(tx: Connection) -> _Half | None:
        row = look_up(tx, value, Handle.PENDING, call.now())
        known = None if row is None or row.principal_id is None else known_by_id(tx, row.principal_id)
        if row is None or known is None or known.proof is None or not known.person.enabled:
            return None
        pending = body_of(row, _Pending)
        return _Half(known, pending, value) if pending.credential == known.proof.id else None

    return await call.doors.read(find)


async def _take_code(call: ManagementCall, parts: Parts, form: dict[str, str], around: Around) -> Answer | Entered:
    half = await _half(call, form)
    if half is None or not half.pending.needs_code or half.known.totp is None:
        return show_password(call, around, _AGAIN)
    upn = half.known.person.upn or ""
    attempt = await parts.passwords.attempt(upn, call.request.client, read_cookie(call, Cookie.BROWSER))
    try:
        await count(parts, attempt)
    except Problem as problem:
        refused_sign_in(call, attempt.upn, half.known.person.id, "totp", problem)
        return _show_half(call, around, half, describe(problem), status=401)
    second = half.known.totp
    key = parts.sealer.open(second.body or "", totp.purpose(second.id))
    code = form.get("code", "").replace(" ", "")
    if not await call.doors.write(totp.accept, second.id, key, code, call.now()):
        failed(call, attempt.upn, half.known.person.id, "totp", "CODE_WRONG")
        return _show_half(call, around, half, "This code is wrong or was used before. Wait for the next one.", 401)
    await call.doors.write(lockout.note_success, attempt)
    await call.doors.write(take_back, half.value)
    return await _go_on(call, around, half.known, half.pending.credential, needs_code=False)


async def _take_new_password(
    call: ManagementCall, parts: Parts, form: dict[str, str], around: Around
) -> Answer | Entered:
    half = await _half(call, form)
    if half is None or half.pending.needs_code:
        return show_password(call, around, _AGAIN)
    person, new = half.known.person, normal(form.get("new", ""))
    weak = why_weak(new, person.upn or "")
    if weak is None and new != normal(form.get("again", "")):
        weak = "The two are not the same."
    old = [] if half.known.password is None else [half.known.password.fingerprint]
    if weak is None and await parts.proving.find(old, new) is not None:
        weak = "Use another one than before."
    if weak is not None:
        return _show_half(call, around, half, weak, 400)
    made, password_hash = New(str(uuid.uuid4()), call.now()), await parts.proving.hash(new)
    cause = Change(person.id, made.at, "", call.audit_origin())

    def replace_password(tx: Connection) -> None:
        set_password(tx, person, made, password_hash, must_change=False)
        take_back(tx, half.value)
        record_change(tx, cause, Operation.USER_PASSWORD, person.id, {"user": person.upn})

    await call.doors.write(replace_password)
    return await enter(call, half.known, made.id, "password" if half.known.totp is None else "password, totp")


async def enter(call: ManagementCall, known: Known, credential: str, method: str) -> Entered:
    """Somebody has proved who they are, by ``method``; this browser keeps it."""
    now, person = call.now(), known.person
    signed_in(call, person.id, method, credential)
    session = await call.doors.write(start_session, person.id, credential, now)
    browser = await call.doors.write(remember_browser, person.id, now)
    present = Present(person, Session(credential, int(now.timestamp())))
    cookies = (set_cookie(call, Cookie.SESSION, session), set_cookie(call, Cookie.BROWSER, browser))
    return Entered(present, cookies)


def expect_signed_in(present: Present | None) -> Present:
    """Raises a refusal."""
    if present is None:
        raise refused(Aadsts.LOGIN_REQUIRED)
    return present
