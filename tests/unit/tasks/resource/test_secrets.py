"""Secrets of tasks and requests: taken out, kept sealed, put back."""

import msgspec
import pytest

from entrepot.access.sealing import KEY_BYTES, SealBrokenError, Sealer
from entrepot.tasks.model import Argument, Credentials, CustomRegistry, Platform, SecretKind, SecretObject, SetValue
from entrepot.tasks.resource.model import (
    DockerStep,
    EncodedTaskStep,
    SourceControl,
    SourceControlAuth,
    SourceEvent,
    SourceRepository,
    SourceTrigger,
    TaskSettings,
    Triggers,
)
from entrepot.tasks.resource.secrets import (
    Secrets,
    hide_of_request,
    hide_of_task,
    reveal_in_request,
    reveal_in_task,
    seal,
    unseal,
)
from entrepot.tasks.runs.requests import (
    DockerBuildRequest,
    EncodedTaskRunRequest,
    FileTaskRunRequest,
    RunRequest,
    TaskRunRequest,
    TaskStepOverrides,
)

ARGUMENTS = [Argument("open", "plain"), Argument("key", "hidden-1", is_secret=True)]
VALUES = [SetValue("open", "plain"), SetValue("key", "hidden-2", is_secret=True)]
LOGIN = CustomRegistry(SecretObject("robot"), SecretObject("hidden-3"))
VAULT = CustomRegistry(
    SecretObject("https://v.example/secrets/u", SecretKind.VAULT),
    SecretObject("https://v.example/secrets/p", SecretKind.VAULT),
    "[system]",
)
CREDENTIALS = Credentials(custom_registries={"a.example": LOGIN, "b.example": VAULT})
LINUX = Platform("linux")
SOURCE = SourceTrigger(
    "push",
    SourceRepository(
        source_control_type=SourceControl.GITHUB,
        repository_url="https://git.example/a.git",
        source_control_auth_properties=SourceControlAuth("hidden-4"),
    ),
    [SourceEvent.COMMIT],
)
TASKS = [
    TaskSettings(
        step=DockerStep(docker_file_path="Dockerfile", arguments=ARGUMENTS, context_access_token="hidden-5"),
        trigger=Triggers(source_triggers=[SOURCE]),
        credentials=CREDENTIALS,
    ),
    TaskSettings(step=EncodedTaskStep(encoded_task_content="", values=VALUES)),
    TaskSettings(is_system_task=True),
]
REQUESTS: list[RunRequest] = [
    DockerBuildRequest(docker_file_path="D", platform=LINUX, arguments=ARGUMENTS, credentials=CREDENTIALS),
    FileTaskRunRequest(task_file_path="a", platform=LINUX, values=VALUES),
    EncodedTaskRunRequest(encoded_task_content="", platform=LINUX, values=VALUES, credentials=CREDENTIALS),
    TaskRunRequest(task_id="t", override_task_step_properties=TaskStepOverrides(arguments=ARGUMENTS, values=VALUES)),
]


@pytest.mark.parametrize("settings", TASKS, ids=["docker", "encoded", "system"])
def test_a_task_is_whole_again_with_its_secrets_and_tells_none_without(settings: TaskSettings) -> None:
    hidden, secrets = hide_of_task(settings)
    assert b"hidden" not in msgspec.json.encode(hidden)
    assert reveal_in_task(hidden, secrets) == settings


@pytest.mark.parametrize("request_", REQUESTS, ids=[type(each).__name__ for each in REQUESTS])
def test_a_request_is_whole_again_with_its_secrets_and_tells_none_without(request_: RunRequest) -> None:
    hidden, secrets = hide_of_request(request_)
    assert b"hidden" not in msgspec.json.encode(hidden)
    assert reveal_in_request(hidden, secrets) == request_


def test_what_lies_in_a_vault_is_no_secret_itself() -> None:
    hidden, secrets = hide_of_task(TaskSettings(credentials=CREDENTIALS))
    assert hidden.credentials is not None
    assert hidden.credentials.custom_registries is not None
    assert hidden.credentials.custom_registries["b.example"] == VAULT
    assert secrets.passwords == {"a.example": "hidden-3"}


def test_a_secret_that_is_told_anew_wins_over_the_kept_one() -> None:
    step = EncodedTaskStep(encoded_task_content="", values=[SetValue("key", "new", is_secret=True)])
    written = reveal_in_task(TaskSettings(step=step), Secrets(values={"key": "old"}))
    assert written.step == step


def test_secrets_open_for_what_they_were_sealed_for_alone() -> None:
    sealer = Sealer(b"k" * KEY_BYTES)
    _, secrets = hide_of_task(TASKS[0])
    sealed = seal(sealer, secrets, "task 1/first")
    assert unseal(sealer, sealed, "task 1/first") == secrets
    with pytest.raises(SealBrokenError):
        unseal(sealer, sealed, "task 1/second")


def test_no_secrets_need_no_seal() -> None:
    sealer = Sealer(b"k" * KEY_BYTES)
    assert seal(sealer, hide_of_task(TASKS[2])[1], "task") is None
    assert unseal(sealer, None, "task") == Secrets()
