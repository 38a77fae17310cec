"""Second factors: codes of an authenticator, each good once. Spec: RFC 6238."""

import hmac
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode

import pyotp
from pyotp.totp import TOTP
from sqlalchemy import Connection

from entrepot.identities.signing_in import queries
from entrepot.identities.signing_in.handles import Handle, Made, row_of

_STEP: Final = timedelta(seconds=30)
# A clock may run half a minute ahead or behind.
_STEPS: Final = (-1, 0, 1)


def new_key() -> str:
    """160 random bits in base32, as authenticators take them."""
    return pyotp.random_base32()


def address_of(key: str, upn: str, issuer: str) -> str:
    """What an authenticator reads as a QR code: ``otpauth://``."""
    return f"otpauth://totp/{quote(issuer)}:{quote(upn)}?{urlencode({'secret': key, 'issuer': issuer})}"


def purpose(credential_id: str) -> str:
    """What the key is sealed for (access/sealing.py). ``credential_id``: of the row that keeps it."""
    return f"totp {credential_id}"


def accept(tx: Connection, credential_id: str, key: str, code: str, now: datetime) -> bool:
    """Whether it is a code of now that was not used before; from now on it is used."""
    clock = TOTP(key)
    steps = [step for step in _STEPS if hmac.compare_digest(clock.at(now + step * _STEP).encode(), code.encode())]
    if not steps:
        return False
    step = int((now + steps[0] * _STEP).timestamp() // _STEP.total_seconds())
    return queries.claim(tx, row_of(f"totp {credential_id} {step}", Made(Handle.TOTP_USED), now))
