"""What every resource has in common: who asks, which version, under which condition, how a refusal reads."""

from dataclasses import replace

import pytest
from tests.integration.rows import add_principal
from tests.management import GRAPH, Management, directory_token, management
from tests.registry import FakeClock, Registry

from entrepot.arm.versions import CONTAINER_REGISTRY

EVERYONE = {"location": "eastus", "sku": {"name": "Basic"}}


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic dGhlLW93bmVyOng="])
async def test_who_does_not_sign_in_is_told_where_to(arm: Management, authorization: str | None) -> None:
    http = arm.http.without("authorization")
    nobody = replace(arm, http=http if authorization is None else http.having(authorization=authorization))
    answer = await nobody.get("/subscriptions")
    assert (answer.status, answer.json()["error"]["code"]) == (401, "AuthenticationFailed")
    assert answer["www-authenticate"].startswith('Bearer authorization_uri="http://localhost:5000/common", ')


async def test_a_token_for_another_audience_is_refused(arm: Management, registry: Registry) -> None:
    http = registry.nobody.bearing(await directory_token(registry, audience=GRAPH))
    assert (await replace(arm, http=http).get("/subscriptions")).status == 401


@pytest.mark.parametrize(
    "audience", ["http://localhost:5000", "http://localhost:5000/", "https://management.azure.com/"]
)
async def test_the_deployments_own_name_is_an_audience(registry: Registry, audience: str) -> None:
    assert (await (await management(registry, audience=audience)).get("/subscriptions")).status == 200


async def test_a_token_that_has_ended_is_refused(arm: Management, clock: FakeClock) -> None:
    clock.advance(hours=2)
    assert (await arm.get("/subscriptions")).status == 401


async def test_a_missing_right_is_told_in_resource_managers_words(arm: Management, registry: Registry) -> None:
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret", role=None))
    answer = await (await management(registry, "guest")).put(arm.registry("second"), EVERYONE)
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (403, "AuthorizationFailed")
    assert error["message"] == (
        "The client 'guest' with object id 'id-guest' does not have authorization to perform action "
        f"'Microsoft.ContainerRegistry/registries/write' over scope '{arm.registry('second')}' or the scope is "
        "invalid. If access was recently granted, please refresh your credentials."
    )


async def test_nothing_of_it_is_served_under_a_registrys_own_name(arm: Management) -> None:
    answer = await replace(arm, http=replace(arm.http, host="local.entrepot.localhost:5000")).get("/subscriptions")
    assert answer.status == 404


@pytest.mark.parametrize(
    ("version", "code"), [(None, "MissingApiVersionParameter"), ("1999-01-01", "InvalidApiVersionParameter")]
)
async def test_a_version_that_is_missing_or_unknown_is_told_with_the_known_ones(
    arm: Management, version: str | None, code: str
) -> None:
    answer = await replace(arm, version=version).get(arm.registry())
    assert (answer.status, answer.json()["error"]["code"]) == (400, code)
    assert "2026-09-01-preview" in answer.json()["error"]["message"]


async def test_an_answer_names_the_versions_of_its_type(arm: Management) -> None:
    """Reads, lists, writes, actions and deletions; of each type its own, of which some are tasks' alone."""
    second = arm.registry("second")
    answers = [
        await arm.put(second, EVERYONE),
        await arm.patch(second, {"tags": {"a": "b"}}),
        await arm.get(second),
        await arm.get(second, {"if-none-match": (await arm.get(second))["etag"]}),
        await arm.get(second.rpartition("/")[0]),
        await arm.get(f"{second}/listUsages"),
        await arm.delete(second),
    ]
    assert [answer.status for answer in answers] == [201, 200, 200, 304, 200, 200, 202]
    assert {answer["api-supported-versions"] for answer in answers} == {", ".join(CONTAINER_REGISTRY)}
    tasks = await arm.get(f"{arm.registry()}/tasks")
    assert tasks["api-supported-versions"] == f"2018-09-01, 2019-04-01, {', '.join(CONTAINER_REGISTRY)}"


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"[" * 100_000, b"\xff", b'{"a": 1} x'])
async def test_a_body_that_is_no_object_is_refused(arm: Management, body: bytes) -> None:
    answer = await arm.http.put(f"{arm.group}?api-version=2024-11-01", body)
    assert (answer.status, answer.json()["error"]["code"]) == (400, "InvalidRequestContent")


