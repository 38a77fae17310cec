"""Runs as the management API has them, before any worker takes them. Source: ACR-TASKS 6."""

import base64
import re
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, select, update
from tests.integration.rows import audit_entries
from tests.management import Json, Management, management
from tests.registry import FakeClock, Registry
from tests.wire import Answer

from entrepot.db.task_tables import task_run
from entrepot.tasks.runs.model import Outcome, Plan, Status, Steps
from entrepot.tasks.runs.names import run_name

STEPS = "version: v1.1.0\nsteps:\n  - cmd: bash echo hello\n"
PLATFORM = {"os": "linux", "architecture": "amd64"}


def encoded(text: str = STEPS, **more: Json) -> Json:
    content = base64.b64encode(text.encode()).decode()
    return {"type": "EncodedTaskRunRequest", "encodedTaskContent": content, "platform": PLATFORM, **more}


def build(**more: Json) -> Json:
    return {"type": "DockerBuildRequest", "dockerFilePath": "Dockerfile", "platform": PLATFORM, **more}


@pytest.fixture
async def arm(registry: Registry) -> Management:
    return await management(registry)


async def scheduled(arm: Management, request: Json) -> dict[str, Any]:
    answer = await arm.post(f"{arm.registry()}/scheduleRun", request)
    assert answer.status == 200, answer.body
    return answer.json()


def a_run(arm: Management, name: str = "ca1") -> str:
    return f"{arm.registry()}/runs/{name}"


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


async def ended(registry: Registry, name: str, status: Status, *manifests: str) -> None:
    """As a worker ends it."""

    def end(tx: Connection) -> None:
        outcome = Outcome(manifests=manifests)
        now = registry.clock()
        told = msgspec.json.encode(outcome).decode()
        values = {"status": status.value, "finished_at": now, "outcome": told}
        tx.execute(update(task_run).where(task_run.c.name == name).values(values))

    registry.database.write(end)


async def test_a_run_is_told_at_once_as_acr_tells_it(arm: Management) -> None:
    document = await scheduled(arm, encoded())
    properties = document["properties"]
    assert document["name"] == properties["runId"] == "ca1"
    assert document["id"] == a_run(arm)
    assert document["type"] == "Microsoft.ContainerRegistry/registries/runs"
    assert properties["status"] == "Queued"
    assert properties["provisioningState"] == "Succeeded"
    assert properties["runType"] == "QuickRun"
    assert properties["isArchiveEnabled"] is False
    assert properties["platform"] == PLATFORM
    assert properties["agentConfiguration"] == {"cpu": 2}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00", properties["createTime"])
    assert "task" not in properties
    assert "startTime" not in properties
    assert (await arm.get(a_run(arm))).json() == document


async def test_runs_count_up_in_their_registry_and_are_listed_newest_first(arm: Management) -> None:
    for _ in range(3):
        await scheduled(arm, encoded())
    assert await arm.names(f"{arm.registry()}/runs") == ["ca3", "ca2", "ca1"]


async def test_top_is_how_many_are_wanted_in_all(arm: Management) -> None:
    for _ in range(4):
        await scheduled(arm, encoded())
    answer = await arm.get(f"{arm.registry()}/runs", None, top="2")
    assert [each["name"] for each in answer.json()["value"]] == ["ca4", "ca3"]
    assert "nextLink" not in answer.json()


async def test_a_long_list_goes_on_from_page_to_page(arm: Management, registry: Registry) -> None:
    await scheduled(arm, encoded())

    def many(tx: Connection) -> None:
        row = dict(tx.execute(select(task_run)).mappings().one())
        del row["id"]
        made = [{**row, "number": number, "name": run_name(number)} for number in range(1000, 1700)]
        tx.execute(task_run.insert(), made)

    registry.database.write(many)
    assert len(await arm.names(f"{arm.registry()}/runs")) == 701
    # More than a page, and still all of them.
    assert len(await arm.names(f"{arm.registry()}/runs", top="600")) == 600


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Status eq 'Succeeded'", ["ca2"]),
        ("status eq 'Queued'", ["ca3"]),
        ("RunId eq 'ca1'", ["ca1"]),
        ("RunId eq 'zz'", []),
        ("RunType eq 'QuickRun' and Status eq 'Failed'", ["ca1"]),
        ("TaskName eq 'none'", []),
        ("IsArchiveEnabled eq false", ["ca3", "ca2", "ca1"]),
        ("IsArchiveEnabled eq true", []),
        ("contains(OutputImageManifests, 'app@sha256:abc')", ["ca2"]),
        ("contains(OutputImageManifests, 'app@sha256:abd')", []),
        ("CreateTime ge 2000-01-01T00:00:00Z", ["ca3", "ca2", "ca1"]),
        ("CreateTime lt '2000-01-01T00:00:00Z'", []),
        ("FinishTime ge 2000-01-01", ["ca2", "ca1"]),
    ],
)
async def test_a_filter_chooses_runs(arm: Management, registry: Registry, text: str, found: list[str]) -> None:
    for _ in range(3):
        await scheduled(arm, encoded())
    await ended(registry, "ca1", Status.FAILED)
    await ended(registry, "ca2", Status.SUCCEEDED, "app@sha256:abc")
    assert await arm.names(f"{arm.registry()}/runs", filter=text) == found


