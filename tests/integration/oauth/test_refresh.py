"""Refresh and access tokens in the place of a password. Source: ACR-REFERENCE 4.3, 4.4; docker's token client."""

import pytest
from tests.content import an_image
from tests.integration.oauth.forms import NIL, SERVICE, access_of, ask, claims_of, refresh_token
from tests.registry import OWNER, Registry
from tests.wire import Answer

PULL = "repository:app:pull"
PULLED = [{"type": "repository", "name": "app", "actions": ["pull"]}]


async def by_form(registry: Registry, token: str) -> Answer:
    return await ask(registry, PULL, grant_type="refresh_token", refresh_token=token)


async def by_password(registry: Registry, token: str) -> Answer:
    return await ask(registry, PULL, grant_type="password", username=NIL, password=token)


async def by_basic(registry: Registry, token: str) -> Answer:
    query = f"/oauth2/token?service={SERVICE}&scope={PULL}"
    return await registry.nobody.signed_in(NIL, token).get(query)


@pytest.mark.parametrize("way", [by_form, by_password, by_basic])
async def test_a_refresh_token_gets_access_tokens_for_three_hours(registry: Registry, way) -> None:
    refresh = await refresh_token(registry)
    registry.clock.advance(hours=2, minutes=59)
    answer = await way(registry, refresh)
    assert access_of(answer) == PULLED
    assert claims_of(answer.json()["access_token"])["appid"] == OWNER
    registry.clock.advance(minutes=1)
    assert (await way(registry, refresh)).status == 401


@pytest.mark.parametrize("way", [by_password, by_basic])
async def test_an_access_token_gets_a_narrower_one_that_ends_with_it(registry: Registry, way) -> None:
    wide = await registry.token("repository:app:pull,push", "repository:other:pull")
    registry.clock.advance(minutes=50)
    answer = await way(registry, wide)
    assert access_of(answer) == PULLED
    assert claims_of(answer.json()["access_token"])["exp"] == claims_of(wide)["exp"]
    assert answer.json()["expires_in"] == 600
    registry.clock.advance(minutes=10)
    assert (await way(registry, wide)).status == 401


async def test_an_access_token_never_gets_a_wider_one(registry: Registry) -> None:
    narrow = await registry.token("repository:app:pull")
    asked = "repository:app:pull,push,delete repository:other:pull registry:catalog:* repository:*:pull"
    answer = await ask(registry, asked.rpartition(" ")[0], grant_type="password", username=NIL, password=narrow)
    assert access_of(answer) == PULLED


async def test_an_access_token_is_no_refresh_token(registry: Registry) -> None:
    assert (await by_form(registry, await registry.token(PULL))).status == 401


async def test_a_refresh_token_is_no_access_token(registry: Registry) -> None:
    answer = await registry.nobody.bearing(await refresh_token(registry)).get("/v2/_catalog")
    assert (answer.status, 'error="invalid_token"' in answer["www-authenticate"]) == (401, True)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 20_000, "\0"], ids=["none", "x", "abc", "huge", "nul"])
async def test_what_is_no_token_is_refused_in_its_place(registry: Registry, token: str) -> None:
    for way in (by_form, by_password, by_basic):
        answer = await way(registry, token)
        assert (answer.status, answer.code) == (401, "UNAUTHORIZED")


async def test_a_refresh_token_opens_the_registry_as_basic(registry: Registry) -> None:
    """ACR takes Basic on /v2 directly, with every credential."""
    await registry.repository("app").push(an_image(), "v1")
    client = registry.nobody.signed_in(NIL, await refresh_token(registry))
    assert (await client.get("/v2/app/manifests/v1")).status == 200
    registry.clock.advance(hours=3)
    assert (await client.get("/v2/app/manifests/v1")).status == 401


async def test_docker_keeps_the_refresh_token_that_it_signed_in_with(registry: Registry) -> None:
    """As after ``az acr login``: docker stores it as its identity token and sends it by form from then on."""
    refresh = await refresh_token(registry)
    query = f"/oauth2/token?account={NIL}&client_id=docker&offline_token=true&service={SERVICE}"
    answer = await registry.nobody.signed_in(NIL, refresh).get(query)
    assert answer.json()["refresh_token"] == refresh
    form = {"grant_type": "refresh_token", "client_id": "docker", "access_type": "offline"}
    again = await ask(registry, PULL, **form, refresh_token=refresh)
    assert (again.json()["refresh_token"], access_of(again)) == (refresh, PULLED)


async def test_docker_keeps_the_password_that_it_signed_in_with(registry: Registry) -> None:
    """A refresh token in its place would end after three hours, and the sign-in with it."""
    answer = await registry.http.get(f"/oauth2/token?client_id=docker&offline_token=true&service={SERVICE}")
    assert "refresh_token" not in answer.json()


async def test_a_mount_needs_the_scopes_of_both_repositories(registry: Registry) -> None:
    refresh = await refresh_token(registry)
    scopes = "repository:target:pull,push repository:source:pull"
    answer = await ask(registry, scopes, grant_type="refresh_token", refresh_token=refresh)
    assert [entry["name"] for entry in access_of(answer)] == ["target", "source"]


@pytest.mark.parametrize("scope", ["registry:None:*", "registry:something:*", "artifact-repository:app:pull", ""])
async def test_a_scope_that_means_nothing_here_gets_a_token_all_the_same(registry: Registry, scope: str) -> None:
    """``az acr check-health`` asks for the first."""
    refresh = await refresh_token(registry)
    assert access_of(await ask(registry, scope, grant_type="refresh_token", refresh_token=refresh)) == []


@pytest.mark.parametrize(("words", "version"), [("pull,push", "1.0"), ("metadata_read", "2.0")])
async def test_an_access_token_says_what_acr_s_says_in_acr_s_order(
    registry: Registry, words: str, version: str
) -> None:
    claims = claims_of(await registry.token(f"repository:app:{words}"))
    assert list(claims)[:-1] == [
        *("jti", "sub", "nbf", "exp", "iat", "iss", "aud", "version", "rid"),
        *("access", "roles", "grant_type", "appid"),
    ]
    assert claims["version"] == version
    assert claims["exp"] - claims["nbf"] == 4500
