"""Device codes: the endpoint for programs, and the page where their people type the code. Spec: RFC 8628."""

from typing import Final
from urllib.parse import quote

import msgspec
from sqlalchemy import Connection

from entrepot.errors import Problem
from entrepot.gate.management import ManagementCall
from entrepot.identities import queries
from entrepot.identities.rules import parse_user_code
from entrepot.identities.signing_in import devices, lockout
from entrepot.identities.signing_in.handles import LIVES, Handle
from entrepot.identities.signing_in.lockout import Attempt
from entrepot.identities.signing_in.people import Present
from entrepot.oauth.directory.auditing import failed, signed_in
from entrepot.oauth.directory.clients import FIRST_PARTY, find_client
from entrepot.oauth.directory.cookies import expect_own_form
from entrepot.oauth.directory.forms import field, read_form
from entrepot.oauth.directory.pages import page
from entrepot.oauth.directory.parts import Parts
from entrepot.oauth.directory.passwords import count
from entrepot.oauth.directory.problems import Aadsts, describe, refused
from entrepot.oauth.directory.resources import parse_scope, scope_of_resource
from entrepot.oauth.directory.sign_in import (
    Around,
    Entered,
    expect_signed_in,
    present_of,
    show,
    show_password,
    take_step,
)
from entrepot.oauth.directory.tenants import Authority, authority_of, find_tenant
from entrepot.web.answer import JSON, Answer

PATH: Final = "/devicelogin"
_UNKNOWN = "There is no such code, or it has expired. Look at your program again."


class _Started(msgspec.Struct):
    user_code: str
    device_code: str
    verification_uri: str
    verification_url: str
    expires_in: int
    interval: int
    message: str


async def post_device_code(call: ManagementCall, parts: Parts) -> Answer:
    """A code for a program, and one for its person to type; version 2."""
    form = await read_form(call, parts)
    return await _start(call, form, form.get("scope", ""))


async def post_device_code_v1(call: ManagementCall, parts: Parts) -> Answer:
    """The same, version 1: `resource` in place of `scope`."""
    form = await read_form(call, parts)
    return await _start(call, form, scope_of_resource(field(form, "resource"), ("openid", "profile", "offline_access")))


async def _start(call: ManagementCall, form: dict[str, str], scope: str) -> Answer:
    authority = await authority_of(call)
    client = await find_client(call, authority, field(form, "client_id"))
    if not client.reach.is_public:
        raise refused(Aadsts.CREDENTIAL_MISSING)
    parse_scope(scope, client, authority.origin, call.site.hosts)
    device_code, user_code = await call.doors.write(devices.start, client.id, scope, call.now())
    where, shown = f"{call.origin}{PATH}", _shown(user_code)
    body = _Started(
        user_code=shown,
        device_code=device_code,
        verification_uri=where,
        verification_url=where,
        expires_in=int(LIVES[Handle.DEVICE_CODE].total_seconds()),
        interval=int(devices.INTERVAL.total_seconds()),
        message=f"To sign in, use a web browser to open the page {where} and enter the code {shown} to authenticate.",
    )
    return Answer(200, [JSON, (b"cache-control", b"no-store")], msgspec.json.encode(body))


def _shown(user_code: str) -> str:
    middle = len(user_code) // 2
    return f"{user_code[:middle]}-{user_code[middle:]}"


async def get_device(call: ManagementCall, parts: Parts) -> Answer:
    """The page where a person types the code of their program."""
    authority = await _whichever(call)
    return show(call, "device_code.html", _around(parts, authority, ""), user_code="")


async def post_device(call: ManagementCall, parts: Parts) -> Answer:
    """A step of it: the code, the sign-in, and whether it shall be."""
    form = await read_form(call, parts)
    expect_own_form(call, form)
    authority, step = await _whichever(call), form.get("step")
    if step == "code":
        return await _take_code(call, parts, authority, form.get("user_code", ""))
    user_code = parse_user_code(call.request.query("user_code") or "")
    if step in {"confirm", "decline"}:
        present = expect_signed_in(await present_of(call, parts, authority))
        return await _decide(call, user_code, present, confirmed=step == "confirm")
    entered = await take_step(call, parts, form, _around(parts, authority, user_code))
    return entered if isinstance(entered, Answer) else await ask(call, parts, authority, user_code, entered)


async def _whichever(call: ManagementCall) -> Authority:
    tenant = find_tenant(await call.doors.read(queries.tenants), "common")
    if tenant is None:
        raise refused(Aadsts.TENANT_UNKNOWN, tenant="common")
    return Authority(tenant, "common", call.origin)


def _around(parts: Parts, authority: Authority, user_code: str) -> Around:
    query = f"?user_code={quote(user_code)}" if user_code else ""
    provider = "" if parts.provider is None else parts.provider.name
    return Around(authority, f"{PATH}{query}", "to sign in a program on another device", provider=provider)


async def _take_code(call: ManagementCall, parts: Parts, authority: Authority, typed: str) -> Answer:
    """Whoever guesses is slowed down, by where they are."""
    user_code = parse_user_code(typed)
    attempt = Attempt(f"device codes at {call.request.client}", call.request.client)
    error = ""
    try:
        await count(parts, attempt)
    except Problem as problem:
        error = describe(problem)
    if error or not user_code or await call.doors.read(devices.find, user_code, call.now()) is None:
        failed(call, typed, None, "device_code", "CODE_UNKNOWN" if not error else Aadsts.LOCKED.name)
        around = _around(parts, authority, "")
        return show(call, "device_code.html", around, 400, error=error or _UNKNOWN, user_code=typed[:16])
    await call.doors.write(lockout.note_success, attempt)
    present = await present_of(call, parts, authority)
    if present is None:
        return show_password(call, _around(parts, authority, user_code))
    return await ask(call, parts, authority, user_code, Entered(present))


async def ask(call: ManagementCall, parts: Parts, authority: Authority, user_code: str, entered: Entered) -> Answer:
    """The page that asks somebody who is signed in whether the program shall be."""
    row = await call.doors.read(devices.find, user_code, call.now())
    around = _around(parts, authority, user_code)
    if row is None:
        answer = show(call, "device_code.html", _around(parts, authority, ""), 400, error=_UNKNOWN, user_code="")
    else:
        answer = show(
            call,
            "device_confirm.html",
            around,
            application=await call.doors.read(_name_of, row.client_id),
            user_code=_shown(user_code),
            username=entered.present.person.upn or "",
        )
    answer.headers = [*answer.headers, *entered.cookies]
    return answer


def _name_of(tx: Connection, client_id: str) -> str:
    if client_id in FIRST_PARTY:
        return FIRST_PARTY[client_id]
    application = queries.application_by_client_id(tx, client_id)
    return client_id if application is None else application.name


async def _decide(call: ManagementCall, user_code: str, present: Present, *, confirmed: bool) -> Answer:
    if not confirmed:
        await call.doors.write(devices.decline, user_code, call.now())
        return page("done.html", heading="Cancelled", text="The program was not signed in. You can close this page.")
    person, credential = present.person, present.session.credential
    if await call.doors.write(devices.confirm, user_code, person.id, credential, call.now()):
        signed_in(call, person.id, "device_code", credential)
        return page("done.html", heading="Done", text="The program is signed in. You can close this page.")
    return page("done.html", 400, heading="Too late", text=_UNKNOWN)
