import pytest
from tests.content import an_image
from tests.management import Management
from tests.registry import OWNER, OWNER_SECRET, Registry
from tests.wire import Client

STANDARD = {"location": "eastus", "sku": {"name": "Standard"}}


async def test_a_registry_that_is_made_serves_pulls_and_pushes_under_its_own_name(
    arm: Management, registry: Registry, until
) -> None:
    made = await arm.put(arm.registry("second"), STANDARD)
    assert made.status == 201, made.body
    assert made.json()["properties"]["loginServer"] == "second.entrepot.localhost:5000"
    http = Client(registry.app, "second.entrepot.localhost:5000").signed_in(OWNER, OWNER_SECRET)

    async def is_served() -> bool:
        return (await http.get("/v2/")).status == 200

    await until(is_served)
    await registry.repository("app", http).push(an_image(), "v1")
    assert await registry.repository("app", http).tags() == ["v1"]


async def test_a_registry_shows_the_members_that_acr_shows_in_its_order(arm: Management) -> None:
    shown = (await arm.get(arm.registry())).json()
    assert list(shown) == ["sku", "id", "name", "location", "tags", "systemData", "properties", "type"]
    assert shown["id"] == arm.registry()
    assert shown["sku"] == {"name": "Premium", "tier": "Premium"}
    assert shown["properties"]["policies"]["azureADAuthenticationAsArmPolicy"] == {"status": "enabled"}
    assert shown["properties"]["roleAssignmentMode"] == "LegacyRegistryPermissions"
    assert shown["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize("name", ["four", "a" * 51, "with-dash", "with.dot", "ünicode"])
async def test_a_name_that_no_registry_may_have_is_refused(arm: Management, name: str) -> None:
    refused = await arm.put(arm.registry(name.replace("ü", "%C3%BC")), STANDARD)
    assert (refused.status, refused.json()["error"]["code"]) == (400, "InvalidResourceName")
    assert "5 to 50" in refused.json()["error"]["message"]


async def test_a_name_is_taken_in_the_whole_deployment_and_in_any_case(arm: Management) -> None:
    await arm.put(f"/subscriptions/{arm.subscription}/resourceGroups/other", {"location": "eastus"})
    elsewhere = arm.registry("LOCAL").replace("/entrepot/", "/other/")
    refused = await arm.put(elsewhere, STANDARD)
    assert (refused.status, refused.json()["error"]["code"]) == (409, "AlreadyInUse")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fresh1", {"nameAvailable": True, "availableLoginServerName": "fresh1.entrepot.localhost:5000"}),
        (
            "Local",
            {"nameAvailable": False, "reason": "AlreadyExists", "message": "The registry Local is already in use."},
        ),
    ],
)
async def test_whether_a_name_is_free_is_told_as_az_asks(arm: Management, name: str, said: dict[str, object]) -> None:
    path = f"/subscriptions/{arm.subscription}/providers/Microsoft.ContainerRegistry/checkNameAvailability"
    assert (await arm.post(path, {"name": name, "type": "Microsoft.ContainerRegistry/registries"})).json() == said


async def test_a_patch_changes_what_it_names_and_nothing_else(arm: Management) -> None:
    before = (await arm.patch(arm.registry(), {"tags": {"a": "1", "b": "2"}})).json()
    after = await arm.patch(arm.registry(), {"properties": {"adminUserEnabled": True}, "tags": {"c": "3"}})
    assert after.status == 200, after.body
    assert after.json()["properties"] == {**before["properties"], "adminUserEnabled": True}
    assert (after.json()["tags"], after.json()["sku"]) == ({"c": "3"}, before["sku"])


async def test_what_is_shown_can_be_sent_back_as_az_does(arm: Management) -> None:
    shown = (await arm.get(arm.registry())).json()
    again = await arm.patch(arm.registry(), shown)
    assert (again.status, again.get("warning")) == (200, None), again.body
    assert again.json()["properties"] == shown["properties"]


