"""Handles: random values that stand for something until they end. The catalog knows a hash of each and not the value.

Codes are good once. A refresh token is good again and again, as Entra's: MSAL keeps the one that it has, and two of its
processes use one at the same time.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

import msgspec
from sqlalchemy import Connection

from entrepot.identities.signing_in import queries
from entrepot.identities.signing_in.queries import HandleRow


class Handle(StrEnum):
    """What a handle stands for."""

    CODE = "code"
    DEVICE_CODE = "device"
    REFRESH = "refresh"
    SESSION = "session"
    BROWSER = "browser"
    PENDING = "pending"
    TOTP_USED = "totp"
    OUTSIDE = "outside"


LIVES: Final[dict[Handle, timedelta]] = {
    Handle.CODE: timedelta(minutes=5),
    Handle.DEVICE_CODE: timedelta(minutes=15),
    Handle.REFRESH: timedelta(days=90),
    Handle.SESSION: timedelta(hours=12),
    Handle.BROWSER: timedelta(days=365),
    Handle.PENDING: timedelta(minutes=10),
    Handle.TOTP_USED: timedelta(minutes=5),
    Handle.OUTSIDE: timedelta(minutes=10),
}

B = TypeVar("B", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Made:
    """A handle to be kept: for whom, for which client, and what goes with it. ``until``: sooner than its kind's end."""

    kind: Handle
    principal_id: str | None = None
    client_id: str = ""
    user_code: str | None = None
    body: msgspec.Struct | None = None
    until: datetime | None = None


def hand_out(tx: Connection, made: Made, now: datetime) -> str:
    """Keep it; its value, which nobody can find again."""
    value = secrets.token_urlsafe(32)
    queries.insert_handle(tx, row_of(value, made, now))
    return value


def row_of(value: str, made: Made, now: datetime) -> HandleRow:
    ends = now + LIVES[made.kind]
    body = "{}" if made.body is None else msgspec.json.encode(made.body).decode()
    expires_at = ends if made.until is None else min(ends, made.until)
    return HandleRow(
        hash_of(value),
        made.kind.value,
        made.principal_id,
        made.client_id,
        made.user_code,
        now,
        expires_at,
        None,
        body,
    )


def look_up(tx: Connection, value: str, kind: Handle, now: datetime) -> HandleRow | None:
    """None for one that has ended, too. Whether it was used is the caller's to judge."""
    found = queries.find_handle(tx, hash_of(value), kind.value)
    return found if found is not None and now < found.expires_at else None


def body_of(row: HandleRow, body: type[B]) -> B:
    return msgspec.json.decode(row.body, type=body)


def take_back(tx: Connection, value: str) -> None:
    queries.delete_handle(tx, hash_of(value))


def hash_of(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def update_body(tx: Connection, row: HandleRow, principal_id: str | None, body: msgspec.Struct) -> None:
    queries.update_handle(tx, row.id, principal_id, msgspec.json.encode(body).decode())
