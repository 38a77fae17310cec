"""Signing out of this browser. Nothing is redirected: whoever sends somebody here learns nothing by it."""

from entrepot.gate.management import ManagementCall
from entrepot.identities.signing_in.handles import take_back
from entrepot.oauth.directory.cookies import Cookie, drop_cookie, expect_own_form, read_cookie
from entrepot.oauth.directory.forms import read_form
from entrepot.oauth.directory.pages import page
from entrepot.oauth.directory.parts import Parts
from entrepot.oauth.directory.sign_in import Around, session_of, show
from entrepot.oauth.directory.tenants import authority_of
from entrepot.web.answer import Answer


async def get_sign_out(call: ManagementCall, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """The page that asks whether; a link of another site must not do it."""
    authority = await authority_of(call)
    present = await session_of(call, authority)
    if present is None:
        return _signed_out()
    return show(call, "sign_out.html", Around(authority, call.request.path, ""), username=present.person.upn or "")


async def post_sign_out(call: ManagementCall, parts: Parts) -> Answer:
    """Ends the session of this browser."""
    await authority_of(call)
    expect_own_form(call, await read_form(call, parts))
    await call.doors.write(take_back, read_cookie(call, Cookie.SESSION))
    answer = _signed_out()
    answer.headers = [*answer.headers, drop_cookie(call, Cookie.SESSION)]
    return answer


def _signed_out() -> Answer:
    return page("done.html", heading="Signed out", text="Nobody is signed in on this browser.")
