"""Tokens of outside issuers, verified: RFC 7519 under the advice of RFC 8725.

Nothing of a token is believed before its signature is; until then its ``iss`` only chooses among issuers that are
trusted anyway, and its header only chooses among that issuer's keys. Keys that a header brings along or points to
(``jwk``, ``jku``, ``x5c``, ``x5u``) are not looked at.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import jwt
import msgspec

from entrepot.identities.federation.credentials import FederatedCredential
from entrepot.identities.federation.issuers import Issuers
from entrepot.identities.federation.keys import ALGORITHMS, VerifyingKey
from entrepot.identities.federation.model import AssertionRefused, Claims, Reason, quoted
from entrepot.identities.federation.rules import Mismatch, find_credential, issuer_mismatch

TOKEN_LIMIT: Final = 16 * 1024
ID_TOKEN_LIMIT: Final = 256 * 1024
LEEWAY: Final = timedelta(minutes=5)
_SEGMENTS: Final = 3
# RFC 8725 section 3.11: a logout token or a security event is signed by the same issuer and means something else.
_TYPES: Final = frozenset({None, "jwt", "jose"})
_JWS: Final = jwt.PyJWS()

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern=r"\A[^\x00-\x1f\x7f]+\Z")]
_Moment = Annotated[int, msgspec.Meta(ge=0)] | Annotated[float, msgspec.Meta(ge=0)]


class _Header(msgspec.Struct):
    alg: str
    kid: Annotated[str, msgspec.Meta(max_length=512)] | None = None
    typ: str | None = None
    crit: Any = msgspec.UNSET  # of any type, it is refused
    b64: Any = msgspec.UNSET


class _Claims(msgspec.Struct):
    iss: _Text
    sub: _Text
    aud: _Text | Annotated[list[_Text], msgspec.Meta(min_length=1, max_length=20)]
    exp: _Moment
    nbf: _Moment = 0
    iat: _Moment = 0


def authenticate(
    token: str, credentials: Sequence[FederatedCredential], issuers: Issuers, now: datetime
) -> FederatedCredential:
    """The credential that this token fits, of those of one principal. Raises AssertionRefused."""
    found = find_credential(verify(token, credentials, issuers, now), credentials)
    if isinstance(found, Mismatch):
        raise AssertionRefused(found.reason, found.text, found.detail)
    return found


def verify(token: str, trusting: Sequence[FederatedCredential], issuers: Issuers, now: datetime) -> Claims:
    """What the token says, when an issuer of these credentials signed it and it is valid now. Raises AssertionRefused.

    Whether the subject and the audience are right is not decided here.
    """
    header, payload = _unverified(token)
    issuer = _claims_of(payload)[0].iss
    if all(issuer != credential.issuer for credential in trusting):
        mismatch = issuer_mismatch(issuer, trusting)
        raise AssertionRefused(mismatch.reason, mismatch.text, mismatch.detail)
    return _verified(token, header, issuer, issuers, now)


def verify_of(token: str, issuer: str, issuers: Issuers, now: datetime) -> Claims:
    """The same for an ID token, which may list many groups and must be of this issuer. Raises AssertionRefused."""
    header, payload = _unverified(token, ID_TOKEN_LIMIT)
    said = _claims_of(payload)[0].iss
    if said != issuer:
        raise AssertionRefused(Reason.ISSUER_MISMATCH, f"The token is of the issuer {quoted(said)}.")
    return _verified(token, header, issuer, issuers, now)


def _verified(token: str, header: _Header, issuer: str, issuers: Issuers, now: datetime) -> Claims:
    keys = issuers.keys(issuer, header.kid, header.alg, now)
    if not keys:
        kid = "no key" if header.kid is None else f"the key {quoted(header.kid)}"
        text = f"The token names {kid}, and the issuer has no such key for {header.alg}."
        raise AssertionRefused(Reason.KEY_UNKNOWN, text)
    claims, members = _claims_of(_signed_payload(token, header.alg, keys))
    _check_times(claims, now)
    texts = {name: value for name, value in members.items() if isinstance(value, str)}
    audiences = (claims.aud,) if isinstance(claims.aud, str) else tuple(claims.aud)
    return Claims(claims.iss, claims.sub, audiences, texts, members)


def _unverified(token: str, limit: int = TOKEN_LIMIT) -> tuple[_Header, bytes]:
    if len(token) > limit:
        raise AssertionRefused(Reason.TOKEN_TOO_LARGE, f"A token has at most {limit} characters.")
    if token.count(".") != _SEGMENTS - 1 or not token.isascii():
        raise _malformed("it does not have three parts")
    try:
        parts = _JWS.decode_complete(token, options={"verify_signature": False})
        header = msgspec.convert(parts["header"], type=_Header)
    except (jwt.PyJWTError, msgspec.ValidationError) as error:
        raise _malformed("its header cannot be read") from error
    if header.alg not in ALGORITHMS:
        text = f"The token's algorithm {quoted(header.alg)} is not one of {', '.join(sorted(ALGORITHMS))}."
        raise AssertionRefused(Reason.ALGORITHM_REFUSED, text)
    if header.crit is not msgspec.UNSET or header.b64 is not msgspec.UNSET:
        raise _malformed("its header asks for an extension")
    if (header.typ.lower() if header.typ else header.typ) not in _TYPES:
        raise _malformed(f"it is a {quoted(header.typ or '')}, not a JWT")
    return header, parts["payload"]


def _claims_of(payload: bytes) -> tuple[_Claims, dict[str, Any]]:
    try:
        members = msgspec.json.decode(payload, type=dict[str, Any])
        return msgspec.convert(members, type=_Claims), members
    except msgspec.ValidationError as error:
        raise _malformed(f"its claims are wrong: {error}") from None
    except (msgspec.DecodeError, RecursionError):
        raise _malformed("its claims are no JSON") from None


def _signed_payload(token: str, algorithm: str, keys: Sequence[VerifyingKey]) -> bytes:
    for candidate in keys:
        try:
            return _JWS.decode_complete(token, candidate.key, algorithms=[algorithm])["payload"]
        except jwt.PyJWTError:
            continue
    raise AssertionRefused(Reason.SIGNATURE_INVALID, "The token's signature is not that of the issuer's key.")


def _check_times(claims: _Claims, now: datetime) -> None:
    moment, leeway = now.timestamp(), LEEWAY.total_seconds()
    window = f"The current time is {now:%Y-%m-%dT%H:%M:%SZ}; 5 minutes are forgiven."
    if moment >= claims.exp + leeway:
        raise AssertionRefused(Reason.EXPIRED, f"The token has expired. {window}")
    if moment < max(claims.nbf, claims.iat) - leeway:
        raise AssertionRefused(Reason.NOT_YET_VALID, f"The token is not valid yet. {window}")


def _malformed(reason: str) -> AssertionRefused:
    return AssertionRefused(Reason.TOKEN_MALFORMED, f"This is no token that can be read: {reason}.")
