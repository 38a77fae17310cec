"""How the directory says no: numbers that clients know, as OAuth's JSON to programs and as a page to people.

Spec: RFC 6749 section 5.2; Microsoft identity platform, "AADSTS error codes".
"""

from datetime import UTC, datetime
from enum import IntEnum
from typing import Final, NamedTuple

import msgspec

from entrepot.errors import Kind, Problem
from entrepot.gate.problems import WORDINGS
from entrepot.gate.problems import render as render_elsewhere
from entrepot.oauth.directory.pages import page
from entrepot.web.answer import JSON, Answer, header
from entrepot.web.request import Request

_PAGES: Final = ("/authorize", "/logout", "/devicelogin", "/single-sign-on", "/single-sign-on/callback")
_APP_SERVICE: Final = "/msi/token"
_ID_LIMIT: Final = 64
_TEXT_LIMIT: Final = 1024


class Aadsts(IntEnum):
    """Microsoft's number of a refusal."""

    ASSERTION_AUDIENCE = 700023
    ASSERTION_INVALID = 50027
    ASSERTION_SIGNATURE = 700027
    ASSERTION_TIME = 700024
    CLIENT_DISABLED = 7000112
    CLIENT_UNKNOWN = 700016
    CODE_CHALLENGE_MISSING = 9002325
    CODE_INVALID = 70000
    CODE_USED = 54005
    CODE_VERIFIER_WRONG = 501481
    CONSENT_REQUIRED = 65001
    CREDENTIAL_MISSING = 7000218
    DECLINED = 65004
    DEVICE_EXPIRED = 70019
    DEVICE_PENDING = 70016
    DEVICE_TOO_FAST = 50196
    FEDERATION_AUDIENCE = 700212
    FEDERATION_ISSUER = 700211
    FEDERATION_NONE = 70021
    FEDERATION_SUBJECT = 700213
    FIELD_INVALID = 9002313
    FIELD_MISSING = 900144
    FLOW_EXPIRED = 50089
    GRANT_UNSUPPORTED = 70003
    LOCKED = 50053
    LOGIN_REQUIRED = 50058
    OUTSIDE_DOWN = 90006
    OUTSIDE_REFUSED = 50020
    PASSWORD_EXPIRED = 50055
    PASSWORD_WRONG = 50126
    PERSON_DISABLED = 50057
    REDIRECT_UNKNOWN = 50011
    REFRESH_REVOKED = 50173
    RESOURCE_UNKNOWN = 500011
    RESPONSE_UNSUPPORTED = 700054
    SCOPE_INVALID = 70011
    SECOND_FACTOR = 50076
    SECRET_EXPIRED = 7000222
    SECRET_WRONG = 7000215
    SERVER_FAILED = 90033
    TENANT_UNKNOWN = 90002
    THROTTLED = 90055


class Saying(NamedTuple):
    """OAuth's word for a refusal, its status, and what it says; details go into the braces."""

    error: str
    status: int
    text: str


