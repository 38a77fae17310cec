"""Access tokens of the directory: for the management API, Graph, or a registry's exchange. Claims as Entra's v1 tokens.

Spec: Microsoft identity platform, "Access token claims reference". Clients do not look inside; our own surfaces do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import jwt
import msgspec

from entrepot.access.keys import SigningKey
from entrepot.access.signed import read_claims

_Moment = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
_Id = Annotated[str, msgspec.Meta(pattern=r"\A[^\0]+\Z", max_length=256)]


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a token of the directory says. ``credential``: the id of what its holder signed in with; it ends with it.

    ``name`` is a person's user principal name; an application has its client id alone.
    """

    principal: str
    tenant: str
    audience: str
    client_id: str
    name: str
    credential: str
    not_before: datetime
    expires_at: datetime


class _Claims(msgspec.Struct):
    oid: _Id
    tid: _Id
    aud: str
    appid: str
    nbf: _Moment
    exp: _Moment
    cred: _Id
    upn: str = ""


def issue_directory_token(says: Assertion, issuer: str, token_id: str, key: SigningKey) -> str:
    """Sign it. ``issuer`` is the tenant's."""
    is_person = bool(says.name)
    claims = {
        "aud": says.audience,
        "iss": issuer,
        "iat": int(says.not_before.timestamp()),
        "nbf": int(says.not_before.timestamp()),
        "exp": int(says.expires_at.timestamp()),
        "appid": says.client_id,
        "idtyp": "user" if is_person else "app",
        "oid": says.principal,
        "sub": says.principal,
        "tid": says.tenant,
        "uti": token_id,
        "ver": "1.0",
        "cred": says.credential,
    }
    if is_person:
        claims |= {"upn": says.name, "unique_name": says.name, "scp": "user_impersonation"}
    return jwt.encode(claims, key.private, algorithm=key.algorithm, headers={"kid": key.kid})


def read_directory_token(token: str, keys: Mapping[str, SigningKey]) -> Assertion:
    """What a token says that one of our directory keys signed. Raises UNAUTHENTICATED.

    Whether it is valid now, and for whom, is the caller's to judge.
    """
    claims = read_claims(token, keys, _Claims, ("exp", "nbf", "aud", "oid", "tid"))
    not_before, expires_at = (datetime.fromtimestamp(moment, UTC) for moment in (claims.nbf, claims.exp))
    return Assertion(claims.oid, claims.tid, claims.aud, claims.appid, claims.upn, claims.cred, not_before, expires_at)
