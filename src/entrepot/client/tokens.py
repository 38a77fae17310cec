"""Tokens of a registry for an account, as docker gets them (ACR-REFERENCE 4).

A token of the directory is exchanged for one of the registry, and that for one with a scope.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec

from entrepot.client.account import REGISTRY_SCOPE, Account, renew, token_for
from entrepot.client.content import Content
from entrepot.client.http import Answer, Http, Request, read, refused

_FORM: Final = {"content-type": "application/x-www-form-urlencoded"}


def content_of(http: Http, account: Account, login_server: str, now: Callable[[], float] = time.time) -> Content:
    """A registry as an account sees it."""
    url = f"{urlsplit(account.endpoint).scheme}://{login_server}"
    return Content(http, url, Tokens(http, account, url, login_server, now).authorization)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Those of one account for one registry, each asked for once."""

    http: Http
    account: Account
    url: str
    login_server: str
    now: Callable[[], float]
    _known: dict[str, str] = field(default_factory=dict[str, str], repr=False)

    def authorization(self, scope: str) -> str:
        """Also for an account without the right: the request itself then says what is missing.

        Raises Refused, SignInNeeded, Unreachable, Unreadable.
        """
        token = self._known.get(scope)
        if token is None:
            form = {"grant_type": "refresh_token", "service": self.login_server, "refresh_token": self._exchanged()}
            token = self._known[scope] = read(
                _good(self._post("token", {**form, "scope": scope})), _Access
            ).access_token
        return f"Bearer {token}"

    def _exchanged(self) -> str:
        """A token of the directory that was revoked is replaced once."""
        answer = self._exchange(token_for(self.http, self.account, REGISTRY_SCOPE, self.now()))
        if answer.status == HTTPStatus.UNAUTHORIZED:
            answer = self._exchange(renew(self.http, self.account, REGISTRY_SCOPE, self.now()))
        return read(_good(answer), _Refresh).refresh_token

    def _exchange(self, token: str) -> Answer:
        form = {"grant_type": "access_token", "service": self.login_server, "access_token": token}
        return self._post("exchange", form)

    def _post(self, what: str, form: dict[str, str]) -> Answer:
        return self.http.send(Request("POST", f"{self.url}/oauth2/{what}", _FORM, urlencode(form).encode()))


def _good(answer: Answer) -> Answer:
    """Raises Refused."""
    no = refused(answer)
    if no is not None:
        raise no
    return answer


class _Access(msgspec.Struct):
    access_token: str


class _Refresh(msgspec.Struct):
    refresh_token: str
