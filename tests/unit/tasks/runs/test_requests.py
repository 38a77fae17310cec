"""Requests for runs (ACR-TASKS 6.1)."""

import msgspec
import pytest

from entrepot.arm.bodies import convert
from entrepot.errors import Kind, Problem
from entrepot.tasks.runs.requests import DockerBuildRequest, RunRequest, TaskRunRequest


class Body(msgspec.Struct):
    request: RunRequest


def test_az_acr_build_asks_for_a_build_of_one_dockerfile():
    sent = {
        "type": "DockerBuildRequest",
        "imageNames": ["app:v1"],
        "isPushEnabled": True,
        "sourceLocation": "source/1.tar.gz",
        "dockerFilePath": "0af_Dockerfile",
        "platform": {"os": "linux", "architecture": "amd64"},
        "arguments": [{"type": "Argument", "name": "a", "value": "b", "isSecret": False}],
        "credentials": {},
    }

    request = convert({"request": sent}, Body).request

    assert isinstance(request, DockerBuildRequest)
    assert (request.docker_file_path, request.image_names, request.timeout) == ("0af_Dockerfile", ["app:v1"], 3600)
    assert request.arguments[0].value == "b"


def test_a_request_shows_its_defaults_and_leaves_out_what_is_not_said():
    sent = {"type": "DockerBuildRequest", "dockerFilePath": "Dockerfile", "platform": {"os": "Linux"}}

    assert msgspec.to_builtins(convert({"request": sent}, Body).request) == {
        **sent,
        "isPushEnabled": True,
        "noCache": False,
        "timeout": 3600,
        "agentConfiguration": {"cpu": 2},
        "isArchiveEnabled": False,
    }


def test_a_run_of_a_task_can_do_otherwise_than_the_task_says():
    overrides = {"contextPath": "https://git.example/a.git", "values": [{"name": "x", "value": "1", "isSecret": True}]}
    sent = {"type": "TaskRunRequest", "taskId": "/t", "overrideTaskStepProperties": overrides}

    request = convert({"request": sent}, Body).request

    assert isinstance(request, TaskRunRequest)
    assert request.override_task_step_properties.values[0].is_secret


@pytest.mark.parametrize(
    ("wrong", "target"),
    [
        ({"type": "Nothing"}, "request.type"),
        ({"type": "DockerBuildRequest", "platform": {"os": "linux"}}, "request"),
        ({"type": "TaskRunRequest", "isArchiveEnabled": "no"}, "request.isArchiveEnabled"),
        (
            {"type": "EncodedTaskRunRequest", "encodedTaskContent": "", "platform": {"os": "plan9"}},
            "request.platform.os",
        ),
        (
            {"type": "FileTaskRunRequest", "taskFilePath": "a", "platform": {"os": "linux"}, "timeout": 1},
            "request.timeout",
        ),
    ],
    ids=["type", "lacks its file", "switch", "platform", "timeout"],
)
def test_what_is_wrong_in_a_request_is_named(wrong: dict[str, object], target: str):
    with pytest.raises(Problem) as refused:
        convert({"request": wrong}, Body)

    assert refused.value.kind is Kind.RESOURCE_INVALID
    assert refused.value.detail["target"] == target
