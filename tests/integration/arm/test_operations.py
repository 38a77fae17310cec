"""Work that goes on after the answer: how it is polled, by whom, and what it leaves."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.content import an_image
from tests.directory import add_application
from tests.integration.working import working
from tests.management import Management, management
from tests.registry import OWNER, OWNER_SECRET, Registry
from tests.wire import Answer, Client

from entrepot.arm.operations import queries
from entrepot.arm.operations.record import KEPT, conclude
from entrepot.db.tables import manifest, registry_blob
from entrepot.errors import Kind, Problem
from entrepot.jobs.run import Run
from entrepot.registries.resource.jobs import DELETION, WORKFLOWS

STANDARD = {"location": "eastus", "sku": {"name": "Standard"}}


@pytest.fixture
async def second(arm: Management, registry: Registry, until) -> str:
    """A registry with an image in it; its id."""
    path = arm.registry("second")
    assert (await arm.put(path, STANDARD)).status == 201
    http = Client(registry.app, "second.entrepot.localhost:5000").signed_in(OWNER, OWNER_SECRET)

    async def is_served() -> bool:
        return (await http.get("/v2/")).status == 200

    await until(is_served)
    await registry.repository("team/app", http).push(an_image(), "v1", "v2")
    return path


async def poll(arm: Management, answer: Answer, name: str = "azure-asyncoperation") -> Answer:
    """Whatever the header of the answer names."""
    return await arm.http.get("/" + answer[name].split("/", 3)[3])


async def test_a_registry_is_gone_for_everybody_before_its_content_is(
    arm: Management, registry: Registry, second: str, until
) -> None:
    accepted = await arm.delete(second)
    assert (accepted.status, accepted["retry-after"]) == (202, "1")
    assert accepted.json()["properties"]["provisioningState"] == "Deleting"
    assert (await arm.get(second)).json()["error"]["code"] == "ResourceNotFound"
    assert "second" not in await arm.names(f"{arm.group}/providers/Microsoft.ContainerRegistry/registries")
    assert registry.query(_manifests) == 1
    http = Client(registry.app, "second.entrepot.localhost:5000").signed_in(OWNER, OWNER_SECRET)

    async def is_gone() -> bool:
        return (await http.get("/v2/team/app/manifests/v1")).status == 404

    await until(is_gone)


async def test_the_name_of_a_deleted_registry_is_free_at_once_and_finds_it_empty(
    arm: Management, registry: Registry, second: str, until
) -> None:
    assert (await arm.delete(second)).status == 202
    assert (await arm.put(second, STANDARD)).status == 201
    http = Client(registry.app, "second.entrepot.localhost:5000").signed_in(OWNER, OWNER_SECRET)

    async def is_empty() -> bool:
        return (await http.get("/v2/_catalog")).body == b'{"repositories":[]}'

    await until(is_empty)
    assert (await arm.delete(second)).status == 202
    groups = await arm.names(f"/subscriptions/{arm.subscription}/resourceGroups")
    assert groups == ["entrepot"]


async def test_an_operation_tells_how_it_stands_and_its_work_is_done(
    arm: Management, registry: Registry, second: str, until
) -> None:
    accepted = await arm.delete(second)
    going, waited = await poll(arm, accepted), await poll(arm, accepted, "location")
    assert (going.status, going.json()["status"], going["retry-after"]) == (200, "Deleting", "1")
    assert (waited.status, waited.json()["status"]) == (202, "Accepted")
    assert waited["location"] == accepted["location"]

    async def has_ended() -> bool:
        return (await poll(arm, accepted)).json()["status"] == "Succeeded"

    with working(registry, {DELETION: WORKFLOWS[DELETION]}):
        await until(has_ended)
    result = await poll(arm, accepted, "location")
    assert (result.status, result.json()) == (200, {"status": "Succeeded"})
    assert "endTime" in (await poll(arm, accepted)).json()
    assert registry.query(_manifests) == 0


async def test_an_emptied_registry_is_forgotten_when_its_blobs_are_collected(
    arm: Management, registry: Registry, second: str, until
) -> None:
    await arm.delete(second)

    async def is_emptied() -> bool:
        return registry.query(_manifests) == 0

    forgetting = {workflow: body for workflow, body in WORKFLOWS.items() if workflow is not DELETION}
    with working(registry, forgetting):  # what a restart loses of a deletion, the hourly work does
        await until(is_emptied)
    assert registry.query(lambda tx: tx.execute(select(func.count()).select_from(registry_blob)).scalar_one()) == 3


async def test_an_operation_is_told_to_whoever_may_read_what_it_works_on_and_to_nobody_else(
    arm: Management, registry: Registry, second: str
) -> None:
    accepted = await arm.delete(second)
    stranger_id = add_application(registry)[0].client_id
    stranger = await management(registry, stranger_id)
    refused = await poll(stranger, accepted)
    assert (refused.status, refused.json()["error"]["code"]) == (404, "OperationNotFound")


@pytest.mark.parametrize("name", ["registries-none", "~", "%00"])
async def test_an_operation_that_never_was_is_not_found(arm: Management, name: str) -> None:
    place = f"/subscriptions/{arm.subscription}/providers/Microsoft.ContainerRegistry/locations/eastus"
    for kind in ("operationStatuses", "operationResults"):
        answer = await arm.get(f"{place}/{kind}/{name}")
        assert (answer.status, answer.json()["error"]["code"]) == (404, "OperationNotFound")


async def test_an_operation_that_fails_says_why_as_the_request_would_have(
    arm: Management, registry: Registry, second: str, until
) -> None:
    accepted = await arm.delete(second)

    def fail(run: Run, operation: str, _registry: int) -> None:
        def work() -> None:
            raise Problem(Kind.IN_USE, reason="somebody holds it.")

        conclude(run, operation, work)

    async def has_ended() -> bool:
        return (await poll(arm, accepted)).json()["status"] == "Failed"

    with working(registry, {DELETION: fail}):
        await until(has_ended)
    error = {"code": "Conflict", "message": "The resource is in use: somebody holds it."}
    assert (await poll(arm, accepted)).json()["error"] == error
    result = await poll(arm, accepted, "location")
    assert (result.status, result.json()) == (409, {"error": error, "status": "Failed"})


async def test_an_ended_operation_is_kept_for_a_while(arm: Management, registry: Registry, second: str) -> None:
    accepted = await arm.delete(second)
    name = (await poll(arm, accepted)).json()["name"]
    ended = registry.clock.now
    registry.query(lambda tx: queries.end_operation(tx, name, "Succeeded", None, ended))
    registry.query(lambda tx: queries.delete_ended(tx, ended))
    assert (await poll(arm, accepted)).json()["status"] == "Succeeded"
    registry.query(lambda tx: queries.delete_ended(tx, ended + KEPT + timedelta(seconds=1)))
    assert (await poll(arm, accepted)).status == 404


def _manifests(tx: Any) -> int:  # noqa: ANN401  a connection
    return tx.execute(select(func.count()).select_from(manifest)).scalar_one()
