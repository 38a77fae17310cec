"""An outside OIDC issuer on loopback, over TLS: discovery, keys, and tokens of any claims. It can rotate, fail and lie.

    with outside_issuer(ca, path="/tenant") as issuer:
        issuer.token({"sub": "repo:org/app:ref:refs/heads/main", "aud": "api://AzureADTokenExchange"})

The client trusts ``ca`` (tests/outside.py) and may call 127.0.0.1.
"""

import base64
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from tests.outside import Asked, Authority, Server, answer, ok_json, serving

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"
LIFE = 600


@cache
def private_key(algorithm: str, number: int = 0) -> Private:
    """Another number is another key. They are kept: making an RSA key takes a tenth of a second."""
    match algorithm:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(65537, 2048)


def public_jwk(private: Private, **members: Any) -> dict[str, Any]:  # noqa: ANN401  members of a JWK
    return {**jwk_of(private.public_key()), **members}


def jwk_of(key: Private | Public) -> dict[str, Any]:
    match key:
        case rsa.RSAPrivateKey() | rsa.RSAPublicKey():
            return RSAAlgorithm.to_jwk(key, as_dict=True)
        case ec.EllipticCurvePrivateKey() | ec.EllipticCurvePublicKey():
            return ECAlgorithm.to_jwk(key, as_dict=True)
        case _:
            return OKPAlgorithm.to_jwk(key, as_dict=True)


@dataclass(frozen=True)
class SigningKey:
    kid: str
    algorithm: str
    private: Private

    def jwk(self) -> dict[str, Any]:
        return public_jwk(self.private, kid=self.kid, use="sig", alg=self.algorithm)


@dataclass
class OutsideIssuer:
    """What a test may change is what a test may set: the next request sees it."""

    url: str
    server: Server = field(repr=False)
    keys: list[SigningKey] = field(default_factory=list)
    discovery: dict[str, Any] = field(default_factory=dict)  # members that replace the right ones
    jwks: Any = None  # a document in place of the right one
    status: int = 200
    stalls: bool = False

    @property
    def key(self) -> SigningKey:
        return self.keys[-1]

    @property
    def reads(self) -> int:
        """How often somebody came for the keys."""
        return sum(asked.target.endswith(KEYS) for asked in self.server.asked)

    @property
    def visits(self) -> int:
        return len(self.server.asked)

    def rotate(self, algorithm: str = "ES256") -> SigningKey:
        """A new key signs from now on; the old ones stay in the set."""
        number = len(self.keys)
        self.keys.append(SigningKey(f"key-{number}", algorithm, private_key(algorithm, number)))
        return self.key

    def token(
        self,
        claims: Mapping[str, Any],
        *,
        key: SigningKey | None = None,
        header: Mapping[str, Any] | None = None,
        now: float | None = None,
    ) -> str:
        """Issued now, for ten minutes, unless the claims say otherwise; a claim or header of None is left out."""
        signing = key or self.key
        moment = int(time.time() if now is None else now)
        every = {"iss": self.url, "iat": moment, "nbf": moment, "exp": moment + LIFE, **claims}
        lines = {"kid": signing.kid, "typ": "JWT", **(header or {})}
        payload = json.dumps({name: value for name, value in every.items() if value is not None}).encode()
        kept = {name: value for name, value in lines.items() if value is not None or name == "typ"}
        return jwt.PyJWS().encode(payload, signing.private, signing.algorithm, kept)

    def answering(self, asked: Asked) -> Iterable[bytes]:
        if self.stalls:
            self.server.over.wait(60)
        if self.status != 200:
            return answer(self.status, b"something private", {"location": "http://169.254.169.254/"})
        if asked.target.endswith(DISCOVERY):
            right = {"issuer": self.url, "jwks_uri": f"{self.url.rstrip('/')}{KEYS}"}
            return ok_json({**right, **self.discovery})
        if asked.target.endswith(KEYS):
            return ok_json({"keys": [key.jwk() for key in self.keys]} if self.jwks is None else self.jwks)
        return answer(404)


@contextmanager
def outside_issuer(ca: Authority, path: str = "", algorithm: str = "ES256") -> Iterator[OutsideIssuer]:
    """Runs while the block lasts; ``path`` is that of the issuer, with the slash before it and perhaps one after it."""
    issuers: list[OutsideIssuer] = []

    def answering(asked: Asked) -> Iterable[bytes]:
        return issuers[0].answering(asked)

    with serving(answering, ca.server) as server:
        issuers.append(OutsideIssuer(f"https://{server.place}{path}", server))
        issuers[0].rotate(algorithm)
        yield issuers[0]


def forged(header: Mapping[str, Any], claims: Mapping[str, Any], signature: bytes = b"") -> str:
    """A token of exactly these parts, whatever they are."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
