"""The soft delete and the retention policy of a registry as a resource. Spec: ACR-REFERENCE 6.3, 8.5, 8.6."""

import pytest
from sqlalchemy import select
from tests.management import Management
from tests.registry import FakeClock, Registry

from entrepot.db.tables import registry as registry_table


def policies(answer) -> dict[str, object]:
    shown = answer.json()["properties"]["policies"]
    return {name: shown[name] for name in ("softDeletePolicy", "retentionPolicy")}


async def test_both_policies_are_off_until_they_are_set_and_may_be_on_together(
    arm: Management, registry: Registry, clock: FakeClock
) -> None:
    shown = policies(await arm.get(arm.registry()))
    assert shown["softDeletePolicy"] == {"retentionDays": 7, "status": "disabled"}
    assert shown["retentionPolicy"] == {"days": 7, "status": "disabled"}
    wanted = {
        "softDeletePolicy": {"retentionDays": 30, "status": "enabled"},
        "retentionPolicy": {"days": 0, "status": "enabled"},
    }
    changed = await arm.patch(arm.registry(), {"properties": {"policies": wanted}})
    assert policies(changed) == policies(await arm.get(arm.registry())) == wanted
    since = clock.now
    clock.advance(minutes=5)
    await arm.patch(arm.registry(), {"properties": {"policies": {"retentionPolicy": {"days": 3}}}})
    columns = (registry_table.c.soft_delete, registry_table.c.untagged_from, registry_table.c.untagged_days)
    assert registry.query(lambda tx: tx.execute(select(*columns)).one()) == (True, since, 3)


@pytest.mark.parametrize(
    ("policy", "days", "target"),
    [
        ("retentionPolicy", {"days": 366}, "properties.policies.retentionPolicy.days"),
        ("retentionPolicy", {"days": -1}, "properties.policies.retentionPolicy.days"),
        ("softDeletePolicy", {"retentionDays": 0}, "properties.policies.softDeletePolicy.retentionDays"),
        ("softDeletePolicy", {"retentionDays": 91}, "properties.policies.softDeletePolicy.retentionDays"),
    ],
)
async def test_days_have_bounds(arm: Management, policy: str, days: dict[str, int], target: str) -> None:
    refused = await arm.patch(arm.registry(), {"properties": {"policies": {policy: days}}})
    assert (refused.status, refused.json()["error"]["target"]) == (400, target)


async def test_retention_is_for_premium_and_soft_delete_for_every_tier(arm: Management) -> None:
    await arm.patch(arm.registry(), {"sku": {"name": "Basic"}})
    on = {"softDeletePolicy": {"status": "enabled"}}
    assert (await arm.patch(arm.registry(), {"properties": {"policies": on}})).status == 200
    refused = await arm.patch(arm.registry(), {"properties": {"policies": {"retentionPolicy": {"status": "enabled"}}}})
    assert (refused.status, refused.json()["error"]["code"]) == (400, "FeatureNotSupportedInTier")
