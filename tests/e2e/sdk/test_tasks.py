"""The unchanged azure-mgmt-containerregistrytasks SDK for Python, the newest generation: every operation.

The older one is what Go's SDK sends (test_management_programs.py). There is no engine: what runs do is shown with az.
"""

import base64
from collections.abc import Iterator
from typing import Any, Final

import pytest
from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient
from tests.e2e.sdk.clients import managing
from tests.services import Registry

REGISTRY: Final = ("entrepot", "local")
LINUX: Final = {"os": "Linux", "architecture": "amd64"}
CONTEXT: Final = "https://git.example/team/app.git"

Client = Any


@pytest.fixture(scope="module")
def arm(either: Registry) -> Iterator[Client]:
    with managing(either, ContainerRegistryTasksMgmtClient) as client:
        yield client


def names(found: Any) -> list[str]:  # noqa: ANN401  the SDK's pages
    return [each.name for each in found]


def test_tasks(arm: Client) -> None:
    arguments = [{"name": "key", "value": "the-key", "isSecret": True}]
    step = {"type": "Docker", "dockerFilePath": "Dockerfile", "contextPath": CONTEXT, "arguments": arguments}
    body = {"location": "eastus", "properties": {"platform": LINUX, "step": step}}
    made = arm.tasks.create(*REGISTRY, "pytask", body)
    assert (made.properties.provisioning_state, made.properties.step.docker_file_path) == ("Succeeded", "Dockerfile")
    change = {"properties": {"step": {"type": "Docker", "target": "release"}}}
    changed = arm.tasks.update(*REGISTRY, "pytask", change)
    shown, details = arm.tasks.get(*REGISTRY, "pytask"), arm.tasks.get_details(*REGISTRY, "pytask")
    assert changed.properties.step.target == shown.properties.step.target == "release"
    assert (shown.properties.step.arguments[0].value, details.properties.step.arguments[0].value) == (None, "the-key")
    assert "pytask" in names(arm.tasks.list(*REGISTRY))
    arm.tasks.delete(*REGISTRY, "pytask")
    assert "pytask" not in names(arm.tasks.list(*REGISTRY))


def test_runs(arm: Client) -> None:
    task = base64.b64encode(b"steps:\n- cmd: bash echo hello\n").decode()
    request = {"type": "EncodedTaskRunRequest", "encodedTaskContent": task, "platform": LINUX}
    run = arm.registries.schedule_run(*REGISTRY, request).name
    assert arm.runs.update(*REGISTRY, run, {"isArchiveEnabled": True}).properties.is_archive_enabled
    arm.runs.cancel(*REGISTRY, run)
    assert arm.runs.get(*REGISTRY, run).properties.run_id == run
    assert run in names(arm.runs.list(*REGISTRY, filter="RunType eq 'QuickRun'"))
    assert arm.runs.get_log_sas_url(*REGISTRY, run).log_link
    upload = arm.registries.get_build_source_upload_url(*REGISTRY)
    assert upload.upload_url
    assert upload.relative_path.startswith("source/")


def test_task_runs(arm: Client) -> None:
    """They are not waited for: what a run does is another test's."""
    request = {
        "type": "DockerBuildRequest",
        "dockerFilePath": "Dockerfile",
        "sourceLocation": CONTEXT,
        "platform": LINUX,
    }
    body = {"location": "eastus", "properties": {"runRequest": request}}
    arm.task_runs.begin_create(*REGISTRY, "pytaskrun", body)
    first = arm.task_runs.get(*REGISTRY, "pytaskrun").properties.run_result.name
    again = {"properties": {"forceUpdateTag": "again"}}
    arm.task_runs.begin_update(*REGISTRY, "pytaskrun", again)
    second = arm.task_runs.get(*REGISTRY, "pytaskrun").properties.run_result.name
    details = arm.task_runs.get_details(*REGISTRY, "pytaskrun").properties
    assert details.run_result.name == second
    assert (first != second, details.force_update_tag) == (True, "again")
    assert names(arm.task_runs.list(*REGISTRY)) == ["pytaskrun"]
    arm.task_runs.delete(*REGISTRY, "pytaskrun")
    assert names(arm.task_runs.list(*REGISTRY)) == []


def test_agent_pools(arm: Client) -> None:
    body = {"location": "eastus", "properties": {"count": 2, "tier": "S2", "os": "Linux"}}
    made = arm.agent_pools.begin_create(*REGISTRY, "pypool", body).result()
    assert (made.properties.tier, made.properties.count) == ("S2", 2)
    arm.agent_pools.begin_update(*REGISTRY, "pypool", {"properties": {"count": 0}}).result()
    assert arm.agent_pools.get(*REGISTRY, "pypool").properties.count == 0
    assert arm.agent_pools.get_queue_status(*REGISTRY, "pypool").count == 0
    assert names(arm.agent_pools.list(*REGISTRY)) == ["pypool"]
    arm.agent_pools.begin_delete(*REGISTRY, "pypool").result()
    assert names(arm.agent_pools.list(*REGISTRY)) == []
