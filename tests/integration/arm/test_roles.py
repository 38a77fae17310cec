from uuid import uuid4

import pytest
from tests.content import an_image
from tests.integration.rows import add_principal
from tests.management import Json, Management, management
from tests.registry import Registry

ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
PROVIDER = "/providers/Microsoft.Authorization"
# At most one repository, as the portal writes it.
CONDITION = (
    "((!(ActionMatches{'Microsoft.ContainerRegistry/registries/repositories/content/read'})) OR "
    "(@Request[Microsoft.ContainerRegistry/registries/repositories:name] StringEqualsIgnoreCase 'app'))"
)


def new_assignment(scope: str) -> str:
    return f"{scope}{PROVIDER}/roleAssignments/{uuid4()}"


def given(role: str, principal: str, **more: str) -> Json:
    definition = f"{PROVIDER}/roleDefinitions/{role}"
    return {"properties": {"roleDefinitionId": definition, "principalId": principal, **more}}


@pytest.fixture
async def guest(registry: Registry) -> Management:
    """Somebody who has no role yet; the object id is ``id-guest``."""
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret", role=None))
    return await management(registry, "guest")


async def test_a_role_that_is_given_permits_a_pull_and_one_that_is_taken_does_not(
    arm: Management, guest: Management, registry: Registry, until
) -> None:
    await registry.repository("app").push(an_image(), "v1")
    app = registry.repository("app", registry.nobody.signed_in("guest", "the-guest's-secret"))
    assert (await app.manifest("v1")).status == 401
    path = new_assignment(arm.registry())
    made = await arm.put(path, given(ACR_PULL, "id-guest", principalType="ServicePrincipal"))
    assert made.status == 201, made.body

    async def status_is(status: int) -> bool:
        return (await app.manifest("v1")).status == status

    await until(lambda: status_is(200))
    gone = await arm.delete(path)
    assert (gone.status, gone.json()["id"]) == (200, path)
    await until(lambda: status_is(401))
    assert (await arm.delete(path)).status == 204


async def test_an_assignment_shows_what_az_shows(arm: Management, guest: Management) -> None:
    scope = arm.group
    path = new_assignment(scope)
    await arm.put(path.replace("resourceGroups", "RESOURCEGROUPS"), given(READER, "id-guest"))
    shown = (await arm.get(path)).json()
    assert (shown["id"], shown["type"]) == (path, "Microsoft.Authorization/roleAssignments")
    assert shown["properties"]["scope"] == scope
    assert shown["properties"]["principalType"] == "ServicePrincipal"
    assert shown["properties"]["roleDefinitionId"] == (
        f"/subscriptions/{arm.subscription}{PROVIDER}/roleDefinitions/{READER}"
    )


async def test_the_same_role_is_given_once(arm: Management, guest: Management) -> None:
    path = new_assignment(arm.group)
    assert (await arm.put(path, given(READER, "id-guest"))).status == 201
    assert (await arm.put(path, given(READER, "id-guest", description="why"))).status == 200
    assert (await arm.get(path)).json()["properties"]["description"] == "why"
    again = await arm.put(new_assignment(arm.group), given(READER, "id-guest"))
    assert (again.status, again.json()["error"]["code"]) == (409, "RoleAssignmentExists")
    other = await arm.put(path, given(ACR_PULL, "id-guest"))
    assert (other.status, other.json()["error"]["code"]) == (409, "RoleAssignmentUpdateNotPermitted")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (given(str(uuid4()), "id-guest"), "RoleDefinitionDoesNotExist"),
        (given("\0", "id-guest"), "RoleDefinitionDoesNotExist"),
        (given(READER, "nobody"), "PrincipalNotFound"),
        (given(READER, "id-\0"), "PrincipalNotFound"),
        (given(READER, "id-guest", principalType="User"), "UnmatchedPrincipalType"),
        (given(READER, "id-guest", condition="((nonsense"), "ConditionInvalid"),
        (given(READER, "id-guest", condition=CONDITION, conditionVersion="1.0"), "InvalidRoleAssignment"),
        (given(READER, "id-guest", description="x" * 2000), "InvalidRoleAssignment"),
        ({"properties": {"principalId": "id-guest"}}, "InvalidRequestContent"),
    ],
)
async def test_an_assignment_that_cannot_hold_is_refused(
    arm: Management, guest: Management, body: Json, code: str
) -> None:
    refused = await arm.put(new_assignment(arm.group), body)
    assert (refused.status in {400, 404}, refused.json()["error"]["code"]) == (True, code)


