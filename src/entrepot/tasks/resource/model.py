"""A task's JSON: what may be written of it, and what is shown. Source: ACR-TASKS 5.2 to 5.5.

The one struct of each part stands for both: what is secret has no value where it is shown (``secrets.py``).
"""

from enum import StrEnum
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct, field
from msgspec.structs import asdict

from entrepot.arm.identities import Identity, IdentityBody
from entrepot.tasks.model import (
    TIMEOUT,
    AgentConfiguration,
    Arguments,
    Attestations,
    BaseImage,
    Credentials,
    Encoded,
    Names,
    Platform,
    Text,
    Timeout,
    Values,
    shown,
)

# PostgreSQL takes no NUL.
Name = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]


class Status(StrEnum):
    """Of a task and of each of its triggers."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"


# --- steps ------------------------------------------------------------------------------------------------------------


class DockerStep(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True, tag_field="type", tag="Docker"):
    """Build one Dockerfile of the context."""

    docker_file_path: Text
    image_names: Names = []
    is_push_enabled: bool = shown(default=True)
    no_cache: bool = shown(default=False)
    target: Text | None = None
    arguments: Arguments = shown(default=[])
    attestations: Attestations = []
    context_path: Text | None = None
    context_access_token: Text | None = None


class FileTaskStep(
    Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True, tag_field="type", tag="FileTask"
):
    """Run a task file of the context."""

    task_file_path: Text
    values_file_path: Text | None = None
    values: Values = shown(default=[])
    context_path: Text | None = None
    context_access_token: Text | None = None


class EncodedTaskStep(
    Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True, tag_field="type", tag="EncodedTask"
):
    """Run a task file that the task itself holds, in Base64."""

    encoded_task_content: Encoded
    encoded_values_content: Encoded | None = None
    values: Values = shown(default=[])
    context_path: Text | None = None
    context_access_token: Text | None = None


Step: TypeAlias = DockerStep | FileTaskStep | EncodedTaskStep


# --- triggers ---------------------------------------------------------------------------------------------------------


class TimerTrigger(Struct, frozen=True, rename="camel", omit_defaults=True):
    """``schedule``: ``minute hour day month weekday``."""

    name: Name
    schedule: Text
    status: Status = shown(default=Status.ENABLED)


class SourceControl(StrEnum):
    """Who serves the repository. ACR knows the first two."""

    GITHUB = "Github"
    AZURE_DEVOPS = "VisualStudioTeamService"
    GITLAB = "GitLab"
    GITEA = "Gitea"


class SourceEvent(StrEnum):
    COMMIT = "commit"
    PULL_REQUEST = "pullrequest"


class TokenType(StrEnum):
    PERSONAL = "PAT"
    OAUTH = "OAuth"


class SourceControlAuth(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What opens the repository to us. ``token``: absent in a change that leaves it as it is."""

    token: Text | None = None
    token_type: TokenType = shown(default=TokenType.PERSONAL)
    refresh_token: Text | None = None
    scope: Text | None = None
    expires_in: int | None = None


