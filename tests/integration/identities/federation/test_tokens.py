"""Tokens that are not what they say: each is refused, for its own reason."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.federated import AUDIENCE
from tests.integration.identities.federation.conftest import SUBJECT
from tests.issuer import OutsideIssuer, forged, outside_issuer, private_key, public_jwk
from tests.outside import Authority

from entrepot.identities.federation.credentials import FederatedCredential
from entrepot.identities.federation.issuers import Issuers
from entrepot.identities.federation.model import AssertionRefused, Reason
from entrepot.identities.federation.tokens import TOKEN_LIMIT, authenticate, verify

GOOD = {"sub": SUBJECT, "aud": AUDIENCE}
Refusal = Callable[[str], AssertionRefused]


@pytest.fixture
def refusal(issuers: Issuers, credential: FederatedCredential, now: datetime) -> Refusal:
    """Signs in with a token that must not be accepted."""

    def refuse(token: str) -> AssertionRefused:
        with pytest.raises(AssertionRefused) as raised:
            authenticate(token, [credential], issuers, now)
        return raised.value

    return refuse


def test_a_good_token_is_accepted(
    issuer: OutsideIssuer, issuers: Issuers, credential: FederatedCredential, now: datetime
) -> None:
    assert authenticate(issuer.token(GOOD), [credential], issuers, now) is credential


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"])
def test_every_algorithm_of_the_list_is_verified(
    ca: Authority, issuers: Issuers, credential: FederatedCredential, now: datetime, algorithm: str
) -> None:
    with outside_issuer(ca, algorithm=algorithm) as issuer:
        trusted = replace(credential, issuer=issuer.url)
        assert authenticate(issuer.token(GOOD), [trusted], issuers, now) is trusted


def test_a_verified_token_tells_its_claims(
    issuer: OutsideIssuer, issuers: Issuers, credential: FederatedCredential, now: datetime
) -> None:
    token = issuer.token({"sub": "x", "aud": ["a", "b"], "ref": "main", "run": 7, "more": {"a": 1}})
    claims = verify(token, [credential], issuers, now)
    assert (claims.issuer, claims.subject, claims.audiences) == (issuer.url, "x", ("a", "b"))
    assert claims.texts == {"iss": issuer.url, "sub": "x", "ref": "main"}


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", "HS256", "HS512", "ES512", "ES256K", "RS1"])
def test_an_algorithm_outside_the_list_is_refused(issuer: OutsideIssuer, refusal: Refusal, algorithm: str) -> None:
    token = forged({"alg": algorithm, "kid": issuer.key.kid}, {"iss": issuer.url, **GOOD, "exp": 2**33})
    assert refusal(token).reason is Reason.ALGORITHM_REFUSED
    assert issuer.visits == 0


@pytest.mark.parametrize("secret", ["pem", "jwk", "empty"])
def test_a_public_key_is_never_a_secret(issuer: OutsideIssuer, refusal: Refusal, secret: str) -> None:
    """The swap of RS256 and HS256: whoever reads the public key could sign."""
    key = issuer.rotate("RS256")
    pem = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    used = {"pem": pem, "jwk": json.dumps(key.jwk()).encode(), "empty": b""}[secret]
    signed = forged({"alg": "HS256", "kid": key.kid}, {"iss": issuer.url, **GOOD, "exp": 2**33}).rsplit(".", 1)[0]
    signature = base64.urlsafe_b64encode(hmac.digest(used, signed.encode(), hashlib.sha256)).rstrip(b"=").decode()
    assert refusal(f"{signed}.{signature}").reason is Reason.ALGORITHM_REFUSED


def test_a_key_of_one_type_does_not_verify_another_algorithm(issuer: OutsideIssuer, refusal: Refusal) -> None:
    signing = replace(issuer.key, algorithm="RS256", private=private_key("RS256", 9))
    assert refusal(issuer.token(GOOD, key=signing)).reason is Reason.KEY_UNKNOWN


def test_a_stranger_s_key_of_the_same_name_does_not_sign(issuer: OutsideIssuer, refusal: Refusal) -> None:
    signing = replace(issuer.key, private=private_key("ES256", 9))
    assert refusal(issuer.token(GOOD, key=signing)).reason is Reason.SIGNATURE_INVALID


def test_a_key_that_the_token_brings_along_is_not_looked_at(issuer: OutsideIssuer, refusal: Refusal) -> None:
    signing = replace(issuer.key, kid="mine", private=private_key("ES256", 9))
    header = {
        "jwk": public_jwk(signing.private),
        "jku": f"{issuer.url}/evil",
        "x5u": f"{issuer.url}/evil",
        "x5c": ["a"],
    }
    assert refusal(issuer.token(GOOD, key=signing, header=header)).reason is Reason.KEY_UNKNOWN
    assert {asked.target for asked in issuer.server.asked} == {"/.well-known/openid-configuration", "/keys"}


@pytest.mark.parametrize(
    "kid", ["../../dev/null", "' or '1'='1", "\x00", "KEY-0", "key-0 ", "http://127.0.0.1/evil", "", "k" * 512]
)
def test_a_key_name_is_a_name_and_nothing_more(issuer: OutsideIssuer, refusal: Refusal, kid: str) -> None:
    found = refusal(issuer.token(GOOD, header={"kid": kid}))
    assert found.reason is Reason.KEY_UNKNOWN
    assert found.text.isprintable()


@pytest.mark.parametrize("kid", [7, ["key-0"], {"a": 1}, True, "k" * 513])
def test_a_key_name_that_is_no_short_text_is_refused(issuer: OutsideIssuer, refusal: Refusal, kid: object) -> None:
    token = forged({"alg": "ES256", "kid": kid}, {"iss": issuer.url, **GOOD, "exp": 2**33}, b"signature")
    assert refusal(token).reason is Reason.TOKEN_MALFORMED


def test_a_token_without_a_key_name_is_verified_by_the_only_key_there_is(
    issuer: OutsideIssuer, issuers: Issuers, credential: FederatedCredential, refusal: Refusal, now: datetime
) -> None:
    nameless = jwt.encode({"iss": issuer.url, **GOOD, "exp": 2**33}, issuer.key.private, "ES256")
    assert authenticate(nameless, [credential], issuers, now) is credential


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": ["b64"], "b64": False},
        {"b64": True},
        {"typ": "logout+jwt"},
        {"typ": "secevent+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": 7},
    ],
)
def test_a_header_that_asks_for_more_than_a_jwt_is_refused(
    issuer: OutsideIssuer, refusal: Refusal, header: dict[str, Any]
) -> None:
    right = {"alg": "ES256", "kid": issuer.key.kid}
    token = forged({**right, **header}, {"iss": issuer.url, **GOOD, "exp": 2**33}, b"signature")
    assert refusal(token).reason is Reason.TOKEN_MALFORMED
    assert issuer.visits == 0


@pytest.mark.parametrize("typ", ["JWT", "jwt", "JOSE", None])
def test_the_usual_types_are_accepted(
    issuer: OutsideIssuer, issuers: Issuers, credential: FederatedCredential, now: datetime, typ: str | None
) -> None:
    assert authenticate(issuer.token(GOOD, header={"typ": typ}), [credential], issuers, now) is credential


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": ["a"]},
        {"sub": "a\x00b"},
        {"sub": "a" * 1025},
        {"aud": None},
        {"aud": []},
        {"aud": 7},
        {"aud": [AUDIENCE, 7]},
        {"aud": ["a"] * 21},
        {"aud": {"a": AUDIENCE}},
        {"exp": None},
        {"exp": "2100-01-01"},
        {"exp": True},
        {"exp": -1},
        {"nbf": "now"},
        {"iat": []},
        {"iss": None},
        {"iss": 7},
    ],
    ids=json.dumps,
)
def test_claims_of_a_wrong_shape_are_refused(issuer: OutsideIssuer, refusal: Refusal, claims: dict[str, Any]) -> None:
    assert refusal(issuer.token({**GOOD, **claims})).reason is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": -301}, Reason.EXPIRED),
        ({"exp": -(10**9)}, Reason.EXPIRED),
        ({"nbf": 301}, Reason.NOT_YET_VALID),
        ({"iat": 301}, Reason.NOT_YET_VALID),
        ({"iat": 10**12, "exp": 10**13}, Reason.NOT_YET_VALID),
        ({"exp": -299}, None),
        ({"nbf": 299, "iat": 299}, None),
        ({"exp": 10**15}, None),
    ],
    ids=str,
)
def test_a_token_is_valid_in_its_time_give_or_take_five_minutes(
    issuer: OutsideIssuer,
    issuers: Issuers,
    credential: FederatedCredential,
    now: datetime,
    claims: dict[str, int],
    reason: Reason | None,
) -> None:
    moment = int(now.timestamp())
    now = now.replace(microsecond=0)
    token = issuer.token({**GOOD, **{name: moment + offset for name, offset in claims.items()}}, now=moment)
    if reason is None:
        assert authenticate(token, [credential], issuers, now) is credential
    else:
        with pytest.raises(AssertionRefused) as raised:
            authenticate(token, [credential], issuers, now)
        assert raised.value.reason is reason
        assert f"{now:%Y-%m-%dT%H:%M}" in raised.value.text


def test_a_time_may_have_a_fraction(
    issuer: OutsideIssuer, issuers: Issuers, credential: FederatedCredential, now: datetime
) -> None:
    token = issuer.token({**GOOD, "exp": now.timestamp() + 0.5, "iat": now.timestamp() - 0.5})
    assert authenticate(token, [credential], issuers, now + timedelta(minutes=4)) is credential


def test_an_issuer_that_no_credential_trusts_is_never_called(
    ca: Authority, issuer: OutsideIssuer, refusal: Refusal
) -> None:
    with outside_issuer(ca) as stranger:
        found = refusal(stranger.token(GOOD))
    assert found.reason is Reason.ISSUER_MISMATCH
    assert (
        f"AADSTS700211: No matching federated identity record found for presented assertion issuer '{stranger.url}'"
        in found.text
    )
    assert (stranger.visits, issuer.visits) == (0, 0)


def test_a_token_of_one_issuer_that_claims_to_be_of_another_is_refused(
    ca: Authority, issuer: OutsideIssuer, refusal: Refusal
) -> None:
    with outside_issuer(ca) as stranger:
        stranger.keys[0] = replace(stranger.key, private=private_key("ES256", 9))
        assert refusal(stranger.token({**GOOD, "iss": issuer.url})).reason is Reason.SIGNATURE_INVALID


def test_a_slash_at_the_end_of_an_issuer_counts_and_is_pointed_out(issuer: OutsideIssuer, refusal: Refusal) -> None:
    found = refusal(issuer.token({**GOOD, "iss": f"{issuer.url}/"}))
    assert found.reason is Reason.ISSUER_MISMATCH
    assert "a slash at its end" in found.text


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_token_is_refused(issuer: OutsideIssuer, refusal: Refusal, part: int) -> None:
    parts = issuer.token(GOOD).split(".")
    other = issuer.token({**GOOD, "more": 1}, header={"x": 1}).split(".")
    parts[part] = other[part]
    assert refusal(".".join(parts)).reason is Reason.SIGNATURE_INVALID


def test_a_huge_token_is_refused_before_it_is_read(issuer: OutsideIssuer, refusal: Refusal) -> None:
    assert refusal(issuer.token({**GOOD, "more": "a" * TOKEN_LIMIT})).reason is Reason.TOKEN_TOO_LARGE
    assert refusal("." * 10_000_000).reason is Reason.TOKEN_TOO_LARGE


@pytest.mark.parametrize(
    "token",
    [
        "",
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        "é.é.é",
        "e30.e30.e30",
        "bnVsbA.e30.",
        base64.urlsafe_b64encode(b"[" * 9000).decode().rstrip("=") + ".e30.",
        forged({"alg": "ES256"}, {}).split(".")[0]
        + "."
        + base64.urlsafe_b64encode(b"[" * 9000).decode().rstrip("=")
        + ".",
        forged({"alg": "ES256"}, {}).split(".")[0]
        + "."
        + base64.urlsafe_b64encode(b'{"exp":NaN}').decode().rstrip("=")
        + ".",
    ],
    ids=range(11),
)
def test_what_is_no_token_is_refused(refusal: Refusal, token: str) -> None:
    assert refusal(token).reason is Reason.TOKEN_MALFORMED


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token=st.one_of(st.text(max_size=60), st.from_regex(r"[A-Za-z0-9_=-]{0,40}(\.[A-Za-z0-9_=-]{0,40}){2}")))
def test_any_text_is_refused_in_words(refusal: Refusal, token: str) -> None:
    assert refusal(token).text
