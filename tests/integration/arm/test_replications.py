from typing import Any

import pytest
from tests.management import Management

WEST = {"location": "West US"}


@pytest.fixture
async def there(arm: Management) -> str:
    """Where the replications of a registry are whose home is eastus."""
    await arm.put(arm.registry("second"), {"location": "eastus", "sku": {"name": "Premium"}})
    return f"{arm.registry('second')}/replications"


async def names(arm: Management, there: str) -> list[str]:
    return await arm.names(there)


async def usage(arm: Management) -> dict[str, Any]:
    listed = (await arm.get(f"{arm.registry('second')}/listUsages")).json()["value"]
    return next(each for each in listed if each["name"] == "Geo-replications")


async def test_one_is_ready_at_once_and_says_that_there_is_no_second_copy(arm: Management, there: str) -> None:
    made = await arm.put(f"{there}/westus", WEST | {"tags": {"a": "b"}})
    shown = made.json()
    assert (made.status, shown["location"], shown["tags"]) == (201, "westus", {"a": "b"})
    properties = shown["properties"]
    assert (properties["provisioningState"], properties["status"]["displayStatus"]) == ("Succeeded", "Ready")
    assert "no second copy of the bytes" in properties["status"]["message"]
    assert (properties["regionEndpointEnabled"], properties["zoneRedundancy"]) == (True, "Disabled")
    assert (await arm.get(f"{there}/WESTUS")).json() == shown


async def test_the_registrys_home_comes_with_the_first_and_goes_with_the_last(arm: Management, there: str) -> None:
    assert (await names(arm, there), (await usage(arm))["currentValue"]) == ([], 1)
    await arm.put(f"{there}/westus", WEST)
    assert (await names(arm, there), (await usage(arm))["currentValue"]) == (["eastus", "westus"], 2)
    refused = await arm.delete(f"{there}/eastus")
    assert (refused.status, refused.json()["error"]["code"]) == (409, "HomeReplicationCannotBeDeleted")
    assert (await arm.delete(f"{there}/westus")).status == 200
    assert (await names(arm, there), (await arm.delete(f"{there}/westus")).status) == ([], 204)


async def test_what_can_be_changed_is_merged(arm: Management, there: str) -> None:
    await arm.put(f"{there}/westus", WEST | {"tags": {"a": "b"}})
    changed = (await arm.patch(f"{there}/westus", {"properties": {"regionEndpointEnabled": False}})).json()
    assert (changed["properties"]["regionEndpointEnabled"], changed["tags"]) == (False, {"a": "b"})
    home = await arm.patch(f"{there}/eastus", {"tags": {"home": "yes"}})
    assert (home.status, home.json()["tags"]) == (200, {"home": "yes"})


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("elsewhere", {"location": "East US"}, 409, "ReplicationLocationInvalid"),
        ("another", WEST, 409, "ReplicationLocationInUse"),
        ("westus", {"location": "westus2"}, 409, "InvalidResourceLocation"),
        ("eastus", {"location": "westus2"}, 409, "InvalidResourceLocation"),
        ("moonbase", {"location": "moon"}, 400, "LocationNotAvailableForResourceType"),
        ("west", {"location": "westus2"}, 400, "InvalidResourceName"),
        ("nowhere", {}, 400, "InvalidRequestContent"),
        ("zoned", {"location": "westus2", "properties": {"zoneRedundancy": "Enabled"}}, 400, "FeatureNotAvailable"),
    ],
)
async def test_what_cannot_be_is_refused(
    arm: Management, there: str, name: str, body: dict[str, Any], status: int, code: str
) -> None:
    await arm.put(f"{there}/westus", WEST)
    refused = await arm.put(f"{there}/{name}", body)
    assert (refused.status, refused.json()["error"]["code"]) == (status, code)


async def test_the_registrys_own_location_is_refused(arm: Management, there: str) -> None:
    refused = await arm.put(f"{there}/eastus", {"location": "eastus"})
    assert (refused.status, refused.json()["error"]["code"]) == (409, "ReplicationLocationInvalid")
    assert await names(arm, there) == []


async def test_only_premium_has_them_and_stays_premium_with_them(arm: Management, there: str) -> None:
    await arm.put(arm.registry("third"), {"location": "eastus", "sku": {"name": "Standard"}})
    refused = await arm.put(f"{arm.registry('third')}/replications/westus", WEST)
    assert (refused.status, refused.json()["error"]["code"]) == (400, "FeatureNotSupportedInTier")
    await arm.put(f"{there}/westus", WEST)
    down = await arm.patch(arm.registry("second"), {"sku": {"name": "Standard"}})
    assert (down.status, down.json()["error"]["code"]) == (409, "TierChangeBlocked")
    assert "2 replications" in down.json()["error"]["message"]
    await arm.delete(f"{there}/westus")
    assert (await arm.patch(arm.registry("second"), {"sku": {"name": "Standard"}})).status == 200


async def test_they_go_with_their_registry(arm: Management, there: str) -> None:
    await arm.put(f"{there}/westus", WEST)
    await arm.delete(arm.registry("second"))
    assert (await arm.get(there)).status == 404
    await arm.put(arm.registry("second"), {"location": "eastus", "sku": {"name": "Premium"}})
    assert await names(arm, there) == []