async def test_a_change_is_made_only_to_what_its_sender_has_seen(arm: Management) -> None:
    seen = (await arm.get(arm.registry()))["etag"]
    await arm.patch(arm.registry(), {"tags": {"a": "1"}})
    late = await arm.patch(arm.registry(), {"tags": {"a": "2"}}, {"if-match": seen})
    assert (late.status, late.json()["error"]["code"]) == (412, "PreconditionFailed")
    assert (await arm.delete(arm.registry(), {"if-match": seen})).status == 412
    now = (await arm.get(arm.registry()))["etag"]
    assert (await arm.patch(arm.registry(), {"tags": {"a": "2"}}, {"if-match": now})).status == 200


async def test_a_put_that_must_not_replace_anything_does_not(arm: Management) -> None:
    only_new = {"if-none-match": "*"}
    assert (await arm.put(arm.registry("second"), EVERYONE, only_new)).status == 201
    assert (await arm.put(arm.registry("second"), EVERYONE, only_new)).status == 412
    assert (await arm.put(arm.registry("third"), EVERYONE, {"if-match": "*"})).status == 412


async def test_who_holds_the_current_state_gets_no_body(arm: Management) -> None:
    etag = (await arm.get(arm.registry()))["etag"]
    again = await arm.get(arm.registry(), {"if-none-match": etag})
    assert (again.status, again.body, again["etag"]) == (304, b"", etag)


async def test_every_answer_can_be_found_again(arm: Management) -> None:
    named = {
        "x-ms-correlation-request-id": "0b1c-2",
        "x-ms-client-request-id": "7",
        "x-ms-return-client-request-id": "true",
    }
    for answer in (await arm.get("/tenants", named), await arm.get(arm.registry("nosuch"), named)):
        assert answer["x-ms-request-id"] == answer["x-request-id"]
        assert answer["x-ms-correlation-request-id"] == "0b1c-2"
        assert answer["x-ms-client-request-id"] == "7"
    odd = await arm.get("/tenants", {"x-ms-correlation-request-id": "not an id"})
    assert odd["x-ms-correlation-request-id"] == odd["x-ms-request-id"]


async def test_a_method_that_a_resource_lacks_is_told_with_those_it_has(arm: Management) -> None:
    answer = await arm.post("/subscriptions")
    assert (answer.status, answer["allow"], answer.json()["error"]["code"]) == (405, "GET", "MethodNotAllowed")


async def test_a_slash_at_the_end_of_a_path_does_not_matter(arm: Management) -> None:
    """As ``az deployment group list`` writes it."""
    assert (await arm.get(f"{arm.group}/")).json()["name"] == "entrepot"
    assert (await arm.get(f"{arm.group}/providers/Microsoft.Resources/deployments/")).json() == {"value": []}


@pytest.mark.parametrize("name", ["%00", "a%2Fb", "x" * 300])
async def test_a_name_that_no_resource_can_have_is_refused_before_it_is_looked_up(arm: Management, name: str) -> None:
    answer = await arm.get(arm.registry(name))
    assert (answer.status, answer.json()["error"]["code"]) == (400, "InvalidResourceName")


async def test_a_cloud_describes_itself_to_who_has_not_signed_in(registry: Registry) -> None:
    answer = (await registry.nobody.get("/metadata/endpoints?api-version=2022-09-01")).json()
    assert answer["resourceManager"] == "http://localhost:5000"
    assert answer["authentication"]["loginEndpoint"] == "http://localhost:5000"
    assert answer["authentication"]["audiences"] == ["http://localhost:5000/"]
    suffix = "entrepot.localhost:5000"
    assert answer["suffixes"] == {"acrLoginServer": suffix, "storage": suffix, "keyVaultDns": suffix}
    assert answer["microsoftGraphResourceId"] == "http://localhost:5000/"