class SourceRepository(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """``repository_url`` may name a branch and a folder, as a context does. Without ``branch``: the default one."""

    source_control_type: SourceControl
    repository_url: Text
    branch: Text | None = None
    source_control_auth_properties: SourceControlAuth | None = None


class SourceTrigger(Struct, frozen=True, rename="camel", omit_defaults=True):
    """``source_trigger_events``: none, where it is disabled."""

    name: Name
    source_repository: SourceRepository
    source_trigger_events: Annotated[list[SourceEvent], Meta(max_length=8)]
    status: Status = shown(default=Status.ENABLED)


class BaseImageTriggerType(StrEnum):
    """Which images count: all that a build needs, or the one that the result stands on."""

    ALL = "All"
    RUNTIME = "Runtime"


class PayloadType(StrEnum):
    DEFAULT = "Default"
    TOKEN = "Token"  # noqa: S105  a kind, not a secret


class BaseImageTrigger(Struct, frozen=True, rename="camel", omit_defaults=True):
    """``update_trigger_endpoint``: who is told too when a base image changes, and with what."""

    name: Name
    base_image_trigger_type: BaseImageTriggerType = shown(default=BaseImageTriggerType.RUNTIME)
    status: Status = shown(default=Status.ENABLED)
    update_trigger_endpoint: Text | None = None
    update_trigger_payload_type: PayloadType | None = None


Patterns = Annotated[list[Annotated[str, Meta(min_length=1, max_length=255)]], Meta(min_length=1, max_length=50)]


class EventTrigger(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A push to the registry begins a run: one whose repository and tag fit a pattern each. Ours, not ACR's."""

    name: Name
    repositories: Patterns
    tags: Patterns = shown(default=["*"])
    status: Status = shown(default=Status.ENABLED)


class Triggers(Struct, frozen=True, rename="camel", omit_defaults=True):
    timer_triggers: Annotated[list[TimerTrigger], Meta(max_length=50)] = []
    source_triggers: Annotated[list[SourceTrigger], Meta(max_length=50)] = []
    base_image_trigger: BaseImageTrigger | None = None
    event_triggers: Annotated[list[EventTrigger], Meta(max_length=50)] = []


# --- tasks ------------------------------------------------------------------------------------------------------------


class TaskSettings(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """What may be written of a task. One of the system has no step: it says how quick runs are."""

    status: Status = shown(default=Status.ENABLED)
    platform: Platform | None = None
    agent_configuration: AgentConfiguration = field(default_factory=AgentConfiguration)
    agent_pool_name: Text | None = None
    timeout: Timeout = shown(default=TIMEOUT)
    step: Step | None = None
    trigger: Triggers | None = None
    credentials: Credentials | None = None
    log_template: Text | None = None
    is_system_task: bool = shown(default=False)


class TaskBody(Struct, frozen=True):
    location: str = ""
    tags: dict[str, str] = {}
    identity: IdentityBody = field(default_factory=IdentityBody)
    properties: TaskSettings = field(default_factory=TaskSettings)


class Moments(Struct, frozen=True, rename="camel"):
    created_at: str
    last_modified_at: str


class ShownDockerStep(DockerStep, frozen=True, rename="camel", omit_defaults=True, tag_field="type", tag="Docker"):
    """``base_image_dependencies``, here and below: what its builds stand on. Nobody writes that."""

    base_image_dependencies: list[BaseImage] = []


class ShownFileTaskStep(
    FileTaskStep, frozen=True, rename="camel", omit_defaults=True, tag_field="type", tag="FileTask"
):
    base_image_dependencies: list[BaseImage] = []


class ShownEncodedTaskStep(
    EncodedTaskStep, frozen=True, rename="camel", omit_defaults=True, tag_field="type", tag="EncodedTask"
):
    base_image_dependencies: list[BaseImage] = []


ShownStep: TypeAlias = ShownDockerStep | ShownFileTaskStep | ShownEncodedTaskStep


def shown_step(step: Step | None, bases: list[BaseImage]) -> ShownStep | None:
    match step:
        case DockerStep():
            return ShownDockerStep(**asdict(step), base_image_dependencies=bases)
        case FileTaskStep():
            return ShownFileTaskStep(**asdict(step), base_image_dependencies=bases)
        case EncodedTaskStep():
            return ShownEncodedTaskStep(**asdict(step), base_image_dependencies=bases)
        case None:
            return None


class TaskProperties(TaskSettings, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    step: ShownStep | None = None
    creation_date: str
    provisioning_state: str = shown(default="Succeeded")


class TaskDocument(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    id: str
    name: str
    location: str
    tags: dict[str, str] = shown(default={})
    identity: Identity | None = None
    system_data: Moments
    properties: TaskProperties
    type: str = shown(default="Microsoft.ContainerRegistry/registries/tasks")
