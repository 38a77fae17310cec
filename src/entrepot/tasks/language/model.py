"""A task file's objects: the table from which parser, JSON Schema and reference page come (ACR-TASKS 1.3 to 1.5)."""

from typing import Annotated

from msgspec import Meta, Struct, field

STEP_SECONDS = 600
RETRY_SECONDS = 5


class Secret(Struct, frozen=True, rename="camel"):
    """A secret of a vault, for templates: ``{{.Secrets.id}}``."""

    id: Annotated[str, Meta(description="The name under which templates find it; without white space.")] = ""
    keyvault: Annotated[str, Meta(description="Where it is: https://VAULT/secrets/NAME or .../NAME/VERSION.")] = ""
    client_id: Annotated[str, Meta(description="The user-assigned identity that reads it.")] = field(
        default="", name="clientID"
    )


class Network(Struct, frozen=True, rename="camel"):
    """A network that the run makes before its first step."""

    name: Annotated[str, Meta(description="Its name, for the network of a step.")] = ""
    driver: Annotated[str, Meta(description="The engine's driver: bridge unless said.")] = ""
    ipv6: Annotated[bool, Meta(description="Whether it has IPv6.")] = False
    skip_creation: Annotated[bool, Meta(description="It is there already, and stays.")] = False
    is_default: Annotated[bool, Meta(description="Steps without a network get it; the last one that says so.")] = False


class Volume(Struct, frozen=True, rename="camel"):
    """Files that steps may mount."""

    name: Annotated[str, Meta(description="Letters, digits, - and _.")] = ""
    secret: Annotated[dict[str, str], Meta(description="Names of files, and the Base64 text of what is in each.")] = (
        field(default_factory=dict)
    )


class VolumeMount(Struct, frozen=True, rename="camel"):
    """Where a step sees a volume."""

    name: Annotated[str, Meta(description="The volume's name.")] = ""
    mount_path: Annotated[str, Meta(description="The folder in the step's container.")] = ""


class Step(Struct, frozen=True, rename="camel", kw_only=True):
    """One of ``cmd``, ``build`` or ``push``, and how it runs."""

    id: Annotated[str, Meta(description="Its name, also as a host for other steps; acb_step_N unless said.")] = ""
    cmd: Annotated[str, Meta(description="An image and what to run in it, as one shell line.")] = ""
    build: Annotated[str, Meta(description="What follows docker build: options and the context.")] = ""
    push: Annotated[list[str], Meta(description="The images to push.")] = field(default_factory=list)
    when: Annotated[
        list[str], Meta(description="Earlier steps that it waits for; [-] for none; the step above unless said.")
    ] = field(default_factory=list)
    timeout: Annotated[int, Meta(description="Seconds for all tries together; stepTimeout unless said.")] = 0
    start_delay: Annotated[int, Meta(description="Seconds to wait before the start.")] = 0
    retries: Annotated[int, Meta(description="Further tries after a failure.")] = 0
    retry_delay: Annotated[int, Meta(description="Seconds between two tries; 5 unless said.")] = 0
    retry_on_errors: Annotated[
        list[str], Meta(description="Try again only where the output has one of these texts.")
    ] = field(default_factory=list)
    repeat: Annotated[int, Meta(description="Further executions after the first, whatever came of it.")] = 0
    cmd_download_retries: Annotated[int, Meta(description="Further tries of the pull that pull asks for.")] = 0
    cmd_download_retry_delay: Annotated[int, Meta(description="Seconds between two of them.")] = 0
    pull: Annotated[bool, Meta(description="Pull the image of cmd first, even where it is there.")] = False
    ignore_errors: Annotated[bool, Meta(description="A failure of the step is none of the run.")] = False
    detach: Annotated[bool, Meta(description="Do not wait for its end; it is removed when the run ends.")] = False
    keep: Annotated[bool, Meta(description="Keep the container until the run ends.")] = False
    env: Annotated[list[str], Meta(description="Environment, NAME=VALUE; over the task's of the same name.")] = field(
        default_factory=list
    )
    entry_point: Annotated[str, Meta(description="In place of the image's entry point.")] = ""
    working_directory: Annotated[str, Meta(description="Below /workspace, or absolute.")] = ""
    disable_working_directory_override: Annotated[
        bool, Meta(description="Keep the working directory that the image says.")
    ] = False
    user: Annotated[str, Meta(description="User name or id, and group.")] = ""
    network: Annotated[str, Meta(description="The network by its name.")] = ""
    ports: Annotated[list[str], Meta(description="Ports published on the run's machine.")] = field(default_factory=list)
    expose: Annotated[list[str], Meta(description="Ports that other steps may reach.")] = field(default_factory=list)
    privileged: Annotated[bool, Meta(description="Refused here: a run has no rights over its machine.")] = False
    isolation: Annotated[str, Meta(description="Isolation of a Windows container.")] = ""
    cpus: Annotated[str, Meta(description="How many processors it may use.")] = ""
    cache: Annotated[str, Meta(description="Of a build: enabled or disabled.")] = ""
    attestations: Annotated[
        list[str],
        Meta(description="Of a build: provenance, sbom; kept beside the image when it is pushed. Not known to ACR."),
    ] = field(default_factory=list)
    volume_mounts: Annotated[list[VolumeMount], Meta(description="Volumes that it sees, and where.")] = field(
        default_factory=list
    )
    exited_with: Annotated[list[int], Meta(description="Exit codes that are success.")] = field(default_factory=list)
    exited_without: Annotated[list[int], Meta(description="Exit codes that are failure; all others are success.")] = (
        field(default_factory=list)
    )


class TaskFile(Struct, frozen=True, rename="camel", kw_only=True):
    """A whole task file, as it is written once aliases and templates are gone."""

    version: Annotated[str, Meta(description="v1.0.0, or v1.1.0 for aliases.")] = ""
    step_timeout: Annotated[int, Meta(description="Seconds for a step that does not say; 600 unless said.")] = 0
    working_directory: Annotated[str, Meta(description="Of steps that do not say.")] = ""
    env: Annotated[list[str], Meta(description="Environment of all steps, NAME=VALUE.")] = field(default_factory=list)
    secrets: Annotated[list[Secret], Meta(description="Secrets of a vault.")] = field(default_factory=list)
    networks: Annotated[list[Network], Meta(description="Networks; one for all steps unless said.")] = field(
        default_factory=list
    )
    volumes: Annotated[list[Volume], Meta(description="Files that steps may mount.")] = field(default_factory=list)
    steps: Annotated[list[Step], Meta(description="The steps.")] = field(default_factory=list)


class Alias(Struct, frozen=True, rename="camel"):
    """The block ``alias``, which is read before everything else."""

    values: Annotated[dict[str, str], Meta(description="Names of letters and digits, and what stands for them.")] = (
        field(default_factory=dict)
    )
    src: Annotated[
        list[str],
        Meta(
            description="Maps of further ones, the later over the earlier, `values` over all: files of the context, "
            "and http or https addresses, which have two seconds to answer."
        ),
    ] = field(default_factory=list)
    directive: Annotated[str, Meta(description="The sign before a name; $ unless said.")] = ""


class AliasBlock(Struct, frozen=True):
    """The block with its key."""

    alias: Alias = field(default_factory=Alias)
