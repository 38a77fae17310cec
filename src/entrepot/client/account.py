"""Who calls a deployment, and the tokens that the directory gives for it. Spec: RFC 6749, RFC 8628."""

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from entrepot.client.http import Answer, Http, Request, read, refused
from entrepot.client.refusals import Refused, SignInNeeded

# The directory knows it as a program of ours, which people need not agree to.
CLIENT_ID: Final = "7c0b4a3e-52f1-4d0e-9f0b-6d3c1e8a9b25"
REGISTRY_SCOPE: Final = "https://containerregistry.azure.net/.default"
_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_OFFLINE: Final = "openid profile offline_access"
# A token that ends while a request is under way is of no use.
_MARGIN_SECONDS: Final = 60
_FORM: Final = {"content-type": "application/x-www-form-urlencoded"}


class Token(msgspec.Struct):
    """``ends``: seconds since 1970."""

    value: str
    ends: float

    def __repr__(self) -> str:
        return f"Token(ends={self.ends})"


class Account(msgspec.Struct, rename="camel", omit_defaults=True):
    """A sign-in, as it is kept: an application with its secret, or a person with a refresh token.

    ``ca``: certificates, PEM, of the deployment's own CA. ``tokens``: by scope.
    """

    endpoint: str
    client_id: str
    tenant: str = "common"
    client_secret: str | None = None
    refresh_token: str | None = None
    ca: str | None = None
    tokens: dict[str, Token] = {}

    def __repr__(self) -> str:
        return f"Account(endpoint={self.endpoint!r}, client_id={self.client_id!r})"

    @property
    def management_scope(self) -> str:
        return f"{self.endpoint}/.default"

    @property
    def is_person(self) -> bool:
        return self.client_secret is None


class DeviceCode(msgspec.Struct):
    """``message``: what a person has to do. Seconds."""

    device_code: str
    user_code: str
    verification_uri: str
    message: str
    expires_in: int
    interval: int = 5

    def __repr__(self) -> str:
        return f"DeviceCode(user_code={self.user_code!r})"


class _Given(msgspec.Struct):
    access_token: str
    expires_in: float
    refresh_token: str | None = None


def token_for(http: Http, account: Account, scope: str, now: float) -> str:
    """A token that is good now; the account keeps it. Raises SignInNeeded, Refused, Unreachable."""
    known = account.tokens.get(scope)
    if known is not None and known.ends - _MARGIN_SECONDS > now:
        return known.value
    return renew(http, account, scope, now)


def renew(http: Http, account: Account, scope: str, now: float) -> str:
    """A new token, which the account keeps. Raises SignInNeeded, Refused, Unreachable."""
    form = {"client_id": account.client_id, "scope": scope}
    if account.client_secret is not None:
        form |= {"grant_type": "client_credentials", "client_secret": account.client_secret}
    elif account.refresh_token is not None:
        form |= {"grant_type": "refresh_token", "refresh_token": account.refresh_token}
    else:
        raise SignInNeeded("nothing is kept to sign in with")
    answer = _post(http, account, "token", form)
    no = refused(answer)
    if no is not None:
        raise _told(no)
    return _keep(account, scope, read(answer, _Given), now)


def begin_device_code(http: Http, account: Account) -> DeviceCode:
    """A code for a person to type on a page of the deployment. Raises Refused, Unreachable."""
    form = {"client_id": account.client_id, "scope": f"{account.management_scope} {_OFFLINE}"}
    answer = _post(http, account, "devicecode", form)
    no = refused(answer)
    if no is not None:
        raise no
    return read(answer, DeviceCode)


def await_person(http: Http, account: Account, code: DeviceCode, pause: Callable[[float], None] = time.sleep) -> None:
    """Wait until the person has signed in; the account then has their refresh token. Raises SignInNeeded, Refused."""
    interval, left = float(code.interval), float(code.expires_in)
    form = {"client_id": account.client_id, "grant_type": _DEVICE_GRANT, "device_code": code.device_code}
    while left > 0:
        pause(interval)
        left -= interval
        answer = _post(http, account, "token", form)
        no = refused(answer)
        if no is None:
            _keep(account, account.management_scope, read(answer, _Given), time.time())
            return
        if no.code == "slow_down":
            interval += 5
        elif no.code != "authorization_pending":
            raise SignInNeeded(no.message)
    raise SignInNeeded("the code has expired")


def _post(http: Http, account: Account, what: str, form: dict[str, str]) -> Answer:
    url = f"{account.endpoint}/{quote(account.tenant, safe='')}/oauth2/v2.0/{what}"
    return http.send(Request("POST", url, _FORM, urlencode(form).encode()))


def _keep(account: Account, scope: str, given: _Given, now: float) -> str:
    account.tokens[scope] = Token(given.access_token, now + given.expires_in)
    if given.refresh_token is not None:
        account.refresh_token = given.refresh_token
    return given.access_token


def _told(no: Refused) -> Refused | SignInNeeded:
    """A directory that fails is not one that refuses."""
    is_ours = no.status in {400, 401, 403}
    return SignInNeeded(no.message) if is_ours else no
