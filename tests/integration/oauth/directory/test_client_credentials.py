"""An application signs in with what it has, and with nothing else."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from tests.directory import (
    ARM,
    Endpoints,
    KeyPair,
    add_application,
    claims_for,
    claims_of,
    endpoints,
    is_good,
    new,
    number,
    tenant_id,
)
from tests.integration.conftest import StartRegistry
from tests.registry import OWNER, OWNER_SECRET, Registry
from tests.wire import Answer, Client

from entrepot.identities import applications, people

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def assert_with(registry: Registry, client_id: str, assertion: str) -> Answer:
    form = {"client_id": client_id, "client_assertion": assertion, "client_assertion_type": JWT_BEARER, "scope": ARM}
    return await endpoints(registry).token("client_credentials", **form)


@pytest.fixture
def robot(registry: Registry) -> tuple[str, KeyPair]:
    """An application with a certificate: its client id and the pair."""
    made, _ = add_application(registry)
    pair = KeyPair.make(registry.clock())
    registry.query(lambda tx: applications.add_certificate(tx, made.principal_id, new(registry), pair.pem))
    return made.client_id, pair


async def test_a_secret_gets_a_token_for_the_management_api(registry: Registry):
    made, secret = add_application(registry)
    answer = await endpoints(registry).token(
        "client_credentials", client_id=made.client_id, client_secret=secret.value, scope=ARM
    )
    body = answer.json()
    claims = claims_of(body["access_token"])
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3600, ARM)
    assert (claims["aud"], claims["appid"], claims["oid"]) == (
        "https://management.azure.com",
        made.client_id,
        made.principal_id,
    )
    assert (claims["tid"], claims["idtyp"], claims["iss"]) == (
        tenant_id(registry),
        "app",
        f"http://{registry.host}/{tenant_id(registry)}/",
    )


async def test_the_secret_of_the_first_owner_gets_a_token_too(registry: Registry):
    assert (await endpoints(registry).for_owner()).status == 200


async def test_the_token_is_signed_by_a_published_key(registry: Registry):
    token = (await endpoints(registry).for_owner()).json()["access_token"]
    keys = (await registry.nobody.get("/common/discovery/v2.0/keys")).json()["keys"]
    key = next(key for key in keys if key["kid"] == jwt.get_unverified_header(token)["kid"])
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_aud": False, "verify_iat": False}
    assert jwt.decode(token, jwt.PyJWK(key), algorithms=["RS256"], options=options)["appid"] == OWNER


@pytest.mark.parametrize("tenant", ["common", "organizations", "adfs", "ID"])
async def test_each_way_to_write_the_tenant_is_the_same_tenant(registry: Registry, tenant: str):
    here = endpoints(registry, tenant_id(registry) if tenant == "ID" else tenant)
    assert claims_of((await here.for_owner()).json()["access_token"])["tid"] == tenant_id(registry)


async def test_an_unknown_tenant_is_refused(registry: Registry):
    answer = await endpoints(registry, "contoso.example").for_owner()
    assert (answer.status, number(answer)) == (400, 90002)


@pytest.mark.parametrize(
    ("scope", "audience"),
    [
        ("https://management.azure.com//.default", "https://management.azure.com/"),
        ("https://management.core.windows.net/.default", "https://management.core.windows.net"),
        ("https://containerregistry.azure.net/.default", "https://containerregistry.azure.net"),
        ("https://graph.microsoft.com/.default", "https://graph.microsoft.com"),
        ("http://localhost:5000//.default", "http://localhost:5000/"),
    ],
)
async def test_a_scope_names_the_audience_before_its_last_slash(registry: Registry, scope: str, audience: str):
    body = (await endpoints(registry).for_owner(scope)).json()
    assert (claims_of(body["access_token"])["aud"], body["scope"]) == (audience, scope)


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        ("https://elsewhere.example/.default", 500011),
        ("https://localhost.example:5000/.default", 500011),
        ("https://local.entrepot.localhost:5000/.default", 500011),
        ("https://management.azure.com/.default https://graph.microsoft.com/.default", 70011),
        ("openid", 900144),
        ("", 900144),
    ],
)
async def test_a_scope_that_is_no_audience_of_ours_is_refused(registry: Registry, scope: str, code: int):
    assert number(await endpoints(registry).for_owner(scope)) == code


async def test_version_one_asks_with_a_resource_and_gets_numbers_as_texts(registry: Registry):
    form = {
        "grant_type": "client_credentials",
        "client_id": OWNER,
        "client_secret": OWNER_SECRET,
        "resource": "https://management.core.windows.net/",
    }
    body = (await endpoints(registry).post("token", form)).json()
    assert (body["resource"], body["expires_in"]) == ("https://management.core.windows.net/", "3600")
    assert int(body["expires_on"]) - int(body["not_before"]) == 3600
    assert claims_of(body["access_token"])["aud"] == "https://management.core.windows.net/"


async def test_the_secret_may_come_as_basic(registry: Registry):
    http = registry.nobody.signed_in(OWNER, OWNER_SECRET)
    answer = await Endpoints(http).token("client_credentials", scope=ARM)
    assert answer.status == 200


@pytest.mark.parametrize(
    ("change", "status", "code", "error"),
    [
        ({"client_secret": "wrong"}, 401, 7000215, "invalid_client"),
        ({"client_id": "nobody-has-this"}, 400, 700016, "unauthorized_client"),
        ({"client_secret": ""}, 401, 7000215, "invalid_client"),
        ({"client_id": ""}, 400, 900144, "invalid_request"),
        ({"grant_type": ""}, 400, 900144, "invalid_request"),
        ({"grant_type": "implicit"}, 400, 70003, "unsupported_grant_type"),
    ],
)
async def test_a_refusal_has_the_number_that_clients_know(
    registry: Registry, change: dict[str, str], status: int, code: int, error: str
):
    form = {"grant_type": "client_credentials", "client_id": OWNER, "client_secret": OWNER_SECRET, "scope": ARM}
    answer = await endpoints(registry).post("v2.0/token", form | change, {"client-request-id": "the-correlation"})
    body = answer.json()
    assert (answer.status, number(answer), body["error"]) == (status, code, error)
    assert (body["trace_id"], body["correlation_id"]) == (answer["x-request-id"], "the-correlation")


async def test_a_form_without_a_credential_says_which_fields_it_lacks(registry: Registry):
    answer = await endpoints(registry).token("client_credentials", client_id=OWNER, scope=ARM)
    assert (answer.status, number(answer)) == (401, 7000218)


async def test_secrets_overlap_while_clients_move(registry: Registry):
    made, first = add_application(registry)
    second = registry.query(lambda tx: applications.add_secret(tx, made.principal_id, new(registry), "second"))
    for value in (first.value, second.value):
        answer = await endpoints(registry).token(
            "client_credentials", client_id=made.client_id, client_secret=value, scope=ARM
        )
        assert answer.status == 200


async def test_a_removed_secret_ends_and_the_tokens_got_by_it_too(registry: Registry):
    made, secret = add_application(registry)
    form = {"client_id": made.client_id, "client_secret": secret.value, "scope": ARM}
    token = (await endpoints(registry).token("client_credentials", **form)).json()["access_token"]
    assert await is_good(registry, token)
    registry.query(lambda tx: applications.remove_credential(tx, made.principal_id, secret.id))
    assert number(await endpoints(registry).token("client_credentials", **form)) == 7000215
    assert not await is_good(registry, token)


async def test_a_token_ends_with_its_secret(registry: Registry):
    made, _ = add_application(registry)
    ends = registry.clock.now.replace(microsecond=0)
    registry.clock.advance(minutes=-10)
    secret = registry.query(lambda tx: applications.add_secret(tx, made.principal_id, new(registry), "short", ends))
    form = {"client_id": made.client_id, "client_secret": secret.value, "scope": ARM}
    assert (await endpoints(registry).token("client_credentials", **form)).json()["expires_in"] <= 600
    registry.clock.advance(minutes=11)
    assert number(await endpoints(registry).token("client_credentials", **form)) == 7000222


async def test_a_disabled_application_gets_nothing(registry: Registry):
    made, secret = add_application(registry)
    registry.query(lambda tx: people.set_enabled(tx, made.principal_id, False))
    answer = await endpoints(registry).token(
        "client_credentials", client_id=made.client_id, client_secret=secret.value, scope=ARM
    )
    assert number(answer) == 7000112


# --- certificates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
async def test_an_assertion_of_the_certificate_gets_a_token(registry: Registry, robot, algorithm: str):
    client_id, pair = robot
    answer = await assert_with(registry, client_id, pair.sign(claims_for(registry, client_id), algorithm))
    assert claims_of(answer.json()["access_token"])["appid"] == client_id


@pytest.mark.parametrize("form", ["base64", "hex"])
async def test_the_old_thumbprint_names_the_certificate_too(registry: Registry, robot, form: str):
    client_id, pair = robot
    sha1 = pair.certificate.fingerprint(hashes.SHA1())  # noqa: S303  a name
    thumbprint = sha1.hex().upper() if form == "hex" else base64.urlsafe_b64encode(sha1).decode()
    assertion = jwt.encode(claims_for(registry, client_id), pair.key, "RS256", {"x5t": thumbprint})
    assert (await assert_with(registry, client_id, assertion)).status == 200


async def test_an_assertion_may_come_again_while_it_lasts(registry: Registry, robot):
    client_id, pair = robot
    assertion = pair.sign(claims_for(registry, client_id))
    assert (await assert_with(registry, client_id, assertion)).status == 200
    assert (await assert_with(registry, client_id, assertion)).status == 200
    registry.clock.advance(minutes=16)
    assert number(await assert_with(registry, client_id, assertion)) == 700024


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "https://login.microsoftonline.com/common/oauth2/v2.0/token"}, 700023),
        ({"aud": "http://localhost:5000/contoso.example/oauth2/v2.0/token"}, 700023),
        ({"sub": "somebody-else"}, 50027),
        ({"exp": 1}, 700024),
        ({"exp": 4_102_444_800}, 50027),
        ({"nbf": 4_102_444_800}, 700024),
        ({"exp": None}, 50027),
        ({"aud": None}, 50027),
        ({"iss": "https://issuer.example"}, 70021),
    ],
)
async def test_an_assertion_that_says_something_else_is_refused(
    registry: Registry, robot, changes: dict[str, object], code: int
):
    client_id, pair = robot
    answer = await assert_with(registry, client_id, pair.sign(claims_for(registry, client_id, **changes)))
    assert (answer.status, number(answer)) == (401, code)


Forge = Callable[[KeyPair, dict[str, Any]], str]


def _none(pair: KeyPair, claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "", "none", {"x5t#S256": pair.thumbprint})


def _public_key_as_secret(pair: KeyPair, claims: dict[str, Any]) -> str:
    """HS256 with the public key's text: pyjwt refuses to make it, so it is put together by hand."""
    pem = pair.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head, body = (_part(part) for part in ({"alg": "HS256", "typ": "JWT", "x5t#S256": pair.thumbprint}, claims))
    signed = f"{head}.{body}"
    return f"{signed}.{_mac(pem, signed)}"


