"""Signing in through an outside OpenID Connect provider: where to send the browser, and what its code is worth.

Spec: OpenID Connect Core 1.0, sections 3.1 and 12; RFC 7636 (PKCE); RFC 9207 (``iss`` in the response); RFC 9700. The
endpoints and the keys are those of the issuer's discovery, read through the guarded client.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Final, TypeVar, cast
from urllib.parse import quote, urlencode

import msgspec

from entrepot.identities.external.model import Arrival, Asked, OutsideDownError, Outsider, OutsideRefusedError, Source
from entrepot.identities.federation.issuers import Discovery, Issuers
from entrepot.identities.federation.model import AssertionRefused, Claims, Reason, quoted
from entrepot.identities.federation.tokens import verify_of
from entrepot.outbound.client import Outbound
from entrepot.outbound.model import Answer, OutboundError, Request

T = TypeVar("T")

MAX_GROUPS: Final = 2000
_CALL_SECONDS: Final = 5.0
_ANSWER_LIMIT: Final = 512 * 1024
_NOT_NOW: Final = frozenset({Reason.ISSUER_UNREACHABLE, Reason.ISSUER_INVALID})
# The second is Dex's word for it. Others (invalid_client) are our own trouble and say nothing of a person.
_NOT_GRANTED: Final = frozenset({"invalid_grant", "invalid_request"})
_UNVERIFIED: Final = (False, "false")


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider, and what this server is to it. ``name``: for the button."""

    name: str
    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scopes: tuple[str, ...]
    user_claim: str
    groups_claim: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What a browser was sent to the provider with; what comes back has to fit it."""

    redirect_uri: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


class _Tokens(msgspec.Struct):
    access_token: str | None = None
    id_token: str | None = None
    refresh_token: str | None = None


class _Failure(msgspec.Struct):
    error: str = ""


class _NotGrantedError(Exception):
    """The provider takes the code or the refresh token for nothing (RFC 6749 section 5.2)."""


class RelyingParty:
    """The client of one provider. It calls out, so it runs in threads."""

    def __init__(self, provider: Provider, issuers: Issuers, outbound: Outbound) -> None:
        self.name = provider.name
        self._provider = provider
        self._issuers = issuers
        self._outbound = outbound

    def address(self, sent: Sent, state: str, now: datetime) -> str:
        """Where the browser goes. Raises OutsideDownError."""
        provider = self._provider
        digest = hashlib.sha256(sent.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": sent.redirect_uri,
            "scope": " ".join(dict.fromkeys(("openid", *provider.scopes))),
            "state": state,
            "nonce": sent.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        endpoint = _https(self._discovery(now).authorization_endpoint, "authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def expect_issuer(self, said: str | None, now: datetime) -> None:
        """An answer that names another issuer is of a provider that was mixed up with ours (RFC 9207).

        Raises OutsideRefusedError, OutsideDownError.
        """
        if said is None and not self._discovery(now).authorization_response_iss_parameter_supported:
            return
        if said != self._provider.issuer:
            raise OutsideRefusedError("the answer is of another provider", f"iss is {quoted(said or '')}")

    def redeem(self, code: str, sent: Sent, now: datetime) -> Arrival:
        """Who came back with the code. Raises OutsideRefusedError, OutsideDownError."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": sent.redirect_uri,
            "code_verifier": sent.verifier,
        }
        try:
            tokens = self._tokens(form, now)
        except _NotGrantedError:
            raise OutsideRefusedError("the provider does not know the code, or it was used before") from None
        if tokens.id_token is None:
            raise OutsideRefusedError("the provider gave no ID token")
        claims = self._claims(tokens.id_token, now)
        nonce = claims.texts.get("nonce", "")
        if not hmac.compare_digest(nonce.encode("utf-8", "surrogatepass"), sent.nonce.encode()):
            raise OutsideRefusedError("the ID token is of another sign-in", "its nonce is another one")
        return self._arrival(claims, tokens, now)

    def renew(self, asked: Asked, now: datetime) -> Arrival | None:
        """See ``Renews``."""
        try:
            tokens = self._tokens({"grant_type": "refresh_token", "refresh_token": asked.refresh or ""}, now)
        except _NotGrantedError:
            return None
        # OpenID Connect Core section 12.2: a refreshed ID token names the same subject, and may be left out.
        claims = None if tokens.id_token is None else self._claims(tokens.id_token, now)
        if claims is None:
            subject = asked.id.removeprefix(f"{self._provider.issuer} ")
            claims = Claims(self._provider.issuer, subject, (), {}, {"sub": subject})
        tokens.refresh_token = tokens.refresh_token or asked.refresh
        arrival = self._arrival(claims, tokens, now)
        if arrival.outsider.id != asked.id:
            raise OutsideRefusedError("the provider answered for somebody else", quoted(arrival.outsider.id))
        return arrival

    def _discovery(self, now: datetime) -> Discovery:
        try:
            return self._issuers.discovery(self._provider.issuer, now)
        except AssertionRefused as refused:
            raise OutsideDownError(f"{refused} {refused.detail}") from None

    def _tokens(self, form: dict[str, str], now: datetime) -> _Tokens:
        discovery = self._discovery(now)
        endpoint = _https(discovery.token_endpoint, "token_endpoint")
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        provider = self._provider
        if provider.client_secret is not None and _takes_basic(discovery):
            # RFC 6749 section 2.3.1: each is form-encoded before.
            pair = f"{quote(provider.client_id, safe='')}:{quote(provider.client_secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": provider.client_id}
            form |= {} if provider.client_secret is None else {"client_secret": provider.client_secret}
        answer = self._send(Request("POST", endpoint, headers, urlencode(form).encode(), _CALL_SECONDS, _ANSWER_LIMIT))
        if answer.status == HTTPStatus.OK:
            return _decoded(answer, _Tokens)
        said = _decoded(answer, _Failure).error if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR else ""
        if said in _NOT_GRANTED:
            raise _NotGrantedError
        raise OutsideDownError(f"the token endpoint answers {answer.status} {quoted(said)}")

    def _claims(self, id_token: str, now: datetime) -> Claims:
        """Of an ID token that is for us (OpenID Connect Core section 3.1.3.7)."""
        try:
            claims = verify_of(id_token, self._provider.issuer, self._issuers, now)
        except AssertionRefused as refused:
            if refused.reason in _NOT_NOW:
                raise OutsideDownError(f"{refused} {refused.detail}") from None
            raise OutsideRefusedError("the provider's ID token cannot be used", f"{refused} {refused.detail}") from None
        client_id = self._provider.client_id
        party = claims.members.get("azp", None if len(claims.audiences) > 1 else client_id)
        if client_id not in claims.audiences or party != client_id:
            raise OutsideRefusedError(
                "the provider's ID token is for another application", ", ".join(map(quoted, claims.audiences))
            )
        return claims

    def _arrival(self, claims: Claims, tokens: _Tokens, now: datetime) -> Arrival:
        provider, members = self._provider, claims.members
        _expect_all_groups(members, provider.groups_claim)
        if provider.user_claim not in members or provider.groups_claim not in members:
            members = {**self._userinfo(claims.subject, tokens.access_token, now), **members}
        if provider.user_claim == "email" and members.get("email_verified") in _UNVERIFIED:
            raise OutsideRefusedError("the provider has not verified your mail address")
        upn = _text(members.get(provider.user_claim))
        outsider = Outsider(
            id=f"{claims.issuer} {claims.subject}",
            upn=upn,
            name=_text(members.get("name")) or upn,
            groups=_groups(members.get(provider.groups_claim)),
        )
        return Arrival(Source.OIDC, outsider, refresh=tokens.refresh_token)

    def _userinfo(self, subject: str, access_token: str | None, now: datetime) -> Mapping[str, object]:
        """Further claims of the same person; none where the provider offers no such thing."""
        endpoint = self._discovery(now).userinfo_endpoint
        if endpoint is None or access_token is None:
            return {}
        headers = {"authorization": f"Bearer {access_token}", "accept": "application/json"}
        url = _https(endpoint, "userinfo_endpoint")
        answer = self._send(Request("GET", url, headers, seconds=_CALL_SECONDS, limit=_ANSWER_LIMIT))
        if answer.status != HTTPStatus.OK:
            raise OutsideDownError(f"the userinfo endpoint answers {answer.status}")
        members = _decoded(answer, dict[str, object])
        if members.get("sub") != subject:
            raise OutsideRefusedError("the provider answered for somebody else", "userinfo has another sub")
        return members

    def _send(self, request: Request) -> Answer:
        try:
            return self._outbound.send(request)
        except OutboundError as error:
            raise OutsideDownError(str(error)) from None


