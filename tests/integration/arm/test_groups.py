import pytest
from tests.management import Management

HERE = {"location": "East US"}


def group(arm: Management, name: str) -> str:
    return f"/subscriptions/{arm.subscription}/resourceGroups/{name}"


async def test_a_group_is_made_once_and_changed_after_that(arm: Management) -> None:
    made = await arm.put(group(arm, "rg.one"), {**HERE, "tags": {"team": "a"}})
    assert made.status == 201
    assert made.json() == {
        "id": group(arm, "rg.one"),
        "name": "rg.one",
        "location": "eastus",
        "tags": {"team": "a"},
        "type": "Microsoft.Resources/resourceGroups",
        "properties": {"provisioningState": "Succeeded"},
    }
    again = await arm.put(group(arm, "rg.one"), HERE)
    assert (again.status, again.json()["tags"]) == (200, {})


async def test_paths_and_names_are_the_same_in_any_case(arm: Management) -> None:
    """Of az's requests some say "resourcegroups" (AZ-CLI-FLOWS 7)."""
    await arm.put(group(arm, "Mixed"), HERE)
    found = await arm.get(group(arm, "mIXED").replace("resourceGroups", "resourcegroups"))
    assert (found.status, found.json()["id"]) == (200, group(arm, "Mixed"))
    assert (await arm.put(group(arm, "MIXED"), HERE)).status == 200


@pytest.mark.parametrize("name", ["ends.", "a" * 91, "a%20b", "a%3Fb"])
async def test_a_name_that_no_group_may_have_is_refused(arm: Management, name: str) -> None:
    refused = await arm.put(group(arm, name), HERE)
    assert (refused.status, refused.json()["error"]["code"]) == (400, "InvalidResourceGroup")


async def test_a_place_that_nobody_knows_is_told_with_those_that_are_known(arm: Management) -> None:
    error = (await arm.put(group(arm, "rg1"), {"location": "moon"})).json()["error"]
    assert (error["code"], error["target"]) == ("LocationNotAvailableForResourceType", "location")
    assert "eastus" in error["message"]


async def test_where_a_group_is_cannot_be_changed(arm: Management) -> None:
    await arm.put(group(arm, "rg1"), HERE)
    refused = await arm.put(group(arm, "rg1"), {"location": "westus"})
    assert (refused.status, refused.json()["error"]["code"]) == (409, "InvalidResourceGroupLocation")


async def test_tags_are_replaced_by_a_patch(arm: Management) -> None:
    await arm.put(group(arm, "rg1"), {**HERE, "tags": {"a": "1"}})
    assert (await arm.patch(group(arm, "rg1"), {"tags": {"b": "2"}})).json()["tags"] == {"b": "2"}


@pytest.mark.parametrize("tags", [{"<": "x"}, {"": "x"}, {"a": "x" * 257}, {f"t{n}": "" for n in range(51)}])
async def test_tags_that_azure_does_not_take_are_refused(arm: Management, tags: dict[str, str]) -> None:
    refused = await arm.put(group(arm, "rg1"), {**HERE, "tags": tags})
    assert (refused.status, refused.json()["error"]["code"]) == (400, "InvalidTag")


async def test_an_empty_group_can_be_deleted_and_a_full_one_cannot(arm: Management) -> None:
    await arm.put(group(arm, "rg1"), HERE)
    assert (await arm.delete(group(arm, "rg1"))).status == 200
    assert (await arm.get(group(arm, "rg1"))).json()["error"] == {
        "code": "ResourceGroupNotFound",
        "message": "Resource group 'rg1' could not be found.",
    }
    assert (await arm.delete(group(arm, "rg1"))).status == 404
    refused = await arm.delete(arm.group)
    assert (refused.status, refused.json()["error"]["code"]) == (409, "ResourceGroupDeletionBlocked")


async def test_head_tells_whether_a_group_exists(arm: Management) -> None:
    assert (await arm.send("HEAD", arm.group)).status == 204
    assert (await arm.send("HEAD", group(arm, "none"))).status == 404


async def test_groups_are_listed_in_the_order_of_their_names(arm: Management) -> None:
    for name in ("b", "A", "c"):
        await arm.put(group(arm, name), HERE)
    assert await arm.names(f"/subscriptions/{arm.subscription}/resourcegroups", top="2") == ["A", "b", "c", "entrepot"]
