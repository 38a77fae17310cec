"""An issuer's key set (RFC 7517), read with suspicion: a key fits some algorithms, or it is left out.

The algorithm that a token may have comes from the key: its type, its curve, and its own ``alg`` if it names one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

# Asymmetric only. HS* would take a public key for a secret, and none is none.
_FITTING: Final[Mapping[tuple[str, str | None], frozenset[str]]] = {
    ("RSA", None): frozenset({"RS256", "RS384", "RS512", "PS256"}),
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA"}),
}
ALGORITHMS: Final = frozenset[str]().union(*_FITTING.values())
_MAX_KEYS: Final = 100
# Smaller ones can be broken; larger ones only make verifying slow.
_RSA_BITS: Final = range(2048, 8193)
_MAX_EXPONENT: Final = 2**32

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, and the algorithms that it may verify."""

    kid: str | None
    algorithms: frozenset[str]
    key: PublicKey


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of an issuer that can be used."""

    keys: tuple[VerifyingKey, ...]

    @classmethod
    def parse(cls, document: bytes) -> "KeySet":
        """Raises ValueError for what is no key set. Keys that we cannot use are left out, as RFC 7517 asks."""
        try:
            entries = msgspec.json.decode(document, type=_Document).keys
        except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
            raise ValueError("no key set") from error
        return cls(tuple(_usable(entries)))

    def fitting(self, kid: str | None, algorithm: str) -> tuple[VerifyingKey, ...]:
        """The keys that may have made a token with this header. A token that names no key may mean the only one."""
        fit = tuple(key for key in self.keys if algorithm in key.algorithms)
        if kid is None:
            return fit if len(fit) == 1 else ()
        return tuple(key for key in fit if key.kid == kid)


class _Document(msgspec.Struct):
    keys: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=_MAX_KEYS)]  # members differ by the key's type


class _Entry(msgspec.Struct):
    kty: str
    kid: str | None = None
    alg: str | None = None
    use: str | None = None
    key_ops: list[str] | None = None
    crv: str | None = None


def _usable(entries: list[dict[str, Any]]) -> Iterator[VerifyingKey]:
    for members in entries:
        try:
            entry = msgspec.convert(members, type=_Entry)
            found = _verifying_key(entry, members)
        except (msgspec.ValidationError, jwt.PyJWTError, ValueError, TypeError):
            continue
        if found is not None:
            yield found


def _verifying_key(entry: _Entry, members: dict[str, Any]) -> VerifyingKey | None:
    algorithms = _FITTING.get((entry.kty, entry.crv), frozenset[str]())
    if entry.alg is not None:
        algorithms &= {entry.alg}
    if not algorithms or not _is_for_signatures(entry):
        return None
    key = jwt.PyJWK(members, min(algorithms)).key
    return VerifyingKey(entry.kid, algorithms, key) if _is_sound(key) else None


def _is_for_signatures(entry: _Entry) -> bool:
    return entry.use in {None, "sig"} and (entry.key_ops is None or "verify" in entry.key_ops)


def _is_sound(key: object) -> bool:
    """Not so a private key: one that is published is nobody's."""
    if isinstance(key, RSAPublicKey):
        return key.key_size in _RSA_BITS and key.public_numbers().e <= _MAX_EXPONENT
    return isinstance(key, EllipticCurvePublicKey | Ed25519PublicKey)
