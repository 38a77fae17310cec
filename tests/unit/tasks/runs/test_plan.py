"""What is kept of a request, and what of it is secret."""

import base64

import pytest

from entrepot.tasks.model import Argument, Credentials, CustomRegistry, Platform, SecretKind, SecretObject, SetValue
from entrepot.tasks.runs.model import Build, Steps
from entrepot.tasks.runs.plan import planned
from entrepot.tasks.runs.requests import DockerBuildRequest, EncodedTaskRunRequest, FileTaskRunRequest

LINUX = Platform("linux", "amd64")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_build_has_its_defaults() -> None:
    plan, secrets = planned(DockerBuildRequest(docker_file_path="Dockerfile", platform=LINUX), "somebody")
    assert plan.work == Build("Dockerfile")
    assert (plan.timeout, plan.agent.cpu, plan.principal) == (3600, 2, "somebody")
    assert secrets.every() == []


def test_secret_arguments_and_values_stand_apart() -> None:
    arguments = [Argument("A", "1"), Argument("KEY", "hunter2", is_secret=True), Argument("NONE")]
    plan, secrets = planned(DockerBuildRequest(docker_file_path="x", platform=LINUX, arguments=arguments), "")
    assert plan.work == Build("x", arguments={"A": "1", "KEY": None, "NONE": ""})
    values = [SetValue("key", "hunter3", is_secret=True), SetValue("a", "b")]
    other, more = planned(FileTaskRunRequest(task_file_path="acb.yaml", platform=LINUX, values=values), "")
    assert other.work == Steps(path="acb.yaml", values={"key": None, "a": "b"})
    assert (secrets.every(), more.every()) == (["hunter2"], ["hunter3"])


def test_a_task_file_and_its_values_are_decoded() -> None:
    request = EncodedTaskRunRequest(
        encoded_task_content=encoded("steps: []"), platform=LINUX, encoded_values_content=encoded("a: ü")
    )
    assert planned(request, "").plan.work == Steps(text="steps: []", values_text="a: ü")


@pytest.mark.parametrize(
    ("source", "kept", "secret"),
    [
        ("https://ghp_abc@git.example/app.git#main:src", "https://git.example/app.git#main:src", "ghp_abc"),
        ("https://me:pass%40word@git.example/app.git", "https://git.example/app.git", "pass@word"),
        ("https://me:secret@files.example/app.tar.gz", "https://files.example/app.tar.gz", "secret"),
    ],
)
def test_credentials_in_a_source_are_kept_apart_and_masked(source: str, kept: str, secret: str) -> None:
    request = DockerBuildRequest(docker_file_path="Dockerfile", platform=LINUX, source_location=source)
    plan, secrets = planned(request, "")
    assert plan.context == kept
    assert secrets.context == source
    assert secrets.every() == [secret]


def test_passwords_of_registries_stand_apart() -> None:
    custom = CustomRegistry(SecretObject("me"), SecretObject("hunter2"))
    credentials = Credentials(custom_registries={"other.example": custom})
    request = DockerBuildRequest(docker_file_path="Dockerfile", platform=LINUX, credentials=credentials)
    plan, secrets = planned(request, "")
    assert plan.credentials.custom_registries == {"other.example": CustomRegistry()}
    assert secrets.registries == {"other.example": ("me", "hunter2")}


def test_where_a_vault_keeps_a_password_is_no_secret_and_what_is_beside_it_is() -> None:
    kept = SecretObject("https://vault.example/secrets/a", SecretKind.VAULT)
    custom = CustomRegistry(SecretObject("me"), kept, "[system]")
    credentials = Credentials(custom_registries={"other.example": custom})
    request = DockerBuildRequest(docker_file_path="Dockerfile", platform=LINUX, credentials=credentials)
    plan, secrets = planned(request, "")
    shown = CustomRegistry(password=kept, identity="[system]")
    assert plan.credentials.custom_registries == {"other.example": shown}
    assert secrets.registries == {"other.example": ("me", "")}
