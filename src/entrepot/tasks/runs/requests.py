"""What can be asked for when a run is: the bodies of scheduleRun, which taskRuns keep as theirs (ACR-TASKS 6.1)."""

from typing import TypeAlias

from msgspec import Struct, field

from entrepot.tasks.model import (
    TIMEOUT,
    AgentConfiguration,
    Arguments,
    Attestations,
    Credentials,
    Encoded,
    Names,
    Platform,
    Text,
    Timeout,
    Values,
    shown,
)


class DockerBuildRequest(
    Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True, tag_field="type", tag=True
):
    """Build one Dockerfile. ``source_location``: a context's address, or the path of an upload."""

    docker_file_path: Text
    platform: Platform
    image_names: Names = []
    is_push_enabled: bool = shown(default=True)
    no_cache: bool = shown(default=False)
    target: Text | None = None
    arguments: Arguments = []
    attestations: Attestations = []
    timeout: Timeout = shown(default=TIMEOUT)
    agent_configuration: AgentConfiguration = field(default_factory=AgentConfiguration)
    source_location: Text | None = None
    credentials: Credentials | None = None
    is_archive_enabled: bool = shown(default=False)
    agent_pool_name: Text | None = None
    log_template: Text | None = None


class FileTaskRunRequest(
    Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True, tag_field="type", tag=True
):
    """Run a task file that lies in the context. ``values_file_path``: in it too."""

    task_file_path: Text
    platform: Platform
    values_file_path: Text | None = None
    values: Values = []
    timeout: Timeout = shown(default=TIMEOUT)
    agent_configuration: AgentConfiguration = field(default_factory=AgentConfiguration)
    source_location: Text | None = None
    credentials: Credentials | None = None
    is_archive_enabled: bool = shown(default=False)
    agent_pool_name: Text | None = None
    log_template: Text | None = None


class EncodedTaskRunRequest(
    Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True, tag_field="type", tag=True
):
    """Run a task file that comes with the request, as the file of its values does: both in Base64."""

    encoded_task_content: Encoded
    platform: Platform
    encoded_values_content: Encoded | None = None
    values: Values = []
    timeout: Timeout = shown(default=TIMEOUT)
    agent_configuration: AgentConfiguration = field(default_factory=AgentConfiguration)
    source_location: Text | None = None
    credentials: Credentials | None = None
    is_archive_enabled: bool = shown(default=False)
    agent_pool_name: Text | None = None
    log_template: Text | None = None


class TaskStepOverrides(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What one run does otherwise than its task says. ``context_path`` and ``file`` stand in for the task's;
    ``arguments`` and ``values`` are laid over the task's by name; ``update_trigger_token``: in Base64.
    """

    context_path: Text | None = None
    file: Text | None = None
    arguments: Arguments = []
    target: Text | None = None
    values: Values = []
    update_trigger_token: Text | None = None


class TaskRunRequest(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True, tag_field="type", tag=True):
    """Run a task of the registry. Versions before 2019-06-01-preview say ``taskName`` and ``values`` here."""

    task_id: Text | None = None
    task_name: Text | None = None
    override_task_step_properties: TaskStepOverrides = field(default_factory=TaskStepOverrides)
    values: Values = []
    is_archive_enabled: bool = shown(default=False)
    agent_pool_name: Text | None = None
    log_template: Text | None = None


RunRequest: TypeAlias = DockerBuildRequest | FileTaskRunRequest | EncodedTaskRunRequest | TaskRunRequest