def _mac(key: bytes, text: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).rstrip(b"=").decode()


def _part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def _another_key(pair: KeyPair, claims: dict[str, Any]) -> str:
    return KeyPair(KeyPair.make(pair.certificate.not_valid_before_utc).key, pair.certificate).sign(claims)


def _own_certificate_in_the_header(pair: KeyPair, claims: dict[str, Any]) -> str:
    other = KeyPair.make(pair.certificate.not_valid_before_utc)
    der = base64.b64encode(other.certificate.public_bytes(serialization.Encoding.DER)).decode()
    return jwt.encode(
        claims, other.key, "RS256", {"x5c": [der], "x5t#S256": other.thumbprint, "jku": "https://x.example"}
    )


def _kid_of_a_file(pair: KeyPair, claims: dict[str, Any]) -> str:
    return jwt.encode(claims, pair.key, "RS256", {"kid": "../../../../dev/null"})


@pytest.mark.parametrize(
    "forge", [_none, _public_key_as_secret, _another_key, _own_certificate_in_the_header, _kid_of_a_file]
)
async def test_a_forged_assertion_is_refused(registry: Registry, robot, forge: Forge):
    client_id, pair = robot
    answer = await assert_with(registry, client_id, forge(pair, claims_for(registry, client_id)))
    assert (answer.status, number(answer)) == (401, 700027)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "....", "e30.e30.e30", "é", "x" * 20_000, "[" * 5000])
