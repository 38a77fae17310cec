"""Secrets are kept as hashes.

One that a person chose: argon2id at OWASP's minimum cost, because clients sign in with Basic on every request; the gate
remembers what it verified and bounds how many verifications run at once. One that we generated has 256 random bits,
which nobody guesses at any speed: SHA-256 is enough for it, and a node that pulls need not wait for argon2.
"""

import hashlib
import hmac
import secrets as random
from collections.abc import Iterable
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Verified when nobody has such a name, so that the answer takes as long as for a name that somebody has.
NOBODY: Final = _HASHER.hash(random.token_urlsafe(32))
_GENERATED: Final = "sha256:"


def generate_secret() -> str:
    """A new secret of 256 random bits, in hexadecimal: a dash at its start would be an option of a command line."""
    return random.token_hex(32)


def hash_secret(secret: str) -> str:
    """Of a secret that somebody chose. Takes 20 ms and 19 MiB."""
    return _HASHER.hash(secret)


def hash_generated(secret: str) -> str:
    """Of a secret by ``generate_secret``."""
    return _GENERATED + hashlib.sha256(secret.encode()).hexdigest()


def is_fast(known: str) -> bool:
    """Whether verifying against this hash takes no time that needs a thread."""
    return known.startswith(_GENERATED)


def find_secret(hashes: Iterable[str], secret: str) -> int | None:
    """The place of the hash that is the secret's. Each slow one takes 20 ms and 19 MiB: for a worker thread."""
    matching = [_matches(known, secret) for known in hashes]  # all of them: a second secret takes no less
    return matching.index(True) if True in matching else None


def _matches(known: str, secret: str) -> bool:
    if is_fast(known):
        return hmac.compare_digest(known, hash_generated(secret))
    try:
        return _HASHER.verify(known, secret)
    except (VerificationError, InvalidHashError):
        return False
