"""How a client proves who it is: by a secret, by an assertion that its certificate signs, or by an outside token.

Spec: RFC 6749 section 2.3.1, RFC 7523; Microsoft identity platform, "Certificate credentials". An assertion may come
again while it lasts: MSAL signs one and uses it until it ends, so a replay is not told from the client itself. It is
bound to our token endpoint and to one client, and it must end within a day.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

import jwt
import msgspec
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.typing import FilteringBoundLogger

from entrepot.errors import Problem
from entrepot.gate.authenticate import parse_basic
from entrepot.gate.management import ManagementCall
from entrepot.identities import queries
from entrepot.identities.federation.model import AssertionRefused, Reason
from entrepot.identities.federation.tokens import authenticate
from entrepot.identities.model import Credential, Principal, Proof
from entrepot.identities.outside import federated_of
from entrepot.oauth.directory.auditing import refused_sign_in, signed_in
from entrepot.oauth.directory.clients import Client
from entrepot.oauth.directory.parts import Parts
from entrepot.oauth.directory.problems import Aadsts, refused
from entrepot.oauth.directory.tenants import Authority

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.directory")

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIMIT: Final = 16 * 1024
_ALGORITHMS: Final = ("RS256", "PS256")
_LONGEST: Final = timedelta(days=1)
_LEEWAY: Final = timedelta(minutes=5)


_NUMBERS: Final[dict[Reason, Aadsts]] = {
    Reason.AUDIENCE_MISMATCH: Aadsts.FEDERATION_AUDIENCE,
    Reason.EXPIRED: Aadsts.ASSERTION_TIME,
    Reason.ISSUER_MISMATCH: Aadsts.FEDERATION_ISSUER,
    Reason.NOT_YET_VALID: Aadsts.ASSERTION_TIME,
    Reason.SIGNATURE_INVALID: Aadsts.ASSERTION_SIGNATURE,
    Reason.SUBJECT_MISMATCH: Aadsts.FEDERATION_SUBJECT,
}


@dataclass(frozen=True, slots=True)
class Proved:
    """A principal, and the credential that proved it: what is got by it ends with it."""

    principal: Principal
    credential: str
    expires_at: datetime | None = None


_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
_Moment = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)] | Annotated[float, msgspec.Meta(ge=0, le=2.5e11)]


class _Header(msgspec.Struct):
    alg: str
    x5t: str | None = None
    x5t_s256: str | None = msgspec.field(default=None, name="x5t#S256")
    kid: str | None = None
    crit: object = None


class _Claims(msgspec.Struct):
    iss: _Text
    sub: _Text
    aud: _Text | list[_Text]
    exp: _Moment
    nbf: _Moment = 0


async def prove_client(
    call: ManagementCall, parts: Parts, authority: Authority, client: Client, form: Mapping[str, str]
) -> Proved:
    """Either way it is written down. Raises a refusal."""
    method = "client_assertion" if "client_assertion" in form else "client_secret"
    try:
        proved = await _prove(call, parts, authority, client, form)
    except Problem as problem:
        principal = None if client.principal is None else client.principal.id
        refused_sign_in(call, client.id, principal, method, problem)
        raise
    signed_in(call, proved.principal.id, method, proved.credential)
    return proved


async def _prove(
    call: ManagementCall, parts: Parts, authority: Authority, client: Client, form: Mapping[str, str]
) -> Proved:
    if client.principal is None:
        raise refused(Aadsts.CREDENTIAL_MISSING)
    assertion, secret = form.get("client_assertion"), _secret(call, client, form)
    if secret is not None:
        if assertion is not None:
            raise refused(Aadsts.FIELD_INVALID, reason="send one credential")
        return await _by_secret(call, parts, client.principal, secret)
    if assertion is None:
        raise refused(Aadsts.CREDENTIAL_MISSING)
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise refused(Aadsts.FIELD_INVALID, reason=f"client_assertion_type is {ASSERTION_TYPE}")
    return await _by_assertion(call, parts, authority, client, assertion)


def brings_proof(call: ManagementCall, form: Mapping[str, str]) -> bool:
    """Whether the request has a credential of its client at all."""
    return bool(form.keys() & {"client_secret", "client_assertion"} or call.request.header(b"authorization"))


def _secret(call: ManagementCall, client: Client, form: Mapping[str, str]) -> str | None:
    authorization = call.request.header(b"authorization")
    if authorization is None:
        return form.get("client_secret")
    kind, _, value = authorization.partition(" ")
    try:
        name, secret = parse_basic(value.strip())
    except Problem:
        name = secret = ""
    if kind.lower() != "basic" or name != client.id or "client_secret" in form:
        raise refused(Aadsts.FIELD_INVALID, reason="the Authorization header and the form do not agree")
    return secret


async def _by_secret(call: ManagementCall, parts: Parts, principal: Principal, secret: str) -> Proved:
    every = await call.doors.read(queries.credentials_of, principal.id, (Proof.SECRET,))
    place = await parts.proving.find([each.fingerprint for each in every], secret)
    if place is None:
        raise refused(Aadsts.SECRET_WRONG, client=principal.client_id or "")
    found = every[place]
    if _has_ended(found, call.now()):
        raise refused(Aadsts.SECRET_EXPIRED)
    return Proved(principal, found.id, found.expires_at)


async def _by_assertion(
    call: ManagementCall, parts: Parts, authority: Authority, client: Client, assertion: str
) -> Proved:
    header, claims = _read(assertion)
    principal = client.principal
    if principal is None:
        raise refused(Aadsts.CREDENTIAL_MISSING)
    if claims.iss != client.id:
        return await _by_outside_token(call, parts, principal, assertion)
    every = await call.doors.read(queries.credentials_of, principal.id, (Proof.CERTIFICATE,))
    found = next((each for each in every if _is_named(header, each) and not _has_ended(each, call.now())), None)
    if found is None or header.alg not in _ALGORITHMS or not _is_signed(assertion, header.alg, found):
        raise refused(Aadsts.ASSERTION_SIGNATURE)
    _check_claims(claims, client.id, authority, call.now())
    return Proved(principal, found.id, found.expires_at)


async def _by_outside_token(call: ManagementCall, parts: Parts, principal: Principal, token: str) -> Proved:
    """By a federated identity credential of the principal. Raises a refusal."""
    trusted = await call.doors.read(federated_of, principal.id)
    if not trusted:
        raise refused(Aadsts.FEDERATION_NONE, reason="The application has no federated identity credential.")
    try:
        fits = await call.doors.run(authenticate, token, list(trusted.values()), parts.issuers, call.now())
    except AssertionRefused as error:
        log.info("assertion_refused", principal=principal.id, reason=error.reason.name, detail=error.detail)
        number = _NUMBERS.get(error.reason, Aadsts.ASSERTION_INVALID)
        raise refused(number, reason=error.text.removeprefix(f"AADSTS{number.value}: ")) from None
    found = next(credential for credential, each in trusted.items() if each == fits)
    return Proved(principal, found)


def _read(assertion: str) -> tuple[_Header, _Claims]:
    """Unverified: it chooses among the client's own certificates and nothing else."""
    if len(assertion) > _ASSERTION_LIMIT:
        raise refused(Aadsts.ASSERTION_INVALID, reason="it is too long")
    try:
        parts = jwt.api_jws.PyJWS().decode_complete(assertion, options={"verify_signature": False})
        header = msgspec.convert(parts["header"], type=_Header)
        claims = msgspec.json.decode(parts["payload"], type=_Claims)
    except (jwt.PyJWTError, msgspec.MsgspecError, ValueError, RecursionError):
        raise refused(Aadsts.ASSERTION_INVALID, reason="it is no JWT with iss, sub, aud and exp") from None
    if header.crit is not None:
        raise refused(Aadsts.ASSERTION_INVALID, reason="its header asks for an extension")
    return header, claims