async def test_what_is_no_assertion_is_refused(registry: Registry, robot, text: str):
    answer = await assert_with(registry, robot[0], text)
    assert answer.status in {400, 401}


async def test_another_application_s_certificate_does_not_do(registry: Registry, robot):
    other, _ = add_application(registry, "another")
    answer = await assert_with(registry, other.client_id, robot[1].sign(claims_for(registry, other.client_id)))
    assert number(answer) == 700027


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"grant_type=client_credentials&grant_type=password",
        b"grant_type=%ff",
        "grant_type=é".encode(),
        b"&".join(b"a%d=1" % place for place in range(200)),
        b"grant_type=client_credentials&client_id=%00",
    ],
    ids=["twice", "not-utf-8", "not-ascii", "many", "nul"],
)
async def test_a_form_that_cannot_be_read_is_refused(registry: Registry, body: bytes):
    answer = await registry.nobody.post("/common/oauth2/v2.0/token", body)
    assert (answer.status, number(answer)) == (400, 9002313)


async def test_a_huge_form_is_refused_before_it_is_read(registry: Registry):
    answer = await registry.nobody.post("/common/oauth2/v2.0/token", headers={"content-length": "10000000000"})
    assert answer.status == 413


async def test_nothing_of_it_is_served_under_a_registry_s_own_name(start_registry: StartRegistry):
    registry = await start_registry()
    http = Client(registry.app, "local.entrepot.localhost:5000")
    for target in ("/common/v2.0/.well-known/openid-configuration", "/devicelogin", "/common/discovery/v2.0/keys"):
        assert (await http.get(target)).status == 404
    assert (await Endpoints(http).for_owner()).status == 404
