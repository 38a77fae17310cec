"""Spec: distribution "Token Authentication Specification"; ACR's answers (ACR-REFERENCE 4.3 to 4.6)."""

from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import pytest
from tests.content import an_image
from tests.integration.rows import add_registry
from tests.registry import OWNER, OWNER_SECRET, Registry
from tests.wire import Answer

ASK = "/oauth2/token?service=localhost:5000"


def granted(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    body = answer.json()
    assert body["token"] == body["access_token"]
    access = jwt.decode(body["token"], options={"verify_signature": False})["access"]
    return sorted(({**entry, "actions": sorted(entry["actions"])} for entry in access), key=lambda entry: entry["name"])


async def form(registry: Registry, fields: dict[str, str | list[str]]) -> Answer:
    body = urlencode(fields, doseq=True).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return await registry.nobody.post("/oauth2/token", body, headers)


SIGN_IN = {"grant_type": "password", "service": "localhost:5000", "username": OWNER, "password": OWNER_SECRET}


@pytest.mark.parametrize("way", ["query", "form"])
async def test_a_client_gets_a_token_for_what_it_asks(registry: Registry, way: str) -> None:
    scope = "repository:team/app:pull,push"
    if way == "query":
        answer = await registry.http.get(f"{ASK}&scope={scope}")
    else:
        answer = await form(registry, {**SIGN_IN, "scope": scope})
    assert granted(answer) == [{"type": "repository", "name": "team/app", "actions": ["pull", "push"]}]
    assert answer.json()["expires_in"] == 3600
    assert datetime.fromisoformat(answer.json()["issued_at"]) == registry.clock.now
    assert answer["cache-control"] == "no-store"


async def test_the_token_says_what_acr_s_says(registry: Registry) -> None:
    token = await registry.token("repository:app:pull")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["aud"] == "localhost:5000"
    assert claims["iss"] == "Azure Container Registry"
    assert claims["grant_type"] == "access_token"
    assert {"jti", "sub", "nbf", "exp", "iat", "version", "rid", "access", "roles"} <= set(claims)
    assert jwt.get_unverified_header(token)["alg"] == "ES256"


async def test_no_two_tokens_are_the_same(registry: Registry) -> None:
    assert await registry.token("repository:app:pull") != await registry.token("repository:app:pull")


@pytest.mark.parametrize(
    "query",
    ["&scope=repository:a:pull&scope=repository:b:push", "&scope=repository:a:pull%20repository:b:push"],
    ids=["two parameters", "one with a space"],
)
async def test_several_scopes_may_be_asked_for(registry: Registry, query: str) -> None:
    answer = await registry.http.get(ASK + query)
    assert [entry["name"] for entry in granted(answer)] == ["a", "b"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("repository:app:*", ["delete", "metadata_read", "pull", "push"]),
        ("repository:app:pull,fly", ["pull"]),
        ("repository:app:pull,pull,pull", ["pull"]),
        ("repository:app:delete,metadata_read", ["delete", "metadata_read"]),
    ],
)
async def test_a_token_lists_the_words_that_are_known(registry: Registry, asked: str, expected: list[str]) -> None:
    (entry,) = granted(await registry.http.get(f"{ASK}&scope={asked}"))
    assert set(expected) <= set(entry["actions"])
    assert "*" not in entry["actions"]
    assert "fly" not in entry["actions"]


@pytest.mark.parametrize(
    "scope",
    [
        "repository:app:",
        "repository:app:fly",
        "registry:catalog:pull",
        "registry:other:*",
        "planet:app:pull",
        "repository(plugin):app:pull",
        "",
        "%20%20",
    ],
)
async def test_what_means_nothing_grants_nothing(registry: Registry, scope: str) -> None:
    assert granted(await registry.http.get(f"{ASK}&scope={scope}")) == []


@pytest.mark.parametrize(
    "scope",
    [
        "repository:*:*",
        "repository:*:pull",
        "repository:UPPER:pull",
        "repository:../app:pull",
        "repository:a//b:pull",
        "repository::pull",
        "repository:app",
        "repository",
        "repository:app:pull:push",
        "repository:localhost:5000/app:pull",
        "repository:app%00:pull",
        "repository:" + "a" * 256 + ":pull",
        "%C3%A9",
        "%FF",
    ],
    ids=lambda scope: scope[:32],
)
async def test_a_scope_of_another_form_is_refused(registry: Registry, scope: str) -> None:
    answer = await registry.http.get(f"{ASK}&scope={scope}")
    assert (answer.status, answer.code in {"UNSUPPORTED", "NAME_INVALID"}) == (400, True)


@pytest.mark.parametrize("count", [101, 100_000])
async def test_too_many_scopes_are_refused(registry: Registry, count: int) -> None:
    answer = await registry.http.get(ASK + "&scope=repository:a:pull" * count)
    assert answer.status == 400
    packed = await registry.http.get(f"{ASK}&scope=" + quote("repository:a:pull " * count))
    assert packed.status == 400