async def test_an_assignments_name_is_a_guid(arm: Management, guest: Management) -> None:
    refused = await arm.put(f"{arm.group}{PROVIDER}/roleAssignments/mine", given(READER, "id-guest"))
    assert refused.json()["error"]["code"] == "RoleAssignmentNameNotGuid"


async def test_a_role_on_what_is_not_there_is_refused(arm: Management, guest: Management) -> None:
    refused = await arm.put(new_assignment(arm.registry("nosuch")), given(READER, "id-guest"))
    assert (refused.status, refused.json()["error"]["code"]) == (404, "ResourceNotFound")


async def test_a_condition_is_kept_as_it_was_written(arm: Management, guest: Management) -> None:
    path = new_assignment(arm.registry())
    made = await arm.put(path, given(ACR_PULL, "id-guest", condition=CONDITION, conditionVersion="2.0"))
    assert made.status == 201, made.body
    assert made.json()["properties"]["condition"] == CONDITION
    assert made.json()["properties"]["conditionVersion"] == "2.0"


async def test_who_may_not_give_roles_gives_none(arm: Management, guest: Management, registry: Registry) -> None:
    await arm.put(new_assignment(arm.group), given(READER, "id-guest"))
    refused = await guest.put(new_assignment(arm.registry()), given(ACR_PULL, "id-guest"))
    assert (refused.status, refused.json()["error"]["code"]) == (403, "AuthorizationFailed")


async def test_a_list_holds_what_is_at_above_and_below_unless_it_is_asked_for_less(
    arm: Management, guest: Management
) -> None:
    above, at, below = f"/subscriptions/{arm.subscription}", arm.group, arm.registry()
    paths = [new_assignment(scope) for scope in (above, at, below)]
    for path, role in zip(paths, (READER, READER, READER), strict=True):
        await arm.put(path, given(role, "id-guest"))
    names = {path.rpartition("/")[2] for path in paths}
    listed = f"{at}{PROVIDER}/roleAssignments"
    assert set(await arm.names(listed, filter="principalId eq 'id-guest'")) == names
    assert set(await arm.names(listed, filter="assignedTo('id-guest')", top="1")) == names
    assert set(await arm.names(listed, filter="atScope() and principalId eq 'ID-GUEST'")) == {
        path.rpartition("/")[2] for path in paths[:2]
    }
    assert names < set(await arm.names(listed))


async def test_who_may_read_no_assignments_sees_none(arm: Management, guest: Management) -> None:
    await arm.put(new_assignment(arm.registry()), given(ACR_PULL, "id-guest"))
    assert await guest.names(f"/subscriptions/{arm.subscription}{PROVIDER}/roleAssignments") == []


async def test_a_built_in_role_is_found_by_its_name(arm: Management) -> None:
    listed = await arm.get(f"{arm.registry()}{PROVIDER}/roleDefinitions", filter="roleName eq 'acrpull'")
    (role,) = listed.json()["value"]
    assert role["name"] == ACR_PULL
    assert role["id"] == f"/subscriptions/{arm.subscription}{PROVIDER}/roleDefinitions/{ACR_PULL}"
    assert role["properties"]["type"] == "BuiltInRole"
    assert role["properties"]["permissions"][0]["actions"] == ["Microsoft.ContainerRegistry/registries/pull/read"]
    assert (await arm.get(f"{PROVIDER}/roleDefinitions/{ACR_PULL}")).json()["properties"] == role["properties"]


def a_role(arm: Management, name: str = "Puller", **more: Json) -> Json:
    actions = ["Microsoft.ContainerRegistry/registries/pull/read"]
    return {
        "properties": {
            "roleName": name,
            "type": "CustomRole",
            "assignableScopes": [arm.group],
            "permissions": [{"actions": actions}],
            **more,
        }
    }


def new_role(arm: Management) -> str:
    return f"/subscriptions/{arm.subscription}{PROVIDER}/roleDefinitions/{uuid4()}"


async def test_a_custom_role_is_made_changed_listed_and_deleted(arm: Management) -> None:
    path = new_role(arm)
    made = await arm.put(path, a_role(arm))
    assert (made.status, made.json()["id"]) == (201, path)
    assert (await arm.put(path, a_role(arm, "Fetcher"))).status == 200
    listed = await arm.get(f"{arm.registry()}{PROVIDER}/roleDefinitions", filter="type eq 'CustomRole'")
    assert [each["properties"]["roleName"] for each in listed.json()["value"]] == ["Fetcher"]
    assert (await arm.delete(path)).status == 200
    assert (await arm.get(path)).json()["error"]["code"] == "RoleDefinitionDoesNotExist"


