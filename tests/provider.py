"""An outside OpenID Connect provider on loopback, over TLS: code flow with PKCE, refresh tokens that rotate, userinfo.

It has no page: ``arrives`` is what its page would do for somebody who signs in. It can also err and lie, which real
ones cannot be made to (tests/dex.py has a real one).

    with outside_provider(ca, clock) as provider:
        callback = provider.arrives(location, sub="ada", email="ada@example.org", groups=["developers"])
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from tests.issuer import OutsideIssuer
from tests.outside import Asked, Authority, answer, ok_json, serving

CLIENT_ID = "the registry"
CLIENT_SECRET = "a secret: with % and +"


@dataclass
class _Granted:
    claims: dict[str, Any]
    query: dict[str, str] = field(default_factory=dict)


@dataclass
class OutsideProvider:
    """What a test may change is what a test may set: the next request sees it."""

    issuer: OutsideIssuer
    clock: Callable[[], datetime]
    id_token: dict[str, Any] = field(default_factory=dict)  # members that replace the right ones
    userinfo: dict[str, Any] = field(default_factory=dict)
    refresh: bool = True  # whether it gives refresh tokens
    down: int = 0  # a status in place of every answer of the token endpoint
    refusal: str = ""  # an error in place of every token
    gone: set[str] = field(default_factory=set)  # subjects that it does not know any more
    people: dict[str, dict[str, Any]] = field(default_factory=dict)  # claims by subject, as they are now
    renewals: int = 0
    forgetful: bool = False  # takes a code again and again
    codes: dict[str, _Granted] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)  # refresh token -> subject

    def arrives(self, location: str, *, state: str | None = None, **claims: Any) -> str:  # noqa: ANN401  any claims
        """Somebody signs in on the page at ``location``; where the browser goes then, as a path."""
        query = _once(urlsplit(location).query)
        assert (query["client_id"], query["response_type"]) == (CLIENT_ID, "code")
        code = secrets.token_urlsafe(16)
        self.people[claims["sub"]] = claims
        self.codes[code] = _Granted(claims, query)
        back = urlsplit(query["redirect_uri"])
        return f"{back.path}?{urlencode({'code': code, 'state': query['state'] if state is None else state})}"

    def answering(self, asked: Asked) -> Iterable[bytes]:
        if asked.target == "/token" and self.down:
            return answer(self.down, b"something private")
        if asked.target == "/token" and self.refusal:
            return _refusal(self.refusal)
        if asked.target == "/token":
            return self._token(asked)
        if asked.target == "/userinfo":
            return ok_json(self.userinfo)
        return self.issuer.answering(asked)

    def _token(self, asked: Asked) -> list[bytes]:
        form = _once(asked.body.decode())
        kind, _, pair = asked.headers["authorization"].partition(" ")
        user, _, password = base64.b64decode(pair).decode().partition(":")
        assert (kind, unquote(user), unquote(password)) == ("Basic", CLIENT_ID, CLIENT_SECRET)
        if form["grant_type"] == "refresh_token":
            return self._renew(form)
        granted = self.codes.get(form["code"]) if self.forgetful else self.codes.pop(form["code"], None)
        if granted is None or not _fits(form, granted.query):
            return _refusal("invalid_grant")
        return self._give({**granted.claims, "nonce": granted.query["nonce"]})

    def _renew(self, form: Mapping[str, str]) -> list[bytes]:
        self.renewals += 1
        subject = self.tokens.pop(form["refresh_token"], None)
        if subject is None or subject in self.gone:
            return _refusal("invalid_grant")
        return self._give(self.people[subject])

    def _give(self, claims: Mapping[str, Any]) -> list[bytes]:
        said = {"aud": CLIENT_ID, **claims, **self.id_token}
        given: dict[str, Any] = {"access_token": "opaque", "token_type": "Bearer"}
        given["id_token"] = self.issuer.token(said, now=self.clock().timestamp())
        if self.refresh:
            given["refresh_token"] = secrets.token_urlsafe(16)
            self.tokens[given["refresh_token"]] = claims["sub"]
        return ok_json(given)


def _refusal(error: str) -> list[bytes]:
    return answer(400, b'{"error": "%s"}' % error.encode(), {"content-type": "application/json"})


def _fits(form: Mapping[str, str], query: Mapping[str, str]) -> bool:
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return (challenge, form["redirect_uri"]) == (query["code_challenge"], query["redirect_uri"])


def _once(query: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(query).items()}


@contextmanager
def outside_provider(ca: Authority, clock: Callable[[], datetime]) -> Iterator[OutsideProvider]:
    """Runs while the block lasts."""
    made: list[OutsideProvider] = []

    def answering(asked: Asked) -> Iterable[bytes]:
        return made[0].answering(asked)

    with serving(answering, ca.server) as server:
        url = f"https://{server.place}"
        endpoints = {
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "userinfo_endpoint": f"{url}/userinfo",
        }
        issuer = OutsideIssuer(url, server, discovery=endpoints)
        issuer.rotate()
        made.append(OutsideProvider(issuer, clock))
        yield made[0]
