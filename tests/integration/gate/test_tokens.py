"""Bearer tokens at the gate: only ours, for this registry, in time, for what they list (MARKET 5b, 14 and 15)."""

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlalchemy import Connection
from tests.content import an_image, digest_of
from tests.integration.accounts import directory_token, key_of
from tests.integration.oauth.forms import exchange
from tests.integration.rows import add_registry, disable
from tests.registry import OWNER, SECRET_KEY, Registry, Repository
from tests.wire import Answer

from entrepot.access.keyring import open_key
from entrepot.access.keys import SigningKey, Use
from entrepot.access.queries import signing_keys
from entrepot.access.sealing import Sealer

CONTENT = b"a layer in two halves"


@pytest.fixture
async def image(app: Repository) -> str:
    """An image is there, so that whoever is let in gets it."""
    await app.push(an_image(), "v1")
    return "v1"


@pytest.fixture
async def claims(registry: Registry) -> dict[str, Any]:
    """Those of a good token for the repository app."""
    token = await registry.token("repository:app:pull,push")
    return jwt.decode(token, options={"verify_signature": False})


@pytest.fixture
def key(registry: Registry) -> SigningKey:
    """The registry's own."""

    def newest(tx: Connection) -> SigningKey:
        row = next(row for row in signing_keys(tx) if row.use == "registry")
        return open_key(row, Sealer(base64.b64decode(SECRET_KEY)))

    return registry.query(newest)


def signed(claims: dict[str, Any], key: SigningKey, **header: Any) -> str:  # noqa: ANN401  any JSON value
    return jwt.encode(claims, key.private, algorithm="ES256", headers={"kid": key.kid, **header})


async def pull(registry: Registry, token: str) -> Answer:
    return await registry.nobody.having(authorization=f"Bearer {token}").get("/v2/app/manifests/v1")


def refused(answer: Answer) -> bool:
    challenge = answer["www-authenticate"]
    return answer.status == 401 and answer.code == "UNAUTHORIZED" and 'error="invalid_token"' in challenge


# --- good ones --------------------------------------------------------------------------------------------------------


async def test_a_token_opens_what_it_lists(registry: Registry, image: str) -> None:
    client = await registry.bearer("repository:app:pull")
    assert (await client.get("/v2/app/manifests/v1")).status == 200
    assert (await client.get("/v2/app/tags/list")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v2/other/manifests/v1", "repository:other:pull"),
        ("PUT", "/v2/app/manifests/v1", "repository:app:pull,push"),
        ("DELETE", "/v2/app/manifests/v1", "repository:app:delete"),
        ("POST", "/v2/app/blobs/uploads/", "repository:app:pull,push"),
        ("GET", "/v2/_catalog", "registry:catalog:*"),
    ],
)
async def test_what_a_token_does_not_list_is_challenged_with_what_is_needed(
    registry: Registry, image: str, method: str, path: str, scope: str
) -> None:
    client = await registry.bearer("repository:app:pull")
    answer = await client.send(method, path)
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert answer["www-authenticate"] == (
        'Bearer realm="http://localhost:5000/oauth2/token",service="localhost:5000"'
        f',scope="{scope}",error="insufficient_scope"'
    )


async def test_a_token_of_no_scope_signs_in_and_opens_nothing(registry: Registry, image: str) -> None:
    client = await registry.bearer()
    assert (await client.get("/v2/")).status == 200
    assert (await client.get("/v2/app/manifests/v1")).status == 401


async def test_the_word_bearer_is_known_in_any_case(registry: Registry, image: str) -> None:
    token = await registry.token("repository:app:pull")
    for word in ("bearer", "BEARER", "Bearer "):
        client = registry.nobody.having(authorization=f"{word} {token}")
        assert (await client.get("/v2/app/manifests/v1")).status == 200


async def test_a_token_is_good_under_every_name_of_the_registry(registry: Registry, image: str) -> None:
    client = await registry.bearer("repository:app:pull")
    for host in ("127.0.0.1:5000", "local.entrepot.localhost:5000", "[::1]:5000", "LOCALHOST:5000"):
        assert (await client.get("/v2/app/manifests/v1", {"host": host})).status == 200