SAYINGS: Final[dict[Aadsts, Saying]] = {
    Aadsts.ASSERTION_AUDIENCE: Saying(
        "invalid_client", 401, "The client assertion's audience is not this token endpoint."
    ),
    Aadsts.ASSERTION_INVALID: Saying("invalid_client", 401, "The client assertion cannot be used: {reason}"),
    Aadsts.ASSERTION_SIGNATURE: Saying(
        "invalid_client", 401, "The client assertion was not signed by a certificate of this application."
    ),
    Aadsts.ASSERTION_TIME: Saying("invalid_client", 401, "The client assertion is not within its valid time range."),
    Aadsts.CLIENT_DISABLED: Saying("unauthorized_client", 401, "The application '{client}' is disabled."),
    Aadsts.CLIENT_UNKNOWN: Saying(
        "unauthorized_client", 400, "Application with identifier '{client}' was not found in the directory '{tenant}'."
    ),
    Aadsts.CODE_CHALLENGE_MISSING: Saying(
        "invalid_request", 400, "Proof Key for Code Exchange is required: code_challenge, and S256 as its method."
    ),
    Aadsts.CODE_INVALID: Saying(
        "invalid_grant", 400, "The provided value for the input parameter '{field}' is not valid."
    ),
    Aadsts.CODE_USED: Saying("invalid_grant", 400, "The authorization code was already redeemed."),
    Aadsts.CODE_VERIFIER_WRONG: Saying(
        "invalid_grant", 400, "The code_verifier does not match the code_challenge of the authorization request."
    ),
    Aadsts.CONSENT_REQUIRED: Saying(
        "invalid_grant", 400, "Nobody has agreed that this application uses '{resource}': sign in again for it."
    ),
    Aadsts.CREDENTIAL_MISSING: Saying(
        "invalid_client", 401, "The request body must contain the parameter 'client_assertion' or 'client_secret'."
    ),
    Aadsts.DECLINED: Saying("authorization_declined", 400, "The sign-in was declined."),
    Aadsts.DEVICE_EXPIRED: Saying("expired_token", 400, "The device code has expired: start again."),
    Aadsts.DEVICE_PENDING: Saying(
        "authorization_pending", 400, "The sign-in is pending. Continue polling until its person has confirmed it."
    ),
    Aadsts.DEVICE_TOO_FAST: Saying("slow_down", 400, "Ask again after the interval."),
    Aadsts.FEDERATION_AUDIENCE: Saying("invalid_client", 401, "{reason}"),
    Aadsts.FEDERATION_ISSUER: Saying("invalid_client", 401, "{reason}"),
    Aadsts.FEDERATION_SUBJECT: Saying("invalid_client", 401, "{reason}"),
    Aadsts.FEDERATION_NONE: Saying(
        "invalid_client", 401, "No matching federated identity record found for the presented assertion. {reason}"
    ),
    Aadsts.FIELD_INVALID: Saying("invalid_request", 400, "The request is malformed or invalid: {reason}"),
    Aadsts.FIELD_MISSING: Saying(
        "invalid_request", 400, "The request body must contain the following parameter: '{field}'."
    ),
    Aadsts.FLOW_EXPIRED: Saying(
        "invalid_request",
        400,
        "This sign-in took too long, began on another browser, or has ended: go back to your program and begin again.",
    ),
    Aadsts.GRANT_UNSUPPORTED: Saying(
        "unsupported_grant_type", 400, "The grant type '{grant}' is not supported, or it is turned off here."
    ),
    Aadsts.LOCKED: Saying(
        "invalid_grant", 400, "Too many sign-ins have failed. Wait {seconds} seconds, and try again."
    ),
    Aadsts.LOGIN_REQUIRED: Saying("login_required", 400, "Nobody is signed in on this browser."),
    Aadsts.OUTSIDE_DOWN: Saying(
        "temporarily_unavailable",
        503,
        "The directory or identity provider that vouches for you does not answer: try again later.",
    ),
    Aadsts.OUTSIDE_REFUSED: Saying("invalid_grant", 400, "You cannot sign in here with this account: {reason}."),
    Aadsts.PASSWORD_EXPIRED: Saying(
        "invalid_grant", 400, "The password must be changed first: sign in once with a browser."
    ),
    Aadsts.PASSWORD_WRONG: Saying("invalid_grant", 400, "Error validating credentials: wrong user name or password."),
    Aadsts.PERSON_DISABLED: Saying("invalid_grant", 400, "The user account is disabled."),
    Aadsts.REDIRECT_UNKNOWN: Saying(
        "invalid_request", 400, "The redirect URI of the request is not one that the application '{client}' has."
    ),
    Aadsts.REFRESH_REVOKED: Saying("invalid_grant", 400, "The grant has expired or was revoked: sign in again."),
    Aadsts.RESOURCE_UNKNOWN: Saying(
        "invalid_resource", 400, "The resource principal named '{resource}' was not found in the directory."
    ),
    Aadsts.RESPONSE_UNSUPPORTED: Saying(
        "unsupported_response_type", 400, "Use the response type 'code' and the response mode 'query' or 'form_post'."
    ),
    Aadsts.SCOPE_INVALID: Saying("invalid_scope", 400, "The provided value for the scope is not valid: {reason}"),
    Aadsts.SECOND_FACTOR: Saying(
        "interaction_required", 400, "This account needs a second factor: sign in with a browser or a device code."
    ),
    Aadsts.SECRET_EXPIRED: Saying("invalid_client", 401, "The provided client secret keys for app are expired."),
    Aadsts.SECRET_WRONG: Saying(
        "invalid_client",
        401,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not"
        " the client secret ID, for the application '{client}'.",
    ),
    Aadsts.SERVER_FAILED: Saying("temporarily_unavailable", 503, "The directory does not answer: try again."),
    Aadsts.TENANT_UNKNOWN: Saying("invalid_request", 400, "Tenant '{tenant}' not found."),
    Aadsts.THROTTLED: Saying("temporarily_unavailable", 429, "Too many sign-ins at once: try again."),
}


