"""Signing keys in the catalog: sealed, one at least for each use, and replaced before they grow old.

A new key is published a day before it signs, as long as clients keep a key set (Entra's advice is 24 hours), so that
nobody meets a token of a key that they do not know. The old one goes a day after, when its last token has ended.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from entrepot.access import queries
from entrepot.access.keys import ALGORITHMS, SigningKey, Use, current
from entrepot.access.queries import KeyRow
from entrepot.access.sealing import Sealer, is_sealed

# Whose keys are replaced. The audit log's are not: what they signed is verified for as long as there is the log.
TOKEN_USES: Final = (Use.REGISTRY, Use.DIRECTORY)
PUBLISHED_BEFORE: Final = timedelta(days=1)
_LONGEST_TOKEN: Final = timedelta(days=1)


def open_key(row: KeyRow, sealer: Sealer) -> SigningKey:
    """Raises SealBrokenError when another key of the deployment sealed it."""
    key = SigningKey.from_pem(row.kid, row.algorithm, sealer.open(row.sealed, _purpose(row.kid)))
    return key if row.created_at is None else replace(key, signs_from=row.created_at + PUBLISHED_BEFORE)


def add_key(tx: Connection, key: SigningKey, use: Use, sealer: Sealer, now: datetime) -> None:
    """It signs after PUBLISHED_BEFORE, or at once where there is no other of its use."""
    sealed = sealer.seal(key.pem(), _purpose(key.kid))
    queries.insert_signing_key(tx, KeyRow(key.kid, key.algorithm, use.value, sealed, retired=False), now)


def complete(tx: Connection, sealer: Sealer, new_key_ids: dict[Use, str], now: datetime) -> None:
    """Seal what an older program kept in clear, and make the keys that are missing. Raises SealBrokenError."""
    rows = queries.signing_keys(tx)
    for row in rows:
        if is_sealed(row.sealed):
            open_key(row, sealer)
        else:
            queries.seal_signing_key(tx, row.kid, sealer.seal(row.sealed, _purpose(row.kid)))
    for use in ALGORITHMS.keys() - {Use(row.use) for row in rows}:
        add_key(tx, SigningKey.generate(new_key_ids[use], use), use, sealer, now)


def rotate(tx: Connection, sealer: Sealer, new_key_ids: dict[Use, str], now: datetime) -> None:
    """A new key of each use named."""
    for use, kid in new_key_ids.items():
        add_key(tx, SigningKey.generate(kid, use), use, sealer, now)
    queries.raise_epoch(tx)


def replace_at_once(tx: Connection, sealer: Sealer, new_key_ids: dict[Use, str], now: datetime) -> None:
    """For keys that somebody else may know: every token that the old ones signed ends within two seconds."""
    gone = [row.kid for row in queries.signing_keys(tx) if Use(row.use) in new_key_ids]
    queries.delete_signing_keys(tx, gone)
    rotate(tx, sealer, new_key_ids, now)


def due(tx: Connection, life: timedelta, now: datetime) -> list[Use]:
    """Uses of tokens whose newest key is so old, or older."""
    newest: dict[str, KeyRow] = {}
    for row in queries.signing_keys(tx):
        newest.setdefault(row.use, row)
    old = [Use(use) for use, row in newest.items() if row.created_at is not None and row.created_at + life <= now]
    return [use for use in old if use in TOKEN_USES]


def drop_ended(tx: Connection, sealer: Sealer, now: datetime) -> list[str]:
    """Delete the keys whose last token has ended; their ids."""
    rows = queries.signing_keys(tx)
    ended = [kid for use in TOKEN_USES for kid in _ended([row for row in rows if row.use == use], sealer, now)]
    if ended:
        queries.delete_signing_keys(tx, ended)
        queries.raise_epoch(tx)
    return ended


def _ended(rows: Sequence[KeyRow], sealer: Sealer, now: datetime) -> list[str]:
    """Of the keys of one use, newest first."""
    keys = [open_key(row, sealer) for row in rows]
    if not keys:
        return []
    signs = current(keys, now)
    if now - signs.signs_from < _LONGEST_TOKEN:
        return []
    return [key.kid for key in keys[keys.index(signs) + 1 :]]


def _purpose(kid: str) -> str:
    return f"signing key {kid}"
