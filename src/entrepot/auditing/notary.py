"""Checkpoints of the audit log, signed: a JWS by a key of the deployment that signs nothing else (RFC 7515)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import jwt
import msgspec

from entrepot.access.keyring import open_key
from entrepot.access.keys import SigningKey, Use
from entrepot.access.queries import KeyRow
from entrepot.access.sealing import Sealer
from entrepot.events.chain import Checkpoint, Tip

_TYPE: Final = "entrepot-audit-checkpoint"


class _Claims(msgspec.Struct):
    sequence: int
    hash: str
    at: str
    is_beginning: bool


class KeyNotary:
    """Signs with the newest key of the use AUDIT; knows what any of them signed."""

    def __init__(self, keys: Mapping[str, SigningKey]) -> None:
        """``keys`` by their ids, newest first."""
        self._keys = keys

    def sign(self, tip: Tip, at: datetime, *, is_beginning: bool) -> Checkpoint:
        key = next(iter(self._keys.values()))
        claims = msgspec.to_builtins(_Claims(tip.sequence, tip.hash, _text(at), is_beginning))
        signature = jwt.encode(claims, key.private, key.algorithm, headers={"kid": key.kid, "typ": _TYPE})
        return Checkpoint(tip.sequence, at, tip.hash, key.kid, signature, is_beginning)

    def is_genuine(self, checkpoint: Checkpoint) -> bool:
        """Whether one of our keys signed exactly this."""
        key = self._keys.get(checkpoint.kid)
        if key is None:
            return False
        try:
            payload = jwt.decode(checkpoint.signature, key.public, algorithms=[key.algorithm])
            claims = msgspec.convert(payload, _Claims)
        except (jwt.InvalidTokenError, msgspec.ValidationError):
            return False
        expected = _Claims(checkpoint.sequence, checkpoint.hash, _text(checkpoint.at), checkpoint.is_beginning)
        return claims == expected


def open_notary(rows: list[KeyRow], sealer: Sealer) -> KeyNotary:
    """Raises SealBrokenError when another key of the deployment sealed them."""
    return KeyNotary({row.kid: open_key(row, sealer) for row in rows if row.use == Use.AUDIT})


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