@pytest.mark.parametrize("service", ["localhost:5000", "localhost", "127.0.0.1:5000", "local.entrepot.localhost:5000"])
async def test_service_may_be_any_name_of_the_registry(registry: Registry, service: str) -> None:
    answer = await registry.http.get(f"/oauth2/token?service={service}&scope=repository:app:pull")
    assert granted(answer)


async def test_service_may_be_left_out(registry: Registry) -> None:
    assert granted(await registry.http.get("/oauth2/token?scope=repository:app:pull"))


@pytest.mark.parametrize("service", ["evil.example", "second.entrepot.localhost:5000", "%00", "", "local"])
async def test_a_token_for_another_service_is_not_given(registry: Registry, start_registry, service: str) -> None:
    registry.query(lambda tx: add_registry(tx, "second", "f" * 32))
    worker = await start_registry()
    answer = await worker.http.get(f"/oauth2/token?service={service}&scope=repository:app:pull")
    assert answer.status == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "nobody"},
        {"password": "wrong"},
        {"username": ""},
        {"password": ""},
        {"username": f"{OWNER}\0"},
        {"password": f"{OWNER_SECRET}\0"},
    ],
    ids=repr,
)
async def test_a_wrong_credential_in_a_form_is_refused(registry: Registry, fields: dict[str, str]) -> None:
    answer = await form(registry, {**SIGN_IN, **fields})
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("grant", [None, "", "refresh_token", "client_credentials", ["password", "password"], "\0"])
async def test_another_grant_type_is_refused(registry: Registry, grant: str | list[str] | None) -> None:
    fields = {**SIGN_IN, "grant_type": grant} if grant is not None else {"service": "localhost:5000"}
    assert (await form(registry, fields)).status in {400, 401}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\xff\xfe", 400),
        (b"grant_type=%FF", 400),
        (b"&" * 1000, 400),
        (b"a=b&" * 101, 400),
        (b"{}", 400),
        (b"x" * 65_537, 413),
        (b"grant_type=password&username=" + b"x" * 60_000, 401),
    ],
    ids=lambda case: repr(case)[:20],
)
async def test_a_form_that_cannot_be_read_is_refused(registry: Registry, body: bytes, status: int) -> None:
    answer = await registry.nobody.post("/oauth2/token", body)
    assert answer.status == status


async def test_a_bearer_token_is_not_exchanged_for_another(registry: Registry) -> None:
    """Otherwise a token for one repository would become one for all."""
    client = await registry.bearer("repository:app:pull")
    answer = await client.get(f"{ASK}&scope=repository:other:push")
    assert answer.status == 401


# --- anonymous --------------------------------------------------------------------------------------------------------


async def test_without_anonymous_pull_nobody_gets_a_token(registry: Registry) -> None:
    answer = await registry.nobody.get(f"{ASK}&scope=repository:app:pull")
    assert (answer.status, "www-authenticate" in dict(answer.headers)) == (401, True)
    assert (await form(registry, {"grant_type": "password", "service": "localhost:5000"})).status == 401


async def test_where_anonymous_pull_is_on_everyone_reads_and_nobody_writes(start_registry) -> None:
    registry = await start_registry(anonymous_pull=True)
    image = an_image()
    await registry.repository("app").push(image, "v1")
    answer = await registry.nobody.get(f"{ASK}&scope=repository:app:pull,push,delete,metadata_read")
    assert granted(answer) == [{"type": "repository", "name": "app", "actions": ["metadata_read", "pull"]}]
    assert answer.json()["expires_in"] < 3600
    anyone = registry.nobody.bearing(answer.json()["access_token"])
    for client in (anyone, registry.nobody):
        app = registry.repository("app", client)
        assert (await app.manifest("v1")).body == image.body
        assert await app.tags() == ["v1"]
        assert (await app.put(image, "v2")).status == 401
        assert (await client.post(app.path("blobs/uploads/"))).status == 401
        assert (await client.delete(app.path("manifests/v1"))).status == 401


async def test_a_wrong_credential_is_refused_although_everyone_may_read(start_registry) -> None:
    registry = await start_registry(anonymous_pull=True)
    client = registry.nobody.signed_in(OWNER, "wrong")
    assert (await client.get("/v2/app/tags/list")).status == 401
    assert (await client.get(f"{ASK}&scope=repository:app:pull")).status == 401


async def test_the_challenge_of_a_push_still_comes_where_everyone_may_read(start_registry) -> None:
    """Docker signs in only when it is asked to."""
    registry = await start_registry(anonymous_pull=True)
    answer = await registry.nobody.post("/v2/app/blobs/uploads/")
    assert 'scope="repository:app:pull,push"' in answer["www-authenticate"]
