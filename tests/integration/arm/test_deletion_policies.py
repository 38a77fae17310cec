"""The soft delete and the retention policy of a registry as a resource. Spec: ACR-REFERENCE 6.3, 8.5, 8.6."""

import json

import pytest
from sqlalchemy import select
from tests.content import an_image
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


@pytest.mark.parametrize("first", ["softDeletePolicy", "replication"])
async def test_soft_delete_stands_beside_a_replication_whichever_came_first(
    arm: Management, registry: Registry, first: str
) -> None:
    """ACR refuses the second of them."""

    async def switch_on() -> int:
        on = {"properties": {"policies": {"softDeletePolicy": {"status": "enabled"}}}}
        return (await arm.patch(arm.registry(), on)).status

    async def replicate() -> int:
        return (await arm.put(f"{arm.registry()}/replications/westus", {"location": "westus"})).status

    turns = (switch_on, replicate) if first == "softDeletePolicy" else (replicate, switch_on)
    assert [await turn() for turn in turns] == ([200, 201] if first == "softDeletePolicy" else [201, 200])
    assert "westus" in await arm.names(f"{arm.registry()}/replications")
    app, image = registry.repository("app"), an_image()
    await app.push(image, "v1")
    assert (await app.http.delete(app.path(f"manifests/{image.digest}"))).status == 202
    assert (await app.manifest("v1")).status == 404
    target = f"/acr/v1/_deleted/app/_manifests/{image.digest}"
    assert (await app.http.post(target, json.dumps({"tag": "v1"}).encode())).status == 200
    assert (await app.manifest("v1")).body == image.body
    assert [(await app.blob(digest)).body for digest in image.blobs] == list(image.blobs.values())
