"""What the tiers may hold and do, and changing between them. Source: ACR-REFERENCE 1."""

import pytest
from sqlalchemy import delete, update
from tests.content import an_image
from tests.integration.accounts import make_token
from tests.management import Management
from tests.registry import Registry

from entrepot.db.tables import registry as registry_table
from entrepot.db.task_tables import agent_pool

GIB = 1024**3
TIB = 1024**4


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


async def going_down(arm: Management, tier: str) -> list[str]:
    """What stands in the way of this tier, as the refusal lists it."""
    refused = await arm.patch(arm.registry(), {"sku": {"name": tier}})
    error = refused.json()["error"]
    assert (refused.status, error["code"], error["target"]) == (409, "TierChangeBlocked", "sku.name")
    assert (await arm.get(arm.registry())).json()["sku"]["name"] == "Premium"
    begin = f"The resource is in use: The registry cannot change from Premium to {tier}: "
    assert (error["message"][: len(begin)], error["message"][-1]) == (begin, ".")
    return error["message"].removeprefix(begin).removesuffix(".").split("; ")


async def test_going_down_is_refused_with_all_that_stands_in_the_way(arm: Management, registry: Registry) -> None:
    properties = {
        "anonymousPullEnabled": True,
        "policies": {"retentionPolicy": {"status": "enabled"}},
        "networkRuleSet": {"defaultAction": "Allow", "ipRules": [{"value": "10.0.0.0/8"}]},
    }
    assert (await arm.patch(arm.registry(), {"properties": properties})).status == 200
    for number in range(101):
        make_token(registry, f"token-{number}", "repositories/app/content/read")
    for number in range(3):
        hook = {"serviceUri": "https://hooks.example/", "actions": ["push"]}
        body = {"location": "eastus", "properties": hook}
        assert (await arm.put(f"{arm.registry()}/webhooks/hook{number}", body)).status == 201
    for path in ("replications/westus", "agentPools/pool", "agentPools/other"):
        location = "westus" if path.endswith("westus") else "eastus"
        assert (await arm.put(f"{arm.registry()}/{path}", {"location": location})).status == 201
    of_every_tier = ["it has 2 replications, and {} has room for 0", "it has 2 agent pools, and {} has room for none"]
    assert await going_down(arm, "Basic") == [
        "anonymous pull is on: switch it off",
        "retention of untagged manifests is on: switch it off",
        "network rules is on: switch it off",
        "it has 3 webhooks, and Basic has room for 2",
        "it has 101 tokens, and Basic has room for 100",
        "it has 101 scope maps, and Basic has room for 100",
        *(each.format("Basic") for each in of_every_tier),
    ]
    assert await going_down(arm, "Standard") == [
        "retention of untagged manifests is on: switch it off",
        "network rules is on: switch it off",
        *(each.format("Standard") for each in of_every_tier),
    ]


async def test_agent_pools_alone_keep_a_registry_premium(arm: Management, registry: Registry) -> None:
    assert (await arm.put(f"{arm.registry()}/agentPools/pool", {"location": "eastus"})).status == 201
    assert await going_down(arm, "Standard") == ["it has 1 agent pools, and Standard has room for none"]
    assert (await arm.patch(arm.registry(), {"tags": {"a": "b"}})).status == 200
    registry.query(lambda tx: tx.execute(delete(agent_pool)))
    assert (await arm.patch(arm.registry(), {"sku": {"name": "Standard"}})).status == 200


async def test_going_down_needs_the_bytes_to_fit_what_the_tier_may_hold(arm: Management, registry: Registry) -> None:
    """The limit counts, not what a tier is sold with: more than that is paid for."""
    registry.query(lambda tx: tx.execute(update(registry_table).values(bytes_used=40 * TIB + 1)))
    assert await going_down(arm, "Basic") == [
        f"it has {40 * TIB + 1} bytes of content, and Basic has room for {40 * TIB}"
    ]
    registry.query(lambda tx: tx.execute(update(registry_table).values(bytes_used=40 * TIB)))
    assert (await arm.patch(arm.registry(), {"sku": {"name": "Basic"}})).status == 200
