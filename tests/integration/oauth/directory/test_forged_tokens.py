"""A token that the directory did not sign, or that says something it never says, opens none of its surfaces."""

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.integration.accounts import REGISTRY_AUDIENCE, directory_token, key_of
from tests.integration.oauth.forms import exchange
from tests.issuer import forged, jwk_of
from tests.management import ARM, GRAPH
from tests.registry import Registry
from tests.wire import Answer

from entrepot.access.keys import SigningKey, Use

Claims = dict[str, Any]
Tokens = dict[str, str]


async def ask_arm(registry: Registry, token: str) -> Answer:
    return await registry.nobody.bearing(token).get("/subscriptions?api-version=2022-12-01")


async def ask_graph(registry: Registry, token: str) -> Answer:
    return await registry.nobody.bearing(token).get("/v1.0/users")


SURFACES: dict[str, tuple[str, Callable[[Registry, str], Awaitable[Answer]]]] = {
    "the management API": (ARM, ask_arm),
    "Graph": (GRAPH, ask_graph),
    "the registry's exchange": (REGISTRY_AUDIENCE, exchange),
}


@pytest.fixture(params=SURFACES)
def surface(request: pytest.FixtureRequest) -> tuple[str, Callable[[Registry, str], Awaitable[Answer]]]:
    return SURFACES[request.param]


def signed(claims: Claims, key: SigningKey, **header: object) -> str:
    return jwt.encode(claims, key.private, key.algorithm, headers={"kid": key.kid, **header})


def with_secret(claims: Claims, key: SigningKey, secret: bytes) -> str:
    """The swap of RS256 and HS256: whoever reads the public key could sign."""
    head = forged({"alg": "HS256", "kid": key.kid, "typ": "JWT"}, claims).rpartition(".")[0]
    signature = hmac.digest(secret, head.encode(), hashlib.sha256)
    return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def of_other_keys(claims: Claims, key: SigningKey, registrys: SigningKey) -> Tokens:
    """By algorithm, by key, and by the key's name."""
    pem = key.public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    jwk = jwk_of(key.public)  # pyright: ignore[reportArgumentType]  it is an RSA key
    mine = rsa.generate_private_key(65537, 2048)
    brought = {"jwk": jwk_of(mine), "jku": "https://evil.example/keys", "x5u": "https://evil.example/x5u"}
    none = {name: forged({"alg": name, "kid": key.kid}, claims) for name in ("none", "None", "nOnE", "")}
    names = {
        f"a key called {kid!r}": jwt.encode(claims, mine, "RS256", {"kid": kid})
        for kid in ("", "../../../../dev/null", "' OR '1'='1", f"{key.kid} ", key.kid.upper() + "x", "\0")
    }
    return {
        **{f"of the algorithm {name!r}": token for name, token in none.items()},
        **names,
        "signed with our public key as PEM": with_secret(claims, key, pem),
        "signed with our public key as JWK": with_secret(claims, key, json.dumps(jwk).encode()),
        "signed with nothing": with_secret(claims, key, b""),
        "of another key under our key's name": jwt.encode(claims, mine, "RS256", {"kid": key.kid}),
        "of a key that it brings along": jwt.encode(claims, mine, "RS256", {"kid": "mine", **brought}),
        "of a key without a name": jwt.encode(claims, key.private, "RS256"),
        "of another algorithm with our key": jwt.encode(claims, key.private, "RS512", {"kid": key.kid}),
        "of the registry's key": signed(claims, registrys),
        "whose header asks for an extension": signed(claims, key, crit=["http://example.com/x"]),
    }


def of_other_claims(claims: Claims, key: SigningKey) -> Tokens:
    """Signed by the directory's own key, so that nothing but the claims can be what is refused."""
    now = claims["nbf"]
    changes: tuple[Claims, ...] = (
        {"exp": now - 600, "nbf": now - 4200},
        {"nbf": now + 600, "exp": now + 4200},
        {"exp": 10**30},
        {"exp": -1},
        {"exp": str(claims["exp"])},
        {"exp": None},
        {"nbf": None},
        {"aud": "https://storage.azure.com"},
        {"aud": f"{claims['aud']}.evil.example"},
        {"aud": [claims["aud"]]},
        {"aud": ""},
        {"aud": None},
        {"tid": "0" * 36},
        {"tid": None},
        {"oid": "0" * 36},
        {"oid": ""},
        {"oid": "a\0b"},
        {"oid": ["the-owner"]},
        {"oid": None},
        {"cred": "0" * 36},
        {"cred": ""},
        {"cred": None},
        {"padding": "a" * 20_000},
    )
    changed = [{name: value for name, value in (claims | change).items() if value is not None} for change in changes]
    return {f"that says {str(change)[:40]}": signed(says, key) for change, says in zip(changes, changed, strict=True)}


async def test_no_forged_or_changed_token_is_taken(
    registry: Registry, surface: tuple[str, Callable[[Registry, str], Awaitable[Answer]]]
) -> None:
    audience, ask = surface
    good = directory_token(registry, audience=audience)
    claims = jwt.decode(good, options={"verify_signature": False})
    key = key_of(registry, Use.DIRECTORY)
    assert (await ask(registry, signed(claims, key))).status == 200, "the owner's own token is good"
    head, payload, signature = good.split(".")
    other = directory_token(registry, audience="https://storage.azure.com").split(".")
    broken = {
        "without a signature": f"{head}.{payload}.",
        "with the signature of another": f"{head}.{payload}.{other[2]}",
        "with the claims of another": f"{head}.{other[1]}.{signature}",
        "in two parts": f"{head}.{payload}",
        "in five parts": f"{good}.x.y",
    }
    tokens = {**of_other_keys(claims, key, key_of(registry, Use.REGISTRY)), **of_other_claims(claims, key), **broken}
    taken = [name for name, token in tokens.items() if (await ask(registry, token)).status != 401]
    assert taken == []