def _is_named(header: _Header, credential: Credential) -> bool:
    """By either thumbprint, in either of the forms that clients write."""
    sha256 = bytes.fromhex(credential.fingerprint)
    if header.x5t_s256 is not None:
        return header.x5t_s256.rstrip("=") == _base64url(sha256)
    sha1 = _certificate(credential).fingerprint(hashes.SHA1())  # noqa: S303  a name, not a proof
    named = header.x5t or header.kid or ""
    return named.rstrip("=") == _base64url(sha1) or named.lower() in {sha1.hex(), sha256.hex()}


def _is_signed(assertion: str, algorithm: str, credential: Credential) -> bool:
    key = _certificate(credential).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        jwt.api_jws.PyJWS().decode_complete(assertion, key, algorithms=[algorithm])
    except jwt.PyJWTError:
        return False
    return True


def _certificate(credential: Credential) -> x509.Certificate:
    return x509.load_pem_x509_certificate((credential.body or "").encode())


def _check_claims(claims: _Claims, client_id: str, authority: Authority, now: datetime) -> None:
    moment, leeway = now.timestamp(), _LEEWAY.total_seconds()
    if claims.sub != client_id:
        raise refused(Aadsts.ASSERTION_INVALID, reason="its sub is not the client")
    audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if authority.endpoints().isdisjoint(audiences):
        raise refused(Aadsts.ASSERTION_AUDIENCE)
    if not claims.nbf - leeway <= moment < claims.exp + leeway:
        raise refused(Aadsts.ASSERTION_TIME)
    if claims.exp - moment > _LONGEST.total_seconds() + leeway:
        raise refused(Aadsts.ASSERTION_INVALID, reason="it lasts for more than a day")


def _has_ended(credential: Credential, now: datetime) -> bool:
    return credential.expires_at is not None and credential.expires_at <= now


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
