"""What is changed by the management API is in the audit log, under the name of its operation."""

from typing import Any, NamedTuple
from uuid import UUID

import pytest
from tests.integration.rows import add_principal, audit_entries
from tests.management import Json, Management, management
from tests.registry import Registry

AUTHORIZATION = "Microsoft.Authorization"
REGISTRIES = "Microsoft.ContainerRegistry/registries"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
GROUP = {"location": "local", "tags": {"team": "a"}}
REGISTRY = {"location": "local", "sku": {"name": "Premium"}}


class Step(NamedTuple):
    """A request, and the entry that it makes. ``{all}``, ``{group}``, ``{registry}``: of the first start."""

    method: str
    path: str
    body: Json
    action: str
    target: str = "{path}"
    before: bool = False
    after: bool = False


def role(scope: str) -> Json:
    permissions = [{"actions": [f"{REGISTRIES}/read"]}]
    return {"properties": {"roleName": "looker", "assignableScopes": [scope], "permissions": permissions}}


def given(principal: str) -> Json:
    definition = f"/providers/{AUTHORIZATION}/roleDefinitions/{READER}"
    return {"properties": {"roleDefinitionId": definition, "principalId": principal}}


ROLE = f"{{all}}/providers/{AUTHORIZATION}/roleDefinitions/{UUID(int=1)}"
GIVEN = f"{{group}}/providers/{AUTHORIZATION}/roleAssignments/{UUID(int=2)}"
OTHER_GROUP = "{group}2"
OTHER = "{registry}2"
ON = {"properties": {"adminUserEnabled": True}}
OFF = {"properties": {"adminUserEnabled": False}}
STEPS = (
    Step("PUT", OTHER_GROUP, GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write", after=True),
    Step(
        "PATCH",
        OTHER_GROUP,
        {"tags": {}},
        "Microsoft.Resources/subscriptions/resourceGroups/write",
        "{path}",
        True,
        True,
    ),
    Step("DELETE", OTHER_GROUP, None, "Microsoft.Resources/subscriptions/resourceGroups/delete", before=True),
    Step("PUT", OTHER, REGISTRY, f"{REGISTRIES}/write", after=True),
    Step("PATCH", OTHER, ON, f"{REGISTRIES}/write", "{path}", True, True),
    Step("POST", f"{OTHER}/listCredentials", {}, f"{REGISTRIES}/listCredentials/action", OTHER),
    Step(
        "POST",
        f"{OTHER}/regenerateCredential",
        {"name": "password"},
        f"{REGISTRIES}/regenerateCredential/action",
        OTHER,
    ),
    Step("PATCH", OTHER, OFF, f"{REGISTRIES}/write", "{path}", True, True),
    Step("DELETE", OTHER, None, f"{REGISTRIES}/delete", before=True),
    Step("PUT", ROLE, role("{group}"), f"{AUTHORIZATION}/roleDefinitions/write", after=True),
    Step("DELETE", ROLE, None, f"{AUTHORIZATION}/roleDefinitions/delete", before=True),
    Step("PUT", GIVEN, given("id-guest"), f"{AUTHORIZATION}/roleAssignments/write", after=True),
    Step("DELETE", GIVEN, None, f"{AUTHORIZATION}/roleAssignments/delete", before=True),
)


@pytest.fixture
async def arm(registry: Registry) -> Management:
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret", role=None))
    return await management(registry)


def changes(registry: Registry) -> list[dict[str, Any]]:
    return [entry for entry in registry.query(audit_entries) if entry["action"].startswith("Microsoft.")]


def filled(arm: Management, value: Json) -> Json:
    """With the names of the first start in it."""
    match value:
        case str():
            places = {"all": f"/subscriptions/{arm.subscription}", "group": arm.group, "registry": arm.registry()}
            return value.format_map(places)
        case dict():
            return {name: filled(arm, member) for name, member in value.items()}
        case list():
            return [filled(arm, member) for member in value]
        case _:
            return value


async def test_each_change_is_an_entry_with_what_was_before_and_after(arm: Management, registry: Registry) -> None:
    for step in STEPS:
        seen, path = len(changes(registry)), filled(arm, step.path)
        answer = await arm.send(step.method, path, filled(arm, step.body))
        assert answer.status in {200, 201, 202}, (step, answer.body)
        (entry,) = changes(registry)[seen:]
        target = path if step.target == "{path}" else filled(arm, step.target)
        assert (entry["action"], entry["target"], entry["result"]) == (step.action, target, "success")
        assert ("before" in entry["detail"], "after" in entry["detail"]) == (step.before, step.after), step
        assert (entry["method"], entry["address"]) == ("bearer", "127.0.0.1")
        assert entry["principal"]
        assert entry["credential"]
        assert entry["request_id"] == answer["x-request-id"]


async def test_an_entry_shows_what_changed(arm: Management, registry: Registry) -> None:
    await arm.patch(arm.registry(), ON)
    (entry,) = changes(registry)
    told = entry["detail"]
    switched = [told[when]["properties"]["adminUserEnabled"] for when in ("before", "after")]
    assert switched == [False, True]


async def test_a_password_that_is_handed_out_is_in_no_entry(arm: Management, registry: Registry) -> None:
    await arm.patch(arm.registry(), ON)
    listed = (await arm.post(f"{arm.registry()}/listCredentials")).json()["passwords"]
    made = (await arm.post(f"{arm.registry()}/regenerateCredential", {"name": "password2"})).json()["passwords"]
    entries = repr(changes(registry))
    assert [each["name"] for each in (*listed, *made) if each["value"] in entries] == []
    assert changes(registry)[-1]["detail"] == {"asked": {"name": "password2"}}


async def test_a_change_that_is_refused_and_one_of_nothing_are_no_entries(arm: Management, registry: Registry) -> None:
    assert (await arm.put(arm.registry("no"), REGISTRY)).status == 400
    assert (await arm.put(filled(arm, GIVEN), given("id-nobody"))).status == 400
    assert (await arm.delete(arm.registry("absent"))).status == 204
    assert changes(registry) == []
