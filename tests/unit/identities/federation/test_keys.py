import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.issuer import jwk_of, private_key, public_jwk

from entrepot.identities.federation.keys import ALGORITHMS, KeySet

RSA = public_jwk(private_key("RS256"), kid="r")
P256 = public_jwk(private_key("ES256"), kid="p")
P384 = public_jwk(private_key("ES384"), kid="q")
ED = public_jwk(private_key("EdDSA"), kid="e")


def parsed(*keys: Any) -> KeySet:  # noqa: ANN401  anything may stand in a key set
    return KeySet.parse(json.dumps({"keys": keys}).encode())


def fitting(key: dict[str, Any]) -> set[str]:
    return {algorithm for algorithm in ALGORITHMS if parsed(key).fitting(key.get("kid"), algorithm)}


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        (RSA, {"RS256", "RS384", "RS512", "PS256"}),
        (P256, {"ES256"}),
        (P384, {"ES384"}),
        (ED, {"EdDSA"}),
        (RSA | {"alg": "RS512"}, {"RS512"}),
        (RSA | {"alg": "ES256"}, set()),
        (P256 | {"alg": "RS256"}, set()),
        (RSA | {"use": "sig", "key_ops": ["verify"]}, {"RS256", "RS384", "RS512", "PS256"}),
    ],
    ids=["RSA", "P-256", "P-384", "Ed25519", "named", "RSA as EC", "EC as RSA", "for signatures"],
)
def test_a_key_fits_the_algorithms_of_its_type_and_no_others(key: dict[str, Any], algorithms: set[str]) -> None:
    assert fitting(key) == algorithms


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "r"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "r", "alg": "RS256"},
        RSA | {"use": "enc"},
        RSA | {"key_ops": ["encrypt"]},
        RSA | {"alg": "HS256"},
        RSA | {"alg": "none"},
        RSA | {"alg": "RSA-OAEP"},
        RSA | {"n": "AQAB"},
        RSA | {"n": 5},
        RSA | {"n": ""},
        RSA | {"e": "AQABAQABAQAB"},
        RSA | {"kty": "EC"},
        RSA | {"kid": 7},
        RSA | {"crv": "P-256"},
        P256 | {"crv": "secp256k1"},
        P256 | {"x": P384["x"]},
        P256 | {"y": P256["x"]},
        ED | {"crv": "X25519"},
        ED | {"crv": "Ed448"},
        {"kid": "r"},
        {},
        jwk_of(private_key("RS256")),
        public_jwk(rsa.generate_private_key(65537, 1024), kid="r"),  # noqa: S505  that is the point
        public_jwk(ec.generate_private_key(ec.SECP521R1()), kid="r"),
    ],
)
def test_a_key_that_is_none_or_is_for_something_else_is_left_out(key: dict[str, Any]) -> None:
    assert parsed(key).keys == ()
    assert [kept.kid for kept in parsed(key, P256).keys] == ["p"]


@pytest.mark.parametrize(
    "document",
    [b"", b"{}", b"[]", b"null", b'{"keys": null}', b'{"keys": {}}', b'{"keys": ["a"]}', b"<html>", b"[" * 100_000],
    ids=range(9),
)
def test_what_is_no_key_set_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match="no key set"):
        KeySet.parse(document)


def test_a_set_of_too_many_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="no key set"):
        parsed(*[P256] * 101)


def test_a_token_that_names_no_key_means_the_only_one() -> None:
    assert len(parsed(P256, RSA).fitting(None, "ES256")) == 1
    assert parsed(P256, P256 | {"kid": "p2"}).fitting(None, "ES256") == ()


def test_two_keys_of_one_name_are_both_tried() -> None:
    assert len(parsed(P256, public_jwk(private_key("ES256", 1), kid="p")).fitting("p", "ES256")) == 2


@pytest.mark.parametrize("kid", ["P", "p ", "../p", "p\0", "", "p' or 'a'='a"])
def test_a_key_is_found_by_its_very_name_only(kid: str) -> None:
    assert parsed(P256).fitting(kid, "ES256") == ()
