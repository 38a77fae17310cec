"""From a registry's challenge to an ``Authorization`` header.

Credentials go to the registry itself, or to a token server of its own domain, over https. A registry that sends its
clients elsewhere gets none: whoever can write its answers could collect passwords so.
"""

import base64
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec

from entrepot.outbound.addresses import literal_of
from entrepot.outbound.client import Outbound
from entrepot.outbound.model import Request
from entrepot.remote.challenge import Challenge
from entrepot.remote.place import AUTHORITY, RemotePlace
from entrepot.remote.problems import failed

# The user name of whoever signs in to an Azure registry with a token alone.
TOKEN_USER: Final = "00000000-0000-0000-0000-000000000000"  # noqa: S105  a user name
_ANSWER_LIMIT: Final = 256 * 1024
_TOKEN_LIMIT: Final = 32 * 1024
_SECONDS: Final = 30.0
_LABELS: Final = 2
# So strict that no two readers of URLs can find different hosts in one.
_REALM: Final = re.compile(
    rf"https://(?P<authority>{AUTHORITY})(?:/[A-Za-z0-9/._~%-]*)?(?P<query>\?[A-Za-z0-9/._~%=&:-]*)?"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Of an account at the other registry."""

    user_name: str
    password: str = field(repr=False)

    def basic(self) -> str:
        pair = f"{self.user_name or TOKEN_USER}:{self.password}"
        return "Basic " + base64.b64encode(pair.encode()).decode()


class _Token(msgspec.Struct):
    token: str | None = None
    access_token: str | None = None


def authorize(outbound: Outbound, place: RemotePlace, credentials: Credentials | None, asked: list[Challenge]) -> str:
    """The header that answers one of these challenges. Raises SOURCE_FAILED, OutboundError."""
    for challenge in asked:
        if challenge.scheme == "bearer" and "realm" in challenge.params:
            return "Bearer " + _fetch_token(outbound, place, credentials, challenge)
    if credentials is None:
        raise failed(place, "wants its clients to sign in: give a user name and a password with the source")
    if any(challenge.scheme == "basic" for challenge in asked):
        return credentials.basic()
    raise failed(place, "asks for a way of signing in that is neither Bearer nor Basic")


def _fetch_token(outbound: Outbound, place: RemotePlace, credentials: Credentials | None, challenge: Challenge) -> str:
    # The scope is ours to name: an answer shall not make us ask for more than we are after.
    fields = {"scope": f"repository:{place.repository}:pull"}
    if "service" in challenge.params:
        fields["service"] = challenge.params["service"]
    realm = challenge.params["realm"]
    host = _expect_realm(place, realm, has_credentials=credentials is not None)
    headers = {"accept": "application/json"}
    if credentials is not None:
        headers["authorization"] = credentials.basic()
    url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(fields)}"
    answer = outbound.send(Request("GET", url, headers, seconds=_SECONDS, limit=_ANSWER_LIMIT))
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        what = "refused the credentials" if credentials else "gives nothing to whoever does not sign in"
        raise failed(place, f"{what} ({host} answered {answer.status}): check the user name and the password")
    if answer.status != HTTPStatus.OK:
        raise failed(place, f"gave no token: {host} answered {answer.status}", status=answer.status)
    return _token_in(place, answer.body)


def _expect_realm(place: RemotePlace, realm: str, *, has_credentials: bool) -> str:
    """Its host. Raises SOURCE_FAILED for one that is no https URL, or that credentials may not go to."""
    found = _REALM.fullmatch(realm)
    if found is None:
        raise failed(place, "names a place to sign in that is no plain https URL")
    host = _host_of(found["authority"])
    if has_credentials and not _is_of(_host_of(place.host), host):
        raise failed(place, f"sends its clients to sign in at {host}: credentials are not sent to another domain")
    return host


def _host_of(authority: str) -> str:
    return urlsplit(f"//{authority}").hostname or ""


def _is_of(registry: str, realm: str) -> bool:
    """The same host, or one of the same domain: ``auth.docker.io`` for ``registry-1.docker.io``."""
    if realm == registry:
        return True
    if literal_of(registry) is not None or literal_of(realm) is not None:
        return False
    domain = registry.partition(".")[2]
    if domain.count(".") < _LABELS - 1:
        domain = registry
    return realm == domain or realm.endswith("." + domain)


def _token_in(place: RemotePlace, body: bytes) -> str:
    try:
        found = msgspec.json.decode(body, type=_Token)
    except (msgspec.DecodeError, RecursionError):
        raise failed(place, "gave no token: what its token server says is not JSON") from None
    token = found.token or found.access_token or ""
    if not token or len(token) > _TOKEN_LIMIT or not token.isascii() or not token.isprintable() or " " in token:
        raise failed(place, "gave no token that can be sent")
    return token
