"""What the tiers may hold and do, and changing between them. Source: ACR-REFERENCE 1."""

import pytest
from tests.content import an_image
from tests.integration.accounts import make_token
from tests.management import Management
from tests.registry import Registry

GIB = 1024**3


@pytest.mark.parametrize(
    ("tier", "included", "webhooks", "tokens"),
    [("Basic", 10 * GIB, 2, 100), ("Standard", 100 * GIB, 10, 500), ("Premium", 500 * GIB, 500, 50_000)],
)
async def test_usages_show_what_each_tier_has_room_for(
    arm: Management, tier: str, included: int, webhooks: int, tokens: int
) -> None:
    path = arm.registry("second")
    await arm.put(path, {"location": "eastus", "sku": {"name": tier}})
    usages = {usage["name"]: usage for usage in (await arm.get(f"{path}/listUsages")).json()["value"]}
    assert usages["Size"] == {"name": "Size", "limit": included, "currentValue": 0, "unit": "Bytes"}
    assert (usages["Webhooks"]["limit"], usages["Tokens"]["limit"]) == (webhooks, tokens)
    assert ("Geo-replications" in usages) == (tier == "Premium")


async def test_usages_are_exact_the_moment_after_a_push_and_a_delete(arm: Management, registry: Registry) -> None:
    async def size() -> int:
        shown = (await arm.get(f"{arm.registry()}/listUsages")).json()["value"]
        return next(usage["currentValue"] for usage in shown if usage["name"] == "Size")

    image = an_image()
    app = registry.repository("app")
    await app.push(image, "v1")
    first = await size()
    assert first > len(image.body)
    await registry.repository("copy").push(image, "v1")
    assert await size() == first + len(image.body)  # the blobs are counted once
    make_token(registry, "ci-token", "repositories/app/content/read")
    shown = (await arm.get(f"{arm.registry()}/listUsages")).json()["value"]
    counts = {usage["name"]: usage["currentValue"] for usage in shown}
    assert (counts["Tokens"], counts["ScopeMaps"]) == (1, 1)


async def test_a_feature_that_the_tier_lacks_is_refused_with_the_tier_that_has_it(arm: Management) -> None:
    body = {"location": "eastus", "sku": {"name": "Basic"}, "properties": {"anonymousPullEnabled": True}}
    refused = await arm.put(arm.registry("second"), body)
    error = refused.json()["error"]
    assert (refused.status, error["code"], error["target"]) == (400, "FeatureNotSupportedInTier", "sku.name")
    assert error["message"] == "A registry of the Basic tier has not got anonymous pull: use Standard or above."


async def test_a_registry_goes_up_and_down_between_tiers(arm: Management) -> None:
    for tier in ("Basic", "Standard", "Premium"):
        changed = await arm.patch(arm.registry(), {"sku": {"name": tier}})
        assert (changed.status, changed.json()["sku"]) == (200, {"name": tier, "tier": tier})


async def test_going_down_is_refused_with_all_that_stands_in_the_way(arm: Management, registry: Registry) -> None:
    await arm.patch(arm.registry(), {"properties": {"anonymousPullEnabled": True}})
    for number in range(101):
        make_token(registry, f"token-{number}", "repositories/app/content/read")
    refused = await arm.patch(arm.registry(), {"sku": {"name": "Basic"}})
    error = refused.json()["error"]
    assert (refused.status, error["code"]) == (409, "TierChangeBlocked")
    assert error["message"].endswith(
        "from Premium to Basic: anonymous pull is on: switch it off; "
        "it has 101 tokens, and Basic has room for 100; it has 101 scope maps, and Basic has room for 100."
    )
    assert (await arm.get(arm.registry())).json()["sku"]["name"] == "Premium"
