"""Device codes: a program without a browser shows a code, its person confirms it in one. Spec: RFC 8628."""

from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.identities import queries as directory
from entrepot.identities.rules import new_user_code, parse_user_code
from entrepot.identities.signing_in import queries
from entrepot.identities.signing_in.grants import Code, Lost, Redeemed, grant_id_of
from entrepot.identities.signing_in.handles import Handle, Made, body_of, hand_out, hash_of, look_up, update_body
from entrepot.identities.signing_in.queries import HandleRow

INTERVAL: Final = timedelta(seconds=5)
# Programs keep time less exactly than we do.
_FORGIVEN: Final = timedelta(seconds=1)


class Device(msgspec.Struct):
    """What a device code stands for. ``polled_at``: when its program asked last, in milliseconds since 1970."""

    scope: str
    credential: str = ""
    signed_in_at: int = 0
    declined: bool = False
    polled_at: int = 0


class Waiting(Enum):
    """What a program is told that asks before its person has confirmed."""

    PENDING = auto()
    TOO_FAST = auto()
    DECLINED = auto()
    EXPIRED = auto()


def start(tx: Connection, client_id: str, scope: str, now: datetime) -> tuple[str, str]:
    """The device code, and the code for the person."""
    user_code = new_user_code()
    made = Made(Handle.DEVICE_CODE, None, client_id, user_code, Device(scope))
    return hand_out(tx, made, now), user_code


def find(tx: Connection, typed: str, now: datetime) -> HandleRow | None:
    """The one whose code a person typed, while it waits for them."""
    row = queries.find_by_user_code(tx, parse_user_code(typed))
    if row is None or row.used_at is not None or now >= row.expires_at or row.principal_id is not None:
        return None
    return None if body_of(row, Device).declined else row


def confirm(tx: Connection, typed: str, person_id: str, credential: str, now: datetime) -> bool:
    """False when it does not wait for anybody any more."""
    row = _locked(tx, typed, now)
    if row is None:
        return False
    device = body_of(row, Device)
    device.credential, device.signed_in_at = credential, int(now.timestamp())
    update_body(tx, row, person_id, device)
    return True


def decline(tx: Connection, typed: str, now: datetime) -> None:
    row = _locked(tx, typed, now)
    if row is not None:
        device = body_of(row, Device)
        device.declined = True
        update_body(tx, row, None, device)


def _locked(tx: Connection, typed: str, now: datetime) -> HandleRow | None:
    row = find(tx, typed, now)
    if row is None:
        return None
    queries.lock_handle(tx, row.id)
    return find(tx, typed, now)


def poll(tx: Connection, value: str, client_id: str, now: datetime) -> Redeemed | Waiting | Lost:
    """What its program gets that asks again and again; once it got a grant, nothing more."""
    queries.lock_handle(tx, hash_of(value))
    row = look_up(tx, value, Handle.DEVICE_CODE, now)
    if row is None or row.client_id != client_id:
        ended = queries.find_handle(tx, hash_of(value), Handle.DEVICE_CODE.value)
        return Lost.UNKNOWN if ended is None or ended.client_id != client_id else Waiting.EXPIRED
    device = body_of(row, Device)
    if device.declined:
        return Waiting.DECLINED
    if row.principal_id is None:
        return _wait(tx, row, device, now)
    if not queries.use(tx, row.id, now):
        return Lost.USED
    person = directory.principal_by_id(tx, row.principal_id)
    if person is None or queries.live_credential(tx, device.credential, now) is None:
        return Lost.REVOKED
    return Redeemed(person, client_id, grant_id_of(row), Code("", device.scope, device.credential, device.signed_in_at))


def _wait(tx: Connection, row: HandleRow, device: Device, now: datetime) -> Waiting:
    before, moment = device.polled_at, int(now.timestamp() * 1000)
    device.polled_at = moment
    update_body(tx, row, None, device)
    least = (INTERVAL - _FORGIVEN) / timedelta(milliseconds=1)
    return Waiting.TOO_FAST if before and moment - before < least else Waiting.PENDING