class _Error(msgspec.Struct):
    error: str
    error_description: str
    error_codes: list[int]
    timestamp: str
    trace_id: str
    correlation_id: str


class _IdentityError(_Error):
    """With App Service's two members: MSAL, and so az, says nothing but them."""

    status: int = msgspec.field(name="statusCode", default=0)
    message: str = ""


def refused(number: Aadsts, **detail: str | int) -> Problem:
    """The refusal of this number; ``detail`` fills its text."""
    kind = Kind.UNAUTHENTICATED if SAYINGS[number].status in {401, 403} else Kind.REQUEST_INVALID
    return Problem(kind, aadsts=number.value, **{name: _short(value) for name, value in detail.items()})


def number_of(problem: Problem) -> Aadsts:
    """Of any problem, also of those that other rooms raise."""
    found = problem.detail.get("aadsts")
    if found is not None:
        return Aadsts(int(found))
    match WORDINGS[problem.kind].status:
        case 429:
            return Aadsts.THROTTLED
        case status if status >= 500:  # noqa: PLR2004  ours, not the caller's
            return Aadsts.SERVER_FAILED
        case _:
            return Aadsts.FIELD_INVALID


def describe(problem: Problem) -> str:
    """What a refusal says, without its number."""
    detail = {"reason": WORDINGS[problem.kind].message} | problem.detail
    return SAYINGS[number_of(problem)].text.format_map(_Blank(detail))


def render(problem: Problem, request: Request) -> Answer:
    """OAuth's error body, or a page where a person looks at it."""
    if problem.kind in {Kind.ROUTE_UNKNOWN, Kind.METHOD_NOT_ALLOWED}:
        return render_elsewhere(problem, request)
    number = number_of(problem)
    saying, text = SAYINGS[number], describe(problem)
    status = saying.status if "aadsts" in problem.detail else WORDINGS[problem.kind].status
    if request.path.endswith(_PAGES):
        return page("refused.html", status, text=text, number=number.value, request_id=request.id)
    body = _Error(
        error=saying.error,
        error_description=f"AADSTS{number.value}: {text} Trace ID: {request.id}",
        error_codes=[number.value],
        timestamp=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
        trace_id=request.id,
        correlation_id=(request.header(b"client-request-id") or request.id)[:_ID_LIMIT],
    )
    if request.path == _APP_SERVICE:
        body = _IdentityError(*msgspec.structs.astuple(body), status=status, message=body.error_description)
    headers = [JSON, (b"cache-control", b"no-store"), (b"pragma", b"no-cache")]
    if status in {429, 503}:
        headers.append(header(b"retry-after", str(problem.detail.get("retry_after", 1))))
    return Answer(status, headers, msgspec.json.encode(body))


class _Blank(dict[str, str | int]):
    """What a text names and a problem does not tell is left out."""

    def __missing__(self, key: str) -> str:
        return ""


def _short(value: str | int) -> str | int:
    """What came from outside, fit for one line."""
    if isinstance(value, int):
        return value
    return "".join(letter if letter.isprintable() else "?" for letter in value[:_TEXT_LIMIT])