async def test_a_custom_role_shows_where_it_can_be_given(arm: Management) -> None:
    await arm.put(new_role(arm), a_role(arm, assignableScopes=[arm.registry()]))
    group = f"{arm.group}{PROVIDER}/roleDefinitions"
    assert len(await arm.names(group, filter="type eq 'CustomRole'")) == 0
    assert len(await arm.names(group, filter="atScopeAndBelow() and type eq 'CustomRole'")) == 1
    assert len(await arm.names(f"{PROVIDER}/roleDefinitions", filter="type eq 'CustomRole'")) == 1


async def test_a_custom_role_that_somebody_has_is_not_deleted(arm: Management, guest: Management) -> None:
    path = new_role(arm)
    await arm.put(path, a_role(arm))
    await arm.put(new_assignment(arm.group), given(path.rpartition("/")[2], "id-guest"))
    refused = await arm.delete(path)
    assert (refused.status, refused.json()["error"]["code"]) == (409, "RoleDefinitionHasAssignments")


async def test_a_custom_role_cannot_be_given_elsewhere(arm: Management, guest: Management) -> None:
    path = new_role(arm)
    await arm.put(path, a_role(arm))
    refused = await arm.put(
        new_assignment(f"/subscriptions/{arm.subscription}"), given(path.rpartition("/")[2], "id-guest")
    )
    assert refused.json()["error"]["code"] == "RoleNotAssignable"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"roleName": "ACRPULL"}, "RoleDefinitionWithSameNameExists"),
        ({"roleName": " "}, "InvalidRoleDefinition"),
        ({"assignableScopes": []}, "InvalidRoleDefinition"),
        ({"assignableScopes": ["/"]}, "InvalidRoleDefinition"),
        ({"assignableScopes": [f"/subscriptions/{uuid4()}"]}, "AuthorizationFailed"),
        ({"permissions": []}, "InvalidRoleDefinition"),
        ({"permissions": [{"actions": ["Microsoft.ContainerRegistry/registries/fly"]}]}, "InvalidActionOrNotAction"),
        ({"permissions": {"actions": []}}, "InvalidRequestContent"),
    ],
)
async def test_a_custom_role_that_cannot_hold_is_refused(arm: Management, changes: Json, code: str) -> None:
    body = a_role(arm)
    body["properties"] |= changes
    assert (await arm.put(new_role(arm), body)).json()["error"]["code"] == code


async def test_two_custom_roles_have_different_names(arm: Management) -> None:
    assert (await arm.put(new_role(arm), a_role(arm))).status == 201
    refused = await arm.put(new_role(arm), a_role(arm, "PULLER"))
    assert (refused.status, refused.json()["error"]["code"]) == (409, "RoleDefinitionWithSameNameExists")


async def test_a_built_in_role_is_neither_changed_nor_deleted(arm: Management) -> None:
    path = f"/subscriptions/{arm.subscription}{PROVIDER}/roleDefinitions/{ACR_PULL}"
    assert (await arm.put(path, a_role(arm))).json()["error"]["code"] == "RoleDefinitionIsBuiltIn"
    assert (await arm.delete(path)).json()["error"]["code"] == "RoleDefinitionIsBuiltIn"


async def test_who_comes_after_a_deleted_registry_of_the_same_name_inherits_no_roles(
    arm: Management, guest: Management
) -> None:
    registry, sku = arm.registry("second"), {"location": "eastus", "sku": {"name": "Basic"}}
    await arm.put(registry, sku)
    await arm.put(new_assignment(registry), given(READER, "id-guest"))
    await arm.delete(registry)
    await arm.put(registry, sku)
    assert await arm.names(f"{registry}{PROVIDER}/roleAssignments", filter="principalId eq 'id-guest'") == []


async def test_a_custom_role_permits_what_it_says(
    arm: Management, guest: Management, registry: Registry, until
) -> None:
    await registry.repository("app").push(an_image(), "v1")
    path = new_role(arm)
    await arm.put(path, a_role(arm))
    await arm.put(new_assignment(arm.registry()), given(path.rpartition("/")[2], "id-guest"))
    app = registry.repository("app", registry.nobody.signed_in("guest", "the-guest's-secret"))

    async def can_pull() -> bool:
        return (await app.manifest("v1")).status == 200

    await until(can_pull)
    assert (await app.http.post(app.path("blobs/uploads/"))).status == 401
