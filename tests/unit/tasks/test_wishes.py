"""What a run of a task does, and with which of its secrets."""

import base64

from entrepot.tasks.model import Argument, Platform
from entrepot.tasks.resource.model import DockerStep, EncodedTaskStep, TaskSettings
from entrepot.tasks.runs.model import Build, Steps
from entrepot.tasks.runs.requests import TaskStepOverrides
from entrepot.tasks.wishes import of_task

LINUX = Platform("linux", "arm64")
DOCKER = DockerStep(
    docker_file_path="Dockerfile",
    image_names=["app:v1"],
    arguments=[Argument("A", "1"), Argument("KEY", "hunter2", is_secret=True)],
    context_path="https://git.example/app.git",
    context_access_token="a-token",
)


def settings(step: DockerStep | EncodedTaskStep) -> TaskSettings:
    return TaskSettings(platform=LINUX, step=step, timeout=600)


def test_a_task_is_run_as_it_says() -> None:
    plan, secrets = of_task(settings(DOCKER), TaskStepOverrides(), "somebody")
    assert plan.work == Build("Dockerfile", ("app:v1",), arguments={"A": "1", "KEY": None})
    assert (plan.platform, plan.timeout, plan.context) == (LINUX, 600, "https://git.example/app.git")
    assert (dict(secrets.arguments), secrets.token) == ({"KEY": "hunter2"}, "a-token")


def test_what_a_run_says_otherwise_counts() -> None:
    overrides = TaskStepOverrides(file="Other", arguments=[Argument("A", "2"), Argument("B", "3")], target="last")
    plan, _ = of_task(settings(DOCKER), overrides, "")
    assert plan.work == Build("Other", ("app:v1",), target="last", arguments={"A": "2", "KEY": None, "B": "3"})


def test_the_token_of_a_task_goes_to_no_other_source() -> None:
    overrides = TaskStepOverrides(context_path="https://elsewhere.example/app.git")
    plan, secrets = of_task(settings(DOCKER), overrides, "")
    assert plan.context == "https://elsewhere.example/app.git"
    assert secrets.token == ""


def test_a_task_file_that_is_kept_is_decoded() -> None:
    step = EncodedTaskStep(encoded_task_content=base64.b64encode(b"steps: []\n").decode())
    plan, _ = of_task(settings(step), TaskStepOverrides(), "")
    assert plan.work == Steps(text="steps: []\n")
