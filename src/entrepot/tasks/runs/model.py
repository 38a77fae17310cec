"""Runs as they are kept and as they are shown (ACR-TASKS 6.2, 6.3)."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from entrepot.tasks.context import without_credentials
from entrepot.tasks.model import AgentConfiguration, BaseImage, Credentials, Platform


class Status(StrEnum):
    """Where a run is. The last five are final."""

    QUEUED = "Queued"
    STARTED = "Started"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"
    ERROR = "Error"
    TIMEOUT = "Timeout"


FINAL: Final = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED, Status.ERROR, Status.TIMEOUT})


class RunType(StrEnum):
    """Whether somebody asked for it, or a trigger."""

    QUICK = "QuickRun"
    AUTO = "AutoRun"


class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image in a registry."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None


class ImageUpdate(msgspec.Struct, frozen=True, rename="camel"):
    """The base images whose change began a run."""

    id: str
    timestamp: datetime
    images: tuple[Image, ...]


class SourceChange(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The change in a git repository that began a run."""

    id: str
    event_type: str
    commit_id: str
    repository_url: str
    branch_name: str | None = None
    pull_request_id: str | None = None
    provider_type: str | None = None


class Tick(msgspec.Struct, frozen=True, rename="camel"):
    """The moment of a timer that began a run."""

    timer_trigger_name: str
    schedule_occurrence: str


class PushedImage(msgspec.Struct, frozen=True, rename="camel"):
    """The push that began a run. ``registry``: its login server. Ours, not ACR's."""

    event_trigger_name: str
    id: str
    timestamp: datetime
    registry: str
    repository: str
    tag: str
    digest: str

    def values(self) -> dict[str, str]:
        """For templates: ``{{.Values.event_reference}}`` and the others."""
        return {
            "event_reference": f"{self.registry}/{self.repository}:{self.tag}",
            "event_registry": self.registry,
            "event_repository": self.repository,
            "event_tag": self.tag,
            "event_digest": self.digest,
        }


class Build(msgspec.Struct, frozen=True, tag="build"):
    """Of one Dockerfile. ``arguments``: None for one whose value is secret."""

    dockerfile: str
    images: tuple[str, ...] = ()
    push: bool = True
    no_cache: bool = False
    target: str = ""
    arguments: Mapping[str, str | None] = {}
    attestations: tuple[str, ...] = ()


class Steps(msgspec.Struct, frozen=True, tag="steps"):
    """Of a task file: its text, or where it lies in the context. ``values``: as the arguments of a build."""

    text: str = ""
    path: str = ""
    values_text: str = ""
    values_path: str = ""
    values: Mapping[str, str | None] = {}


class Lent(msgspec.Struct, frozen=True):
    """A managed identity that a run has, by its object id and client id. ``resource``: the resource id of one that was
    made by itself; empty for the one that is its task's own.
    """

    principal: str
    client: str = ""
    resource: str = ""


class Plan(msgspec.Struct, frozen=True):
    """What a run does, with every default filled in and no secret. ``context``: as it was asked for.

    ``principal``: who asked for it, empty for a trigger. ``identities``: its own.
    ``chain``: the tasks whose pushes led to it, REGISTRY/TASK each, the first one first.
    """

    work: Build | Steps
    platform: Platform
    timeout: int
    context: str = ""
    agent: AgentConfiguration = AgentConfiguration()
    credentials: Credentials = Credentials()
    principal: str = ""
    image_update: ImageUpdate | None = None
    source: SourceChange | None = None
    tick: Tick | None = None
    pushed: PushedImage | None = None
    chain: tuple[str, ...] = ()
    update_trigger_token: str | None = None
    identities: tuple[Lent, ...] = ()

    @property
    def triggered_by(self) -> str:
        """What az shows as the trigger of a run."""
        if self.source is not None:
            return self.source.event_type
        causes = {"Timer": self.tick, "Image Update": self.image_update, "Push": self.pushed}
        return next((name for name, cause in causes.items() if cause is not None), "Manual")


class Secrets(msgspec.Struct, frozen=True):
    """What of a plan is secret. ``registries``: user name and password by login server. ``token``: of the context.

    ``context``: the whole of one that has a name or a password in it; the plan has it without.
    """

    arguments: Mapping[str, str] = {}
    values: Mapping[str, str] = {}
    registries: Mapping[str, tuple[str, str]] = {}
    token: str = ""
    context: str = ""

    def every(self) -> list[str]:
        """What no log may show."""
        passwords = [password for _, password in self.registries.values()]
        _, user, secret = without_credentials(self.context) if self.context else ("", "", "")
        # A token may stand in the place of the user's name.
        mine = (*passwords, self.token, secret or user)
        return [each for each in (*self.arguments.values(), *self.values.values(), *mine) if each]


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a run. ``manifests``: ``repository@digest`` of the images, by which runs are found. ``bases``: what
    its builds stand on.
    """

    images: tuple[Image, ...] = ()
    manifests: tuple[str, ...] = ()
    bases: tuple[BaseImage, ...] = ()
    error: str | None = None
    custom_registries: tuple[str, ...] = ()


class RunProperties(msgspec.Struct, rename="camel", omit_defaults=True):
    run_id: str
    status: str
    run_type: str
    platform: Platform
    agent_configuration: AgentConfiguration
    create_time: str
    last_updated_time: str
    start_time: str | None = None
    finish_time: str | None = None
    task: str | None = None
    agent_pool_name: str | None = None
    output_images: tuple[Image, ...] = ()
    image_update_trigger: ImageUpdate | None = None
    source_trigger: SourceChange | None = None
    timer_trigger: Tick | None = None
    event_trigger: PushedImage | None = None
    source_registry_auth: str | None = None
    custom_registries: tuple[str, ...] = ()
    run_error_message: str | None = None
    update_trigger_token: str | None = None
    # Members with these are told even so.
    provisioning_state: str | None = None
    is_archive_enabled: bool | None = None


class RunDocument(msgspec.Struct, rename="camel"):
    id: str
    name: str
    properties: RunProperties
    type: str = "Microsoft.ContainerRegistry/registries/runs"