def _takes_basic(discovery: Discovery) -> bool:
    """Basic is what a provider takes that does not say (OpenID Connect Discovery section 3)."""
    methods = discovery.token_endpoint_auth_methods_supported
    return methods is None or "client_secret_basic" in methods or "client_secret_post" not in methods


def _https(url: str | None, what: str) -> str:
    if url is None or not url.startswith("https://"):
        raise OutsideDownError(f"the provider offers no {what} over https")
    return url


def _decoded(answer: Answer, wanted: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=wanted)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError):
        raise OutsideDownError(
            f"{quoted(answer.url)} answers {answer.status} with no JSON of the right shape"
        ) from None


def _expect_all_groups(members: Mapping[str, object], claim: str) -> None:
    """Entra ID leaves the groups out where they are too many, and says where they could be read instead."""
    elsewhere = members.get("_claim_names")
    if isinstance(elsewhere, dict) and claim in elsewhere:
        raise OutsideRefusedError(
            "you are in more groups than the provider tells", "the groups claim is left out: narrow it at the provider"
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _groups(value: object) -> frozenset[str]:
    """A list of texts, or one. What is none of these is no group."""
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    if len(values) > MAX_GROUPS:
        raise OutsideRefusedError(f"you are in more than {MAX_GROUPS} groups")
    return frozenset(each for each in values if isinstance(each, str))