@pytest.mark.parametrize("text", ["Status ne 'Queued'", "Nothing eq 'x'", "CreateTime ge yesterday", "Status"])
async def test_a_filter_that_is_none_is_refused(arm: Management, text: str) -> None:
    answer = await arm.get(f"{arm.registry()}/runs", None, filter=text)
    assert code(answer) == (400, "InvalidFilterInQueryString")


async def test_archived_is_what_a_patch_says(arm: Management) -> None:
    await scheduled(arm, encoded())
    answer = await arm.patch(a_run(arm), {"isArchiveEnabled": True})
    assert answer.status == 200
    assert answer.json()["properties"]["isArchiveEnabled"] is True
    assert await arm.names(f"{arm.registry()}/runs", filter="IsArchiveEnabled eq true") == ["ca1"]


async def test_a_run_that_waits_is_canceled_at_once(arm: Management) -> None:
    await scheduled(arm, encoded())
    assert (await arm.post(f"{a_run(arm)}/cancel")).status == 200
    properties = (await arm.get(a_run(arm))).json()["properties"]
    assert properties["status"] == "Canceled"
    assert "finishTime" in properties
    link = (await arm.post(f"{a_run(arm)}/listLogSasUrl")).json()["logLink"]
    log = await arm.http.get("/" + link.split("/", 3)[3])
    assert (log.status, log.body) == (200, b"Run ID: ca1 was canceled before it began\r\n")
    # Once more changes nothing.
    assert (await arm.post(f"{a_run(arm)}/cancel")).status == 200


async def test_a_run_that_waits_says_how_many_go_before_it(arm: Management) -> None:
    await scheduled(arm, encoded())
    assert "1 of" in (await scheduled(arm, encoded()))["properties"]["runErrorMessage"]


async def test_a_request_of_an_old_version_names_a_task_and_has_its_values(arm: Management, registry: Registry) -> None:
    step = {"type": "EncodedTask", "encodedTaskContent": encoded()["encodedTaskContent"]}
    made = await arm.put(
        f"{arm.registry()}/tasks/nightly",
        {"location": "eastus", "properties": {"platform": {"os": "linux"}, "step": step}},
    )
    assert made.status in {200, 201}, made.body
    asked = {"type": "TaskRunRequest", "taskName": "nightly", "values": [{"name": "tag", "value": "v1"}]}
    assert (await scheduled(arm, asked))["properties"]["task"] == "nightly"
    request = registry.query(lambda tx: tx.execute(select(task_run.c.request)).scalar_one())
    work = msgspec.json.decode(request, type=Plan).work
    assert isinstance(work, Steps)
    assert work.values == {"tag": "v1"}
    unknown = {"type": "TaskRunRequest", "taskName": "none"}
    assert (await arm.post(f"{arm.registry()}/scheduleRun", unknown)).status == 404


async def test_what_is_not_there_is_told(arm: Management) -> None:
    assert (await arm.get(a_run(arm, "ca9"))).status == 404
    assert (await arm.get(a_run(arm, "none-such"))).status == 404
    assert code(await arm.post(f"{a_run(arm, 'ca9')}/cancel")) == (404, "RunNotFound")
    unknown = {"type": "TaskRunRequest", "taskId": f"{arm.registry()}/tasks/none"}
    assert (await arm.post(f"{arm.registry()}/scheduleRun", unknown)).status == 404


@pytest.mark.parametrize(
    ("request_", "target"),
    [
        ({}, "$"),
        ({"type": "Nothing"}, "$.type"),
        ({"type": "EncodedTaskRunRequest", "platform": PLATFORM}, "$"),
        (encoded() | {"encodedTaskContent": "§"}, "encodedTaskContent"),
        (encoded(timeout=10), "timeout"),
        (encoded(sourceLocation="file:///etc"), "sourceLocation"),
        (encoded(sourceLocation="--upload-pack=x"), "sourceLocation"),
        (build(platform={"os": "plan9"}), "platform.os"),
    ],
)
async def test_what_cannot_be_run_is_refused(arm: Management, request_: Json, target: str) -> None:
    answer = await arm.post(f"{arm.registry()}/scheduleRun", request_)
    assert answer.status == 400, answer.body
    assert target.lstrip("$.") in answer.body.decode()


async def test_secrets_are_sealed_and_in_no_audit_entry(arm: Management, registry: Registry) -> None:
    secret = {"name": "KEY", "value": "hunter2hunter2", "isSecret": True}
    custom = {"other.example": {"userName": {"value": "me"}, "password": {"value": "correct-horse"}}}
    document = await scheduled(arm, build(arguments=[secret], credentials={"customRegistries": custom}))
    rows = registry.database.read(lambda tx: [dict(row) for row in tx.execute(select(task_run)).mappings()])
    entries = registry.database.read(audit_entries)
    for told in (document, rows, entries):
        assert "hunter2" not in str(told)
        assert "correct-horse" not in str(told)


async def test_a_source_is_uploaded_to_an_address_of_its_own(arm: Management) -> None:
    first, second = [(await arm.post(f"{arm.registry()}/listBuildSourceUploadUrl")).json() for _ in range(2)]
    assert first["uploadUrl"] != second["uploadUrl"]
    assert first["relativePath"] != second["relativePath"]


async def test_the_log_of_a_run_has_an_address(arm: Management, clock: FakeClock) -> None:
    await scheduled(arm, encoded())
    link = (await arm.post(f"{a_run(arm)}/listLogSasUrl")).json()["logLink"]
    assert link.startswith("http")
    assert link.count("/") >= 4
