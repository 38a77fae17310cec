"""Grants: what one sign-in of a person gave to one client. Its tokens name it, and end when it is taken away.

RFC 6749 section 4.1.2: a code that comes a second time takes back what the first got by it.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.access.queries import raise_epoch
from entrepot.identities import queries as directory
from entrepot.identities.model import Credential, New, Principal, Proof
from entrepot.identities.signing_in import queries
from entrepot.identities.signing_in.handles import LIVES, Handle, Made, body_of, hand_out, hash_of, look_up
from entrepot.identities.signing_in.queries import HandleRow

_PROLONGED_AFTER: Final = timedelta(days=1)


class Code(msgspec.Struct):
    """What an authorization code stands for. ``credential``: what the person signed in with; ``challenge``: S256."""

    redirect_uri: str
    scope: str
    credential: str
    signed_in_at: int
    challenge: str = ""
    nonce: str = ""


class Refresh(msgspec.Struct):
    """What a refresh token stands for."""

    grant: str
    scope: str
    signed_in_at: int


class Lost(Enum):
    """Why a code or a refresh token is good for nothing."""

    UNKNOWN = auto()
    USED = auto()
    REVOKED = auto()


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A code on its one use. ``grant``: the id of the grant to open by it; ``handle``: the code's own."""

    person: Principal
    client_id: str
    grant: str
    code: Code
    handle: str | None = None


def redeem_code(tx: Connection, value: str, now: datetime) -> Redeemed | Lost:
    """Its one use, whatever comes of it: what does not fit is asked for again. A second use takes back the grant."""
    queries.lock_handle(tx, hash_of(value))
    row = look_up(tx, value, Handle.CODE, now)
    if row is None:
        return Lost.UNKNOWN
    grant = grant_id_of(row)
    if row.principal_id is None or not queries.use(tx, row.id, now):
        _take_back(tx, row, grant)
        return Lost.USED
    code = body_of(row, Code)
    person = directory.principal_by_id(tx, row.principal_id)
    if person is None or queries.live_credential(tx, code.credential, now) is None:
        return Lost.REVOKED
    return Redeemed(person, row.client_id, grant, code, row.id)


def _take_back(tx: Connection, row: HandleRow, grant: str) -> None:
    """The grant, also one that is not open yet: a code that is nobody's any more opens none."""
    if row.principal_id is not None:
        directory.delete_credential(tx, row.principal_id, grant)
        queries.update_handle(tx, row.id, None, row.body)
        raise_epoch(tx)


def still_stands(tx: Connection, redeemed: Redeemed) -> bool:
    """Whether nobody has used the code a second time meanwhile; from here on a second use finds the grant."""
    if redeemed.handle is None:
        return True
    queries.lock_handle(tx, redeemed.handle)
    row = queries.find_handle(tx, redeemed.handle, Handle.CODE.value)
    return row is not None and row.principal_id is not None


def open_grant(tx: Connection, person_id: str, client_id: str, new: New, credential: str) -> None:
    """``credential``: what the person signed in with. Workers look again for credentials that they do not know."""
    ends = new.at + LIVES[Handle.REFRESH]
    directory.insert_credential(
        tx, Credential(new.id, person_id, Proof.GRANT.value, client_id, "", new.at, ends, credential)
    )


def hand_out_refresh(tx: Connection, person_id: str, client_id: str, refresh: Refresh, now: datetime) -> str:
    """A refresh token's value."""
    return hand_out(tx, Made(Handle.REFRESH, person_id, client_id, body=refresh), now)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A refresh token that is good, and whose it is."""

    person: Principal
    client_id: str
    refresh: Refresh


def use_refresh(tx: Connection, value: str, now: datetime) -> Refreshed | Lost:
    """It and its grant last on while they are used."""
    row = look_up(tx, value, Handle.REFRESH, now)
    if row is None or row.principal_id is None:
        return Lost.UNKNOWN
    refresh = body_of(row, Refresh)
    person = directory.principal_by_id(tx, row.principal_id)
    if person is None or queries.live_credential(tx, refresh.grant, now) is None:
        return Lost.REVOKED
    ends = now + LIVES[Handle.REFRESH]
    if ends - row.expires_at > _PROLONGED_AFTER:
        queries.prolong(tx, row.id, refresh.grant, ends)
    return Refreshed(person, row.client_id, refresh)


def grant_id_of(row: HandleRow) -> str:
    """One id for each code, so that its second use finds what the first opened."""
    return str(uuid.UUID(hex=hash_of(f"grant {row.id}")[:32]))
