"""Graph makes, changes and deletes people under the rules of the directory."""

import pytest
from tests.directory import AZURE_CLI, PASSWORD, Browser, authorize_path, browser, endpoints, is_good, number
from tests.integration.conftest import StartRegistry
from tests.management import GRAPH, Json, Management, management
from tests.registry import Registry

UPN = "grace@example.com"
NEW = {
    "userPrincipalName": UPN,
    "displayName": "Grace",
    "mailNickname": "grace",
    "accountEnabled": True,
    "passwordProfile": {"password": PASSWORD, "forceChangePasswordNextSignIn": False},
}
SCOPE = "https://management.azure.com/.default"


@pytest.fixture
async def registry(start_registry: StartRegistry) -> Registry:
    return await start_registry(password_grant=True)


@pytest.fixture
async def graph(registry: Registry) -> Management:
    found = await management(registry, audience=GRAPH)
    return Management(found.http, found.subscription, None)


async def made(graph: Management, **changes: Json) -> Json:
    answer = await graph.post("/v1.0/users", {**NEW, **changes})
    assert answer.status == 201, answer.body
    return answer.json()


async def sign_in(registry: Registry, password: str = PASSWORD) -> dict:
    form = {"client_id": AZURE_CLI, "username": UPN, "password": password, "scope": SCOPE}
    answer = await endpoints(registry).token("password", **form)
    return answer.json() if answer.status == 200 else {"number": number(answer)}


async def test_a_person_is_made_shown_listed_and_signs_in(graph: Management, registry: Registry) -> None:
    person = await made(graph)
    shown = (person["userPrincipalName"], person["displayName"], person["mailNickname"], person["accountEnabled"])
    assert shown == (UPN, "Grace", "grace", True)
    for wanted in (person["id"], UPN.upper()):
        assert (await graph.get(f"/v1.0/users/{wanted}")).json() == person
    assert (await graph.get("/v1.0/users")).json()["value"] == [person]
    assert await is_good(registry, (await sign_in(registry))["access_token"])


async def test_a_first_password_may_be_for_choosing_another_one(graph: Management, registry: Registry) -> None:
    profile = {"password": PASSWORD, "forceChangePasswordNextSignIn": True}
    await made(graph, passwordProfile=profile)
    page: Browser = browser(registry)
    await page.sign_in(authorize_path(), UPN)
    assert page.form.steps == ["change"]


async def test_who_is_made_disabled_cannot_sign_in_until_enabled(graph: Management, registry: Registry) -> None:
    person = await made(graph, accountEnabled=False)
    assert (await sign_in(registry))["number"] == 50057
    assert (await graph.patch(f"/v1.0/users/{person['id']}", {"accountEnabled": True})).status == 204
    assert "access_token" in await sign_in(registry)


@pytest.mark.parametrize(
    "change", [{"accountEnabled": False}, {"passwordProfile": {"password": "another unusual phrase"}}, None], ids=str
)
async def test_what_a_person_had_got_stops_with_a_new_password_or_without_the_person(
    graph: Management, registry: Registry, change: Json
) -> None:
    person = await made(graph)
    token = (await sign_in(registry))["access_token"]
    path = f"/v1.0/users/{person['id']}"
    answer = await (graph.delete(path) if change is None else graph.patch(path, change))
    assert answer.status == 204
    assert not await is_good(registry, token)
    assert "number" in await sign_in(registry)


async def test_a_person_is_changed_where_it_is_asked_for(graph: Management, registry: Registry) -> None:
    before = await made(graph)
    changed = {"displayName": "Grace Hopper", "mailNickname": "hopper"}
    assert (await graph.patch(f"/v1.0/users/{UPN}", changed)).status == 204
    assert (await graph.get(f"/v1.0/users/{UPN}")).json() == {**before, **changed}
    assert "access_token" in await sign_in(registry)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"userPrincipalName": None}, "userPrincipalName"),
        ({"userPrincipalName": "grace"}, "NAME@DOMAIN"),
        ({"userPrincipalName": "g@" + ".".join(["a" * 60] * 5)}, "NAME@DOMAIN"),
        ({"passwordProfile": None}, "passwordProfile"),
        ({"passwordProfile": {}}, "password"),
        ({"passwordProfile": {"password": 7}}, "password"),
        ({"passwordProfile": {"password": "short"}}, "weak"),
        ({"passwordProfile": {"password": "grace-grace-grace"}}, "weak"),
        ({"passwordProfile": {"password": "p" * 257}}, "password"),
        ({"displayName": "two\nlines"}, "one line"),
        ({"mailNickname": "m" * 65}, "mailNickname"),
        ({"accountEnabled": "yes"}, "accountEnabled"),
        ({"onPremisesImmutableId": "x"}, "onPremisesImmutableId"),
    ],
    ids=lambda case: str(case)[:60],
)
async def test_a_person_whom_the_rules_do_not_allow_is_refused(graph: Management, change: Json, reason: str) -> None:
    answer = await graph.post("/v1.0/users", {**NEW, **change})
    assert (answer.status, answer.json()["error"]["code"]) == (400, "Request_BadRequest")
    assert reason in answer.json()["error"]["message"]
    assert (await graph.get("/v1.0/users")).json()["value"] == []


async def test_a_user_name_is_one_persons_and_stays(graph: Management) -> None:
    await made(graph)
    again = await graph.post("/v1.0/users", {**NEW, "userPrincipalName": UPN.upper()})
    assert again.status == 400
    assert (await graph.patch(f"/v1.0/users/{UPN}", {"userPrincipalName": "other@example.com"})).status == 400
    assert (await graph.patch(f"/v1.0/users/{UPN}", {"userPrincipalName": UPN.upper()})).status == 204


async def test_a_weak_password_does_not_take_a_good_ones_place(graph: Management, registry: Registry) -> None:
    await made(graph)
    assert (await graph.patch(f"/v1.0/users/{UPN}", {"passwordProfile": {"password": "weak"}})).status == 400
    assert "access_token" in await sign_in(registry)


async def test_a_service_principal_is_no_person(graph: Management) -> None:
    (owner,) = (await graph.get("/v1.0/servicePrincipals")).json()["value"]
    for method in ("GET", "PATCH", "DELETE"):
        assert (await graph.send(method, f"/v1.0/users/{owner['id']}", {})).status == 404