# --- forged ones ------------------------------------------------------------------------------------------------------


async def test_a_token_of_no_algorithm_is_refused(registry: Registry, image: str, claims: dict[str, Any]) -> None:
    for algorithm in ("none", "None", "NONE", "nOnE", ""):
        head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()).rstrip(b"=")
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
        for signature in (b"", b"AA"):
            assert refused(await pull(registry, (head + b"." + body + b"." + signature).decode()))


async def test_a_token_signed_with_our_public_key_as_a_secret_is_refused(
    registry: Registry, image: str, claims: dict[str, Any], key: SigningKey
) -> None:
    pem = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = {"alg": "HS256", "typ": "JWT", "kid": key.kid}
    assert refused(await pull(registry, _hs256(head, claims, pem)))


def _hs256(head: dict[str, str], claims: dict[str, Any], secret: bytes) -> str:
    """PyJWT itself refuses to sign with a PEM."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, claims)]
    signature = hmac.digest(secret, b".".join(parts), hashlib.sha256)
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


@pytest.mark.parametrize("header", ["jwk", "jku", "x5u", "x5c"])
async def test_a_token_that_brings_its_own_key_is_refused(
    registry: Registry, image: str, claims: dict[str, Any], key: SigningKey, header: str
) -> None:
    """CVE-2025-24976."""
    mine = SigningKey.generate(key.kid)
    assert isinstance(mine.private, ec.EllipticCurvePrivateKey)
    numbers = mine.private.public_key().public_numbers()
    coordinates = [
        base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode() for number in (numbers.x, numbers.y)
    ]
    jwk = {"kty": "EC", "crv": "P-256", "kid": key.kid, "x": coordinates[0], "y": coordinates[1]}
    brought = {"jwk": jwk, "jku": "https://evil.example/jwks", "x5u": "https://evil.example/x5u", "x5c": ["MIIB"]}
    assert refused(await pull(registry, signed(claims, mine, **{header: brought[header]})))


async def test_a_token_of_another_key_under_our_key_s_name_is_refused(
    registry: Registry, image: str, claims: dict[str, Any], key: SigningKey
) -> None:
    assert refused(await pull(registry, signed(claims, SigningKey.generate(key.kid))))
    assert refused(await pull(registry, signed(claims, SigningKey.generate("unknown"))))


@pytest.mark.parametrize("algorithm", ["RS256", "ES384", "HS512", "PS256"])
async def test_a_token_of_another_algorithm_is_refused(
    registry: Registry, image: str, claims: dict[str, Any], key: SigningKey, algorithm: str
) -> None:
    secrets = {
        "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
        "HS512": "x" * 64,
    }
    secret = secrets.get(algorithm, secrets["RS256"])
    assert refused(await pull(registry, jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": key.kid})))


@pytest.mark.parametrize("kid", [None, 5, "", "../../etc/passwd", "'; DROP TABLE signing_key; --", "\0", ["a"], "é"])
async def test_a_key_name_that_is_none_of_ours_is_refused(
    registry: Registry, image: str, claims: dict[str, Any], key: SigningKey, kid: object
) -> None:
    head = {"alg": "ES256", "typ": "JWT", "kid": kid}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (head, claims)]
    good = signed(claims, key).rpartition(".")[2]
    assert refused(await pull(registry, ".".join([*parts, good])))


async def test_ten_thousand_unknown_keys_leave_the_known_ones_good(
    registry: Registry, image: str, claims: dict[str, Any]
) -> None:
    """CVE-2026-48524: a flood of random key names emptied the cache of keys."""
    good = await registry.token("repository:app:pull")
    tail = good.partition(".")[2]
    started = time.perf_counter()
    for number in range(10_000):
        head = base64.urlsafe_b64encode(b'{"alg":"ES256","kid":"%d"}' % number).rstrip(b"=").decode()
        assert (await pull(registry, f"{head}.{tail}")).status == 401
    assert time.perf_counter() - started < 60
    assert (await pull(registry, good)).status == 200


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "a.b",
        "null",
        "e30.e30.",
        "eyJhbGciOiJFUzI1NiJ9.e30.",
        "\x00",
        "é",
        "a b c",
        "." * 1_000_000,
        "a" * 1_000_000,
        "eyJ" + "." * 16_000,
        '{"alg":"none"}',
        "W10.W10.W10",
    ],
    ids=lambda token: repr(token)[:16],
)
async def test_a_token_that_is_none_is_refused_at_once(registry: Registry, image: str, token: str) -> None:
    """CVE-2025-30204: memory by many dots."""
    started = time.perf_counter()
    answer = await pull(registry, token)
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert time.perf_counter() - started < 2


async def test_a_changed_token_is_refused(registry: Registry, image: str) -> None:
    head, body, signature = (await registry.token("repository:app:pull")).split(".")
    payload = json.loads(base64.urlsafe_b64decode(body + "=="))
    payload["access"].append({"type": "repository", "name": "other", "actions": ["pull"]})
    changed = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    assert refused(await pull(registry, f"{head}.{changed}.{signature}"))


async def test_a_token_of_the_directory_is_no_token_of_the_registry(registry: Registry, image: str) -> None:
    """Nor when it says all that one of the registry says: keys have one use each."""
    assert refused(await pull(registry, directory_token(registry)))
    claims = jwt.decode(await registry.token("repository:app:pull"), options={"verify_signature": False})
    key = key_of(registry, Use.DIRECTORY)
    forged = jwt.encode(claims, key.private, key.algorithm, headers={"kid": key.kid})
    assert refused(await pull(registry, forged))


async def test_a_token_of_the_registry_is_no_token_of_the_directory(registry: Registry, key: SigningKey) -> None:
    claims = jwt.decode(directory_token(registry), options={"verify_signature": False})
    assert (await exchange(registry, signed(claims, key))).status == 401


# --- other times, other places ----------------------------------------------------------------------------------------


async def test_a_token_ends_with_its_time(registry: Registry, image: str) -> None:
    token = await registry.token("repository:app:pull")
    registry.clock.advance(minutes=59, seconds=59)
    assert (await pull(registry, token)).status == 200
    registry.clock.advance(seconds=1)
    answer = await pull(registry, token)
    assert refused(answer)
    assert 'scope="repository:app:pull"' in answer["www-authenticate"]


async def test_a_token_of_the_future_is_refused(
    registry: Registry, image: str, claims: dict[str, Any], key: SigningKey
) -> None:
    later = int((registry.clock.now + timedelta(hours=2)).timestamp())
    claims |= {"nbf": later, "iat": later, "exp": later + 3600}
    assert refused(await pull(registry, signed(claims, key)))


async def test_a_client_whose_clock_runs_behind_is_forgiven(claims: dict[str, Any], registry: Registry) -> None:
    """ACR dates its tokens back."""
    assert claims["nbf"] <= (registry.clock.now - timedelta(minutes=5)).timestamp()
    assert claims["exp"] > claims["nbf"]


@pytest.mark.parametrize("missing", ["exp", "nbf", "sub", "rid", "aud", "grant_type", "access", "iss"])
async def test_a_token_without_what_a_token_says_is_refused(
    registry: Registry, image: str, claims: dict[str, Any], key: SigningKey, missing: str
) -> None:
    del claims[missing]
    assert refused(await pull(registry, signed(claims, key)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rid", "0" * 32),
        ("iss", "Somebody Else"),
        ("grant_type", "refresh_token"),
        ("grant_type", "password"),
        ("access", None),
        ("oid", "nobody"),
        ("oid", ""),
        ("cred", "0" * 36),
        ("rid", ""),
        ("rid", None),
        ("sub", "nobody"),
        ("sub", "' OR 1=1 --"),
        ("sub", "anonymous"),
        ("access", "repository:app:pull"),
        ("exp", "tomorrow"),
        ("exp", 10**30),
        ("exp", -1),
        ("exp", 1e300),
        ("sub", "a\0b"),
    ],
)
async def test_a_token_that_says_something_else_is_refused(
    registry: Registry, image: str, claims: dict[str, Any], key: SigningKey, name: str, value: object
) -> None:
    """Even one that our key signed: another kind of token of ours must not pass for an access token."""
    claims[name] = value
    assert refused(await pull(registry, signed(claims, key)))


async def test_a_token_of_one_registry_opens_nothing_in_another(registry: Registry, start_registry) -> None:
    registry.query(lambda tx: add_registry(tx, "second", "f" * 32))
    worker = await start_registry()
    client = await worker.bearer("repository:app:pull", "registry:catalog:*")
    answer = await client.get("/v2/_catalog", {"host": "second.entrepot.localhost:5000"})
    assert answer.status == 401
    assert 'service="second.entrepot.localhost:5000"' in answer["www-authenticate"]


# --- a token that ends during a push ----------------------------------------------------------------------------------


async def test_a_push_outlives_the_token_that_began_it(registry: Registry) -> None:
    """DESIGN D6: a session carries its own authorisation."""
    app = registry.repository("app", await registry.bearer("repository:app:pull,push"))
    upload = await app.start()
    await upload.append(CONTENT[:10])
    registry.clock.advance(minutes=61)
    assert (await upload.append(CONTENT[10:15])).status == 202
    assert (await upload.status()).status == 204
    assert (await upload.close(digest_of(CONTENT), CONTENT[15:])).status == 201
    assert (await registry.repository("app").blob(digest_of(CONTENT))).body == CONTENT


async def test_an_expired_token_may_cancel_its_own_upload(registry: Registry) -> None:
    app = registry.repository("app", await registry.bearer("repository:app:pull,push"))
    upload = await app.start()
    registry.clock.advance(minutes=61)
    assert (await upload.cancel()).status == 204


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/app/blobs/uploads/"),
        ("POST", "/v2/app/blobs/uploads/?digest=" + digest_of(b"")),
        ("HEAD", "/v2/app/blobs/" + digest_of(CONTENT)),
        ("GET", "/v2/app/manifests/v1"),
        ("PUT", "/v2/app/manifests/v1"),
        ("DELETE", "/v2/app/manifests/v1"),
        ("GET", "/v2/app/tags/list"),
        ("GET", "/v2/_catalog"),
        ("GET", "/v2/"),
    ],
)
async def test_an_expired_token_opens_nothing_but_its_own_upload(registry: Registry, method: str, path: str) -> None:
    client = await registry.bearer("repository:app:pull,push,delete", "registry:catalog:*")
    upload = await registry.repository("app", client).start()
    registry.clock.advance(minutes=61)
    assert (await client.send(method, path)).status == 401
    assert (await upload.status()).status == 204


async def test_an_expired_token_is_not_enough_for_the_upload_of_another_repository(registry: Registry) -> None:
    theirs = await registry.repository("other").start()
    client = await registry.bearer("repository:app:pull,push")
    registry.clock.advance(minutes=61)
    assert (await client.get(theirs.location)).status == 401


async def test_a_token_without_push_does_not_touch_its_principal_s_upload(registry: Registry) -> None:
    upload = await registry.repository("app").start()
    client = await registry.bearer("repository:app:pull")
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        answer = await client.send(method, upload.location, body=b"" if method in {"PATCH", "PUT"} else None)
        assert answer.status == 401


# --- revocation -------------------------------------------------------------------------------------------------------


async def test_a_disabled_principal_is_out_within_two_seconds(registry: Registry, image: str, until) -> None:
    """DESIGN D9, also with a token in hand, with Basic, and in the middle of a push."""
    token = await registry.token("repository:app:pull,push")
    upload = await registry.repository("app", registry.nobody.bearing(token)).start()
    assert (await pull(registry, token)).status == 200
    registry.query(lambda tx: disable(tx, OWNER))

    async def is_out() -> bool:
        return (await pull(registry, token)).status == 401

    await until(is_out, within=2.5)
    assert (await registry.http.get("/v2/")).status == 401
    assert (await upload.append(b"more")).status == 401
    assert (await registry.http.get("/oauth2/token?service=localhost:5000")).status == 401