async def test_a_put_sets_what_it_leaves_out_back_to_its_default(arm: Management) -> None:
    policy = {"azureADAuthenticationAsArmPolicy": {"status": "disabled"}}
    path = arm.registry("second")
    made = await arm.put(path, {**STANDARD, "properties": {"policies": policy, "anonymousPullEnabled": True}})
    assert made.json()["properties"]["policies"]["azureADAuthenticationAsArmPolicy"]["status"] == "disabled"
    again = await arm.put(path, STANDARD)
    assert again.status == 200
    assert again.json()["properties"]["policies"]["azureADAuthenticationAsArmPolicy"]["status"] == "enabled"
    assert again.json()["properties"]["anonymousPullEnabled"] is False


async def test_anonymous_pull_takes_effect_by_a_patch(arm: Management, registry: Registry, until) -> None:
    await registry.repository("app").push(an_image(), "v1")
    anonymous = registry.repository("app", registry.nobody)
    assert (await anonymous.manifest("v1")).status == 401
    await arm.patch(arm.registry(), {"properties": {"anonymousPullEnabled": True}})

    async def can_pull() -> bool:
        return (await anonymous.manifest("v1")).status == 200

    await until(can_pull)


@pytest.mark.parametrize(
    ("properties", "target"),
    [
        ({"zoneRedundancy": "enabled"}, "properties.zoneRedundancy"),
        ({"policies": {"quarantinePolicy": {"status": "enabled"}}}, "properties.policies.quarantinePolicy"),
        ({"dataEndpointEnabled": True}, "properties.dataEndpointEnabled"),
    ],
)
async def test_a_setting_whose_feature_is_not_built_is_refused_and_never_pretended(
    arm: Management, properties: dict[str, object], target: str
) -> None:
    refused = await arm.patch(arm.registry(), {"properties": properties})
    error = refused.json()["error"]
    assert (refused.status, error["code"], error["target"]) == (400, "FeatureNotAvailable", target)


async def test_a_wrong_value_is_told_with_its_member_and_what_it_may_be(arm: Management) -> None:
    refused = await arm.put(arm.registry("second"), {**STANDARD, "sku": {"name": "Huge"}})
    error = refused.json()["error"]
    assert (refused.status, error["code"], error["target"]) == (400, "InvalidRequestContent", "sku.name")
    assert error["details"][0]["message"] == "Basic, Standard, Premium"


async def test_a_member_that_nobody_knows_passes_and_is_named_in_a_warning(arm: Management) -> None:
    made = await arm.put(arm.registry("second"), {**STANDARD, "zones": ["1"], "properties": {"speed": "fast"}})
    assert made.status == 201
    assert made["warning"] == '299 - "unknown members were left out: zones, properties.speed"'


async def test_where_a_registry_is_cannot_be_changed(arm: Management) -> None:
    await arm.put(arm.registry("second"), STANDARD)
    refused = await arm.put(arm.registry("second"), {**STANDARD, "location": "West US"})
    assert (refused.status, refused.json()["error"]["code"]) == (409, "InvalidResourceLocation")


async def test_an_empty_registry_can_be_deleted_and_its_name_is_free_again(arm: Management) -> None:
    await arm.put(arm.registry("second"), STANDARD)
    assert (await arm.delete(arm.registry("second"))).status == 202
    assert (await arm.get(arm.registry("second"))).json()["error"]["code"] == "ResourceNotFound"
    assert (await arm.delete(arm.registry("second"))).status == 204
    assert (await arm.put(arm.registry("second"), STANDARD)).status == 201


async def test_registries_are_listed_page_by_page_in_group_and_subscription(arm: Management) -> None:
    for name in ("second", "third"):
        await arm.put(arm.registry(name), STANDARD)
    provider = "/providers/Microsoft.ContainerRegistry/registries"
    expected = ["local", "second", "third"]
    assert await arm.names(f"/subscriptions/{arm.subscription}{provider}", top="2") == expected
    assert await arm.names(arm.group + provider, top="1") == expected
    assert await arm.names(f"/subscriptions/{arm.subscription}/resourceGroups/ENTREPOT{provider}") == expected


async def test_a_list_in_a_group_that_is_not_there_says_so(arm: Management) -> None:
    missing = f"/subscriptions/{arm.subscription}/resourceGroups/none/providers/Microsoft.ContainerRegistry/registries"
    answer = await arm.get(missing)
    assert (answer.status, answer.json()["error"]["code"]) == (404, "ResourceGroupNotFound")
