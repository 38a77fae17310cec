"""Cookies of the sign-in pages. Spec: RFC 6265bis, the ``__Host-`` prefix: no other host and no path can set them.

A form is ours when it carries a hash of the browser's own cookie: another site can neither read nor set that one.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta
from enum import StrEnum
from typing import Final

from entrepot.gate.management import ManagementCall
from entrepot.identities.signing_in.handles import LIVES, Handle
from entrepot.oauth.directory.problems import Aadsts, refused
from entrepot.web.answer import header

_LIMIT: Final = 256


class Cookie(StrEnum):
    """What the browser keeps for us."""

    FORM = "form"
    SESSION = "session"
    BROWSER = "browser"


_LIVES: Final[dict[Cookie, timedelta | None]] = {
    Cookie.FORM: None,  # as long as the browser is open
    Cookie.SESSION: None,
    Cookie.BROWSER: LIVES[Handle.BROWSER],
}


def read_cookie(call: ManagementCall, cookie: Cookie) -> str:
    """Its value; empty when there is none. One that stands twice is none of ours."""
    wanted = _name(call, cookie)
    pairs = (pair.strip().partition("=") for line in call.request.headers(b"cookie") for pair in line.split(";"))
    found = [value for name, _, value in pairs if name == wanted]
    return found[0] if len(found) == 1 and len(found[0]) <= _LIMIT else ""


def set_cookie(call: ManagementCall, cookie: Cookie, value: str) -> tuple[bytes, bytes]:
    life = _LIVES[cookie]
    age = "" if life is None else f"; Max-Age={int(life.total_seconds())}"
    return header(b"set-cookie", f"{_name(call, cookie)}={value}; Path=/; HttpOnly; SameSite=Lax{_secure(call)}{age}")


def drop_cookie(call: ManagementCall, cookie: Cookie) -> tuple[bytes, bytes]:
    return header(b"set-cookie", f"{_name(call, cookie)}=; Path=/; HttpOnly; SameSite=Lax{_secure(call)}; Max-Age=0")


def form_token(call: ManagementCall) -> tuple[str, list[tuple[bytes, bytes]]]:
    """What a form must carry, and the cookie to set when the browser has none yet."""
    value = read_cookie(call, Cookie.FORM)
    if value:
        return _token_of(value), []
    value = secrets.token_urlsafe(32)
    return _token_of(value), [set_cookie(call, Cookie.FORM, value)]


def browser_token(call: ManagementCall) -> str:
    """What tells this browser from others; empty for one that keeps no cookie of ours."""
    value = read_cookie(call, Cookie.FORM)
    return _token_of(value) if value else ""


def expect_own_form(call: ManagementCall, form: dict[str, str]) -> None:
    """Raises a refusal for a form that another site sent."""
    value, origin = read_cookie(call, Cookie.FORM), call.request.header(b"origin")
    is_ours = bool(value) and hmac.compare_digest(_token_of(value).encode(), form.get("csrf", "").encode())
    if not is_ours or origin not in {None, call.origin}:
        raise refused(Aadsts.FIELD_INVALID, reason="the page is too old, or cookies are off. Go back and try again.")


def _token_of(value: str) -> str:
    return hashlib.sha256(f"form {value}".encode()).hexdigest()


def _name(call: ManagementCall, cookie: Cookie) -> str:
    return f"__Host-entrepot-{cookie}" if call.site.scheme == "https" else f"entrepot-{cookie}"


def _secure(call: ManagementCall) -> str:
    return "; Secure" if call.site.scheme == "https" else ""
