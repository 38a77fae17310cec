"""Values that are kept encrypted: signing keys, and secrets that must be readable again.

AES-256-GCM under one key of the deployment, which lies outside the catalog. What a value is for is authenticated with
it, so that a sealed value moved to another row does not open.
"""

import base64
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_PREFIX: Final = "v1."


class SealBrokenError(Exception):
    """The value was sealed with another key or for another purpose, or it was changed."""


class Sealer:
    """Seals and opens. ``key`` has KEY_BYTES."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cipher = AESGCM(key)

    def derive(self, purpose: str) -> bytes:
        """A key of KEY_BYTES for this purpose alone, the same wherever the deployment's key is (RFC 5869)."""
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose.encode()).derive(self._key)

    def seal(self, content: str, purpose: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, content.encode(), purpose.encode())
        return _PREFIX + base64.urlsafe_b64encode(sealed).decode()

    def open(self, sealed: str, purpose: str) -> str:
        """Raises SealBrokenError."""
        if not is_sealed(sealed):
            raise SealBrokenError
        try:
            raw = base64.urlsafe_b64decode(sealed.removeprefix(_PREFIX))
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], purpose.encode()).decode()
        except (InvalidTag, ValueError):
            raise SealBrokenError from None


def is_sealed(text: str) -> bool:
    """Whether the text has the form of a sealed value."""
    return text.startswith(_PREFIX)
