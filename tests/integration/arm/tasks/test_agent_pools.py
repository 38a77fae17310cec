"""Agent pools as resources."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, select
from tests.integration.working import working
from tests.management import Management
from tests.registry import BEGINNING, Registry

from entrepot.db.tables import registry as registry_table
from entrepot.db.task_tables import agent_pool, task_run
from entrepot.jobs.wake import Jobs
from entrepot.tasks.resource.jobs import POOL_DELETION, WORKFLOWS

POOL: Any = {"location": "eastus", "properties": {"count": 2, "tier": "S2", "os": "Linux"}}


@pytest.fixture
async def path(arm: Management) -> str:
    made = f"{arm.registry()}/agentPools/Pool-1"
    answer = await arm.put(made, POOL)
    assert answer.status == 201, answer.body
    return made


async def test_a_pool_shows_what_was_written_and_its_defaults(arm: Management, path: str) -> None:
    document = (await arm.get(path)).json()
    assert (document["id"], document["name"], document["tags"]) == (path, "Pool-1", {})
    assert document["type"] == "Microsoft.ContainerRegistry/registries/agentPools"
    assert document["properties"] == {**POOL["properties"], "provisioningState": "Succeeded"}
    least = await arm.put(f"{arm.registry()}/agentPools/other", {"location": "eastus"})
    assert least.json()["properties"] == {"count": 1, "tier": "S1", "os": "Linux", "provisioningState": "Succeeded"}
    assert await arm.names(f"{arm.registry()}/agentPools") == ["other", "Pool-1"]


async def test_the_count_of_a_pool_is_changed_and_its_tier_is_not(arm: Management, path: str) -> None:
    changed = await arm.patch(path, {"properties": {"count": 0}})
    assert (changed.status, changed.json()["properties"]["count"]) == (200, 0)
    refused = await arm.patch(path, {"properties": {"tier": "S3"}})
    assert (refused.status, refused.json()["error"]["target"]) == (400, "properties.tier")


@pytest.mark.parametrize(
    ("properties", "target"),
    [
        ({"count": -1}, "properties.count"),
        ({"tier": "S9"}, "properties.tier"),
        ({"os": "Windows"}, "properties.os"),
        ({"virtualNetworkSubnetResourceId": "/subscriptions/s"}, "properties.virtualNetworkSubnetResourceId"),
    ],
)
async def test_what_is_wrong_in_a_pool_is_told(arm: Management, properties: dict[str, object], target: str) -> None:
    refused = await arm.put(f"{arm.registry()}/agentPools/wrong", {"location": "eastus", "properties": properties})
    assert (refused.status, refused.json()["error"]["target"]) == (400, target)


@pytest.mark.parametrize("name", ["ab", "a" * 21, "a_b"])
async def test_a_name_that_is_none_is_refused(arm: Management, name: str) -> None:
    refused = await arm.put(f"{arm.registry()}/agentPools/{name}", POOL)
    assert (refused.status, refused.json()["error"]["code"]) == (400, "InvalidResourceName")


async def test_pools_are_of_the_premium_tier_alone(arm: Management) -> None:
    standard = arm.registry("standard1")
    assert (await arm.put(standard, {"location": "eastus", "sku": {"name": "Standard"}})).status == 201
    refused = await arm.put(f"{standard}/agentPools/pool1", POOL)
    assert (refused.status, refused.json()["error"]["code"]) == (400, "FeatureNotSupportedInTier")


async def test_the_queue_of_a_pool_counts_the_runs_that_wait_for_it(
    arm: Management, registry: Registry, path: str
) -> None:
    assert (await arm.post(f"{path}/listQueueStatus")).json() == {"count": 0}
    registry.query(lambda tx: _add_runs(tx, ("pool-1", None), ("Pool-1", BEGINNING), ("other", None)))
    assert (await arm.post(f"{path}/listQueueStatus")).json() == {"count": 1}


def _add_runs(tx: Connection, *runs: tuple[str, datetime | None]) -> None:
    """For pools; one with a time has begun."""
    registry_id = tx.execute(select(registry_table.c.id)).scalar_one()
    for number, (pool, started) in enumerate(runs, 1):
        tx.execute(
            task_run.insert().values(
                registry_id=registry_id,
                number=number,
                name=f"ca{number}",
                pool=pool,
                type="QuickRun",
                status="Queued" if started is None else "Started",
                request="{}",
                created_at=BEGINNING,
                started_at=started,
                updated_at=BEGINNING,
            )
        )


async def test_a_deleted_pool_shows_that_it_is_going_and_then_is_gone(
    arm: Management, registry: Registry, path: str, until
) -> None:
    accepted = await arm.delete(path)
    assert (accepted.status, accepted.json()["properties"]["provisioningState"]) == (202, "Deleting")
    assert (await arm.get(path)).json()["properties"]["provisioningState"] == "Deleting"
    again = await arm.delete(path)
    assert (again.status, again["azure-asyncoperation"]) == (202, accepted["azure-asyncoperation"])
    refused = await arm.put(path, POOL)
    assert (refused.status, refused.json()["error"]["code"]) == (409, "AgentPoolIsDeleting")
    operation = "/" + accepted["azure-asyncoperation"].split("/", 3)[3]
    assert (await arm.http.get(operation)).json()["status"] == "Deleting"

    registry.query(lambda tx: _hurry(tx, registry, operation))

    async def is_gone() -> bool:
        return (await arm.get(path)).status == 404

    with working(registry, WORKFLOWS):
        await until(is_gone)
    assert (await arm.http.get(operation)).json()["status"] == "Succeeded"
    assert (await arm.delete(path)).status == 204
    assert (await arm.put(path, POOL)).status == 201


def _hurry(tx: Connection, registry: Registry, operation: str) -> None:
    """Wake the work at once, which waits a while for clients to look."""
    pool = tx.execute(select(agent_pool.c.id)).scalar_one()
    named = operation.rpartition("/")[2].partition("?")[0]
    Jobs(registry.database).wake(tx, POOL_DELETION, named, pool)
