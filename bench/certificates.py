"""The bench's own certificate authority: the peers' TLS certificate, and the key that signs their bearer tokens."""

import base64
import datetime as dt
import hashlib
import ipaddress
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

ISSUER: Final = "bench"
SERVICE: Final = "bench"
VALID: Final = dt.timedelta(days=2)
TOKEN_SECONDS: Final = 12 * 3600

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files of the authority, and of a server certificate for loopback."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    """A server certificate with a P-256 key: the cheapest handshake that every client speaks."""
    files = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _signed(_draft("bench CA", authority_key, issuer="bench CA", is_authority=True), authority_key)
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))],
    )
    draft = _draft("localhost", server_key, issuer="bench CA", is_authority=False).add_extension(names, critical=False)
    files.authority.write_bytes(authority)
    files.certificate.write_bytes(_signed(draft, authority_key))
    files.key.write_bytes(_pem(server_key))
    return files


class TokenSigner:
    """Bearer tokens for distribution: RS256, whose check costs a Go server least, and no certificate chain in them.

    Each version finds the key by the ``kid`` that it computes itself from the certificate it trusts, so it verifies
    one signature per request and nothing else. Source: registry/auth/token of distribution 2.8 and 3.1.
    """

    def __init__(self, folder: Path) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.bundle = folder / "token-root.pem"
        self.bundle.write_bytes(_signed(_draft(ISSUER, self._key, issuer=ISSUER, is_authority=True), self._key))

    def libtrust_kid(self) -> str:
        """The key's name in distribution 2.x (libtrust's fingerprint)."""
        der = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        text = base64.b32encode(hashlib.sha256(der).digest()[:30]).decode()
        return ":".join(text[start : start + 4] for start in range(0, len(text), 4))

    def thumbprint_kid(self) -> str:
        """The key's name in distribution 3.x: RFC 7638 thumbprint."""
        numbers = self._key.public_key().public_numbers()
        members = {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
        return _unpadded(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())

    def token(self, kid: str, scopes: tuple[str, ...]) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": "bench",
            "aud": SERVICE,
            "iat": now,
            "nbf": now - 60,
            "exp": now + TOKEN_SECONDS,
            "jti": str(time.monotonic_ns()),
            "access": [_access(scope) for scope in scopes],
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": kid})


def _access(scope: str) -> dict[str, str | list[str]]:
    """From ``repository:NAME:pull,push``. Source: Docker token authentication, "scope"."""
    kind, name, actions = scope.split(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _draft(name: str, key: PrivateKey, *, issuer: str, is_authority: bool) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )


def _signed(draft: x509.CertificateBuilder, key: PrivateKey) -> bytes:
    return draft.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _number(value: int) -> str:
    return _unpadded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
