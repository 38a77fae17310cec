"""Task runs as resources: a run that a template asks for."""

from typing import Any

import pytest
from sqlalchemy import Connection, select, update
from tests.management import Management
from tests.registry import Registry

from entrepot.db.access_tables import audit_entry
from entrepot.db.task_tables import task_run, task_run_resource

Json = Any
REQUEST: Json = {
    "type": "DockerBuildRequest",
    "imageNames": ["app:v1"],
    "dockerFilePath": "Dockerfile",
    "platform": {"os": "Linux", "architecture": "amd64"},
    "sourceLocation": "https://git.example/app.git",
    "arguments": [{"name": "key", "value": "the-key", "isSecret": True}],
    "credentials": {},
}
KEPT = (task_run_resource, task_run, audit_entry)


def body(**more: Json) -> Json:
    return {"location": "eastus", "properties": {"runRequest": REQUEST, **more}}


@pytest.fixture
async def path(arm: Management) -> str:
    made = f"{arm.registry()}/taskRuns/Build-1"
    answer = await arm.put(made, body(forceUpdateTag="one"))
    assert answer.status == 201, answer.body
    return made


def _runs(tx: Connection) -> int:
    return len(tx.execute(select(task_run.c.id)).all())


async def test_a_task_run_begins_a_run_and_shows_it(arm: Management, path: str) -> None:
    document = (await arm.get(path)).json()
    assert (document["id"], document["name"]) == (path, "Build-1")
    assert document["type"] == "Microsoft.ContainerRegistry/registries/taskRuns"
    properties = document["properties"]
    assert (properties["provisioningState"], properties["forceUpdateTag"]) == ("Creating", "one")
    assert properties["runResult"]["properties"]["status"] == "Queued"
    assert properties["runResult"]["properties"]["runId"] == properties["runResult"]["name"] == "ca1"
    assert properties["runRequest"]["noCache"] is False
    assert "target" not in properties["runRequest"]
    assert await arm.names(f"{arm.registry()}/taskRuns") == ["Build-1"]


async def test_a_task_run_runs_a_task_of_the_registry(arm: Management) -> None:
    task = f"{arm.registry()}/tasks/first"
    step = {"type": "Docker", "dockerFilePath": "Dockerfile", "contextPath": "https://git.example/app.git"}
    settings = {"platform": {"os": "linux"}, "step": step}
    assert (await arm.put(task, {"location": "eastus", "properties": settings})).status == 200
    request = {"type": "TaskRunRequest", "taskId": task}
    made = await arm.put(f"{arm.registry()}/taskRuns/of-task", body(runRequest=request))
    assert made.status == 201, made.body
    assert made.json()["properties"]["runResult"]["properties"]["task"] == "first"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Started", "Creating"),
        ("Running", "Creating"),
        ("Succeeded", "Succeeded"),
        ("Failed", "Failed"),
        ("Error", "Failed"),
        ("Timeout", "Failed"),
        ("Canceled", "Canceled"),
    ],
)
async def test_it_is_made_when_its_run_has_ended(
    arm: Management, registry: Registry, path: str, status: str, state: str
) -> None:
    registry.query(lambda tx: tx.execute(update(task_run).values(status=status)))
    properties = (await arm.get(path)).json()["properties"]
    assert (properties["provisioningState"], properties["runResult"]["properties"]["status"]) == (state, status)


async def test_it_stays_when_nothing_is_kept_of_its_run(arm: Management, registry: Registry, path: str) -> None:
    registry.query(lambda tx: tx.execute(task_run.delete()))
    properties = (await arm.get(path)).json()["properties"]
    assert (properties["provisioningState"], "runResult" in properties) == ("Succeeded", False)


async def test_the_same_request_again_runs_nothing(arm: Management, registry: Registry, path: str) -> None:
    assert (await arm.put(path, body(forceUpdateTag="one"))).status == 200
    assert (await arm.patch(path, {})).status == 200
    assert registry.query(_runs) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"forceUpdateTag": "two"},
        {"runRequest": {"noCache": True}},
        {"runRequest": {"arguments": [{"name": "key", "value": "another", "isSecret": True}]}},
    ],
    ids=["tag", "request", "secret"],
)
async def test_another_request_or_tag_runs_again(arm: Management, registry: Registry, path: str, change: Json) -> None:
    changed = await arm.patch(path, {"properties": change})
    assert changed.status == 200
    assert changed.json()["properties"]["runResult"]["name"] == "ca2"
    assert registry.query(_runs) == 2


async def test_its_secrets_are_shown_by_list_details_alone(arm: Management, registry: Registry, path: str) -> None:
    assert (await arm.patch(path, {"properties": {"forceUpdateTag": "two"}})).status == 200
    kept = [registry.query(lambda tx, table=table: tx.execute(select(table)).all()) for table in KEPT]
    assert "the-key" not in str(kept) + (await arm.get(path)).body.decode()
    details = (await arm.post(f"{path}/listDetails")).json()["properties"]["runRequest"]
    assert details["arguments"] == [{"type": "Argument", **REQUEST["arguments"][0]}]


async def test_a_deleted_task_run_leaves_its_run(arm: Management, registry: Registry, path: str) -> None:
    assert (await arm.delete(path)).status == 200
    assert (await arm.get(path)).status == 404
    assert registry.query(_runs) == 1


@pytest.mark.parametrize(
    ("sent", "target"),
    [
        ({"properties": {}}, "properties.runRequest"),
        ({"properties": {"runRequest": {**REQUEST, "type": "Other"}}}, "properties.runRequest.type"),
        ({"properties": {"runRequest": {**REQUEST, "sourceLocation": "ext::sh"}}}, "sourceLocation"),
        ({**body(), "identity": {"type": "SystemAssigned"}}, "identity.type"),
    ],
)
async def test_what_is_wrong_in_a_task_run_is_told(
    arm: Management, registry: Registry, sent: Json, target: str
) -> None:
    refused = await arm.put(f"{arm.registry()}/taskRuns/wrong", sent)
    assert (refused.status, refused.json()["error"]["target"]) == (400, target), refused.body
    assert registry.query(_runs) == 0


@pytest.mark.parametrize("name", ["four", "a_b_c"])
async def test_a_name_that_is_none_is_refused(arm: Management, name: str) -> None:
    refused = await arm.put(f"{arm.registry()}/taskRuns/{name}", body())
    assert (refused.status, refused.json()["error"]["code"]) == (400, "InvalidResourceName")
