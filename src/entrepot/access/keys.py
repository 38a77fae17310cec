"""Key pairs that sign tokens. A key's use and algorithm come from its row, never from a token."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_RSA_BITS: Final = 2048
_ID_BYTES: Final = 30
_GROUP: Final = 4
_ALWAYS: Final = datetime.fromtimestamp(0, UTC)


class Use(StrEnum):
    """What a key signs: the tokens of registries, those of the directory, or checkpoints of the audit log."""

    REGISTRY = "registry"
    DIRECTORY = "directory"
    AUDIT = "audit"


# Registries' tokens are opaque to clients, and ES256 signs five times as fast. Entra knows RS256 alone.
ALGORITHMS: Final[Mapping[Use, str]] = {Use.REGISTRY: "ES256", Use.DIRECTORY: "RS256", Use.AUDIT: "ES256"}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair with its id and its JWS algorithm. It signs from ``signs_from`` on, and is published before."""

    kid: str
    algorithm: str
    private: PrivateKey
    signs_from: datetime = _ALWAYS

    @classmethod
    def generate(cls, kid: str, use: Use = Use.REGISTRY) -> "SigningKey":
        algorithm = ALGORITHMS[use]
        if algorithm == "ES256":
            return cls(kid, algorithm, ec.generate_private_key(ec.SECP256R1()))
        return cls(kid, algorithm, rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS))

    @classmethod
    def from_pem(cls, kid: str, algorithm: str, pem: str) -> "SigningKey":
        """Of what ``pem`` wrote. Raises ValueError for a key of another kind than the algorithm's.

        It is not checked for what a forger could put into a key: that takes a tenth of a second of every start, and the
        catalog keeps keys sealed, so what comes out of it is what went in.
        """
        key = serialization.load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
        match algorithm, key:
            case ("ES256", ec.EllipticCurvePrivateKey()) | ("RS256", rsa.RSAPrivateKey()):
                return cls(kid, algorithm, key)
            case _:
                raise ValueError(f"signing key {kid} is not one for {algorithm}")

    @property
    def public(self) -> PublicKey:
        return self.private.public_key()

    def pem(self) -> str:
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


def new_key_id() -> str:
    """A random id in the form of ACR's key ids: twelve groups of four letters (ACR-REFERENCE 4.5)."""
    text = base64.b32encode(secrets.token_bytes(_ID_BYTES)).decode()
    return ":".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def current(keys: Sequence[SigningKey], now: datetime) -> SigningKey:
    """The one that signs, of those of one use, newest first: the first key of all signs from the beginning."""
    return next((key for key in keys if key.signs_from <= now), keys[-1])
