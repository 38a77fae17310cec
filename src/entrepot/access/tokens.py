"""Access and refresh tokens: signed, bound to one registry's id. Claims as ACR's (ACR-REFERENCE 4.5).

Keys come from our own table only, chosen by ``kid``; the algorithm comes from the key, never from the token. Beside
ACR's claims each token names the credential that it was got with (``cred``), and a person's the principal (``oid``),
because its ``sub`` is the user principal name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

import jwt
import msgspec

from entrepot.access.keys import SigningKey
from entrepot.access.model import ANONYMOUS, Scope
from entrepot.access.signed import read_claims
from entrepot.errors import Kind, Problem

ISSUER: Final = "Azure Container Registry"
ACCESS_TOKEN_LIFE: Final = timedelta(minutes=60)
REFRESH_TOKEN_LIFE: Final = timedelta(hours=3)
ANONYMOUS_TOKEN_LIFE: Final = timedelta(minutes=5)
# ACR dates tokens back, which forgives clients whose clocks run behind.
BACKDATED: Final = timedelta(minutes=15)

_ANONYMOUS_SUBJECT: Final = "acr_anon_pull"


class TokenKind(StrEnum):
    """What a token is good for: to call the registry, or to get access tokens."""

    ACCESS = "access_token"
    REFRESH = "refresh_token"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token says: who, for which registry, what, until when.

    ``credential`` is the id of what its holder signed in with, empty for nothing: the token ends with it. ``name`` is a
    person's user principal name, ``client_id`` the application that asked. An access token lists ``scopes``; a refresh
    token tells, for information, the ``tenant`` that was asked for and the ``permissions`` at that time.
    """

    principal: str
    registry: str
    audience: str
    scopes: tuple[Scope, ...]
    not_before: datetime
    expires_at: datetime
    credential: str = ""
    kind: TokenKind = TokenKind.ACCESS
    name: str = ""
    client_id: str = ""
    tenant: str = ""
    permissions: tuple[str, ...] = ()


# Seconds since 1970, up to the year 9999.
Moment = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]


class _Access(msgspec.Struct):
    type: str
    name: str
    actions: list[str]


class _Permissions(msgspec.Struct):
    actions: tuple[str, ...] = ()


# PostgreSQL has no text with a NUL.
PrincipalId = Annotated[str, msgspec.Meta(pattern=r"\A[^\0]+\Z")]


class _Claims(msgspec.Struct):
    sub: PrincipalId
    iss: str
    rid: str
    aud: str
    nbf: Moment
    exp: Moment
    grant_type: TokenKind
    access: list[_Access] | None = None
    permissions: _Permissions = msgspec.field(default_factory=_Permissions)
    tenant: str = ""
    appid: str = ""
    oid: PrincipalId | None = None
    cred: str = ""


def issue(grant: Grant, token_id: str, key: SigningKey) -> str:
    """Sign the grant."""
    claims = _access_claims(grant) if grant.kind is TokenKind.ACCESS else _refresh_claims(grant)
    if grant.name:
        claims["oid"] = grant.principal
    claims["cred"] = grant.credential
    return jwt.encode({"jti": token_id} | claims, key.private, algorithm=key.algorithm, headers={"kid": key.kid})


def _access_claims(grant: Grant) -> dict[str, Any]:
    is_metadata = any(word.startswith("metadata_") for scope in grant.scopes for word in scope.actions)
    claims = _first_claims(grant, "2.0" if is_metadata else "1.0") | {
        "access": [
            {"type": scope.type, "name": scope.name, "actions": sorted(scope.actions)} for scope in grant.scopes
        ],
        "roles": [],
        "grant_type": grant.kind.value,
    }
    if grant.client_id:
        claims["appid"] = grant.client_id
    return claims


def _refresh_claims(grant: Grant) -> dict[str, Any]:
    claims = _first_claims(grant, "1.0") | {"grant_type": grant.kind.value, "appid": grant.client_id}
    if grant.tenant:
        claims["tenant"] = grant.tenant
    return claims | {"permissions": {"actions": list(grant.permissions)}, "roles": []}


def _first_claims(grant: Grant, version: str) -> dict[str, Any]:
    """In ACR's order."""
    return {
        "sub": _ANONYMOUS_SUBJECT if grant.principal == ANONYMOUS else grant.name or grant.principal,
        "nbf": int(grant.not_before.timestamp()),
        "exp": int(grant.expires_at.timestamp()),
        "iat": int(grant.not_before.timestamp()),
        "iss": ISSUER,
        "aud": grant.audience,
        "version": version,
        "rid": grant.registry,
    }


def read(token: str, keys: Mapping[str, SigningKey]) -> Grant:
    """The grant of a token, of either kind, that one of our keys signed. Raises UNAUTHENTICATED.

    Whether it is valid now is the caller's to judge: an upload session outlives its token (DESIGN D6).
    """
    claims = read_claims(token, keys, _Claims, ("exp", "nbf", "sub", "rid", "aud", "iss"))
    if claims.iss != ISSUER or (claims.grant_type is TokenKind.ACCESS) is (claims.access is None):
        raise Problem(Kind.UNAUTHENTICATED, reason="the token is not one of ours")
    return _grant(claims)


def _grant(claims: _Claims) -> Grant:
    principal = claims.oid or (ANONYMOUS if claims.sub == _ANONYMOUS_SUBJECT else claims.sub)
    not_before, expires_at = (datetime.fromtimestamp(moment, UTC) for moment in (claims.nbf, claims.exp))
    return Grant(
        principal,
        claims.rid,
        claims.aud,
        tuple(Scope(entry.type, entry.name, frozenset(entry.actions)) for entry in claims.access or ()),
        not_before,
        expires_at,
        claims.cred,
        claims.grant_type,
        name="" if claims.oid is None else claims.sub,
        client_id=claims.appid,
        tenant=claims.tenant,
        permissions=claims.permissions.actions,
    )
