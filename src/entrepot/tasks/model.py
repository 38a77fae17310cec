"""What tasks, runs and requests for runs have in common, in the shape of their JSON (ACR-TASKS 5.2 to 6.1).

A member that is not said is left out, as in ACR's answers, unless its default is ``shown``.
"""

from copy import copy
from enum import StrEnum
from typing import Annotated, Final, TypeVar

from msgspec import Meta, Struct, field

T = TypeVar("T")

TIMEOUT: Final = 3600
# Seconds: what a run may be given.
Timeout = Annotated[int, Meta(ge=300, le=28_800)]
Text = Annotated[str, Meta(max_length=4096)]
Names = Annotated[list[Text], Meta(max_length=100)]
# A file in Base64: 1 MiB at most, as the language has it.
Encoded = Annotated[str, Meta(max_length=1_400_000)]


def shown(*, default: T) -> T:
    """A default that is written, where ``omit_defaults`` leaves out plain ones."""
    return field(default_factory=lambda: copy(default))


_ARCHITECTURE: Final = "(amd64|x86|386|arm64|arm)(/v[678])?"


class Platform(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a build is for. In the case that it was written in, as ACR keeps it.

    ``architecture``: of a quick build or a task of a Dockerfile also several, comma-separated, with their variants
    (``amd64,arm64,arm/v7``), which ACR does not know: an index of them is pushed.
    """

    os: Annotated[str, Meta(pattern="(?i)^(linux|windows)$")]
    architecture: Annotated[str, Meta(pattern=f"(?i)^{_ARCHITECTURE}(,{_ARCHITECTURE}){{0,7}}$")] | None = None
    variant: Annotated[str, Meta(pattern="(?i)^v[678]$")] | None = None


class BaseImageKind(StrEnum):
    """Whether a built image stands on it, or only its build needs it."""

    RUNTIME = "Runtime"
    BUILDTIME = "BuildTime"


class BaseImage(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a task's builds stand on. Without ``tag``: a digest says which. ``digest``: what the last run built on."""

    type: BaseImageKind
    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        return f"{self.registry}/{self.repository}:{self.tag or ''}"


class AgentConfiguration(Struct, frozen=True, rename="camel"):
    """How much of a machine a run gets: processors."""

    cpu: Annotated[int, Meta(ge=1, le=64)] = 2


class Argument(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A build argument; ``value`` is absent where it is secret and is not to be shown."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    value: Text | None = None
    is_secret: bool = shown(default=False)
    type: str = shown(default="Argument")


class SetValue(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A value for templates, found as ``.Values.NAME``; absent as an argument's."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    value: Text | None = None
    is_secret: bool = shown(default=False)
    type: str = shown(default="SetValue")


class Attestation(StrEnum):
    """What is to be said of an image beside it. ACR knows none."""

    PROVENANCE = "provenance"
    SBOM = "sbom"


Attestations = Annotated[list[Attestation], Meta(max_length=2)]
Arguments = Annotated[list[Argument], Meta(max_length=500)]
Values = Annotated[list[SetValue], Meta(max_length=500)]


class SecretKind(StrEnum):
    """What the value of a credential is: itself, or where a vault keeps it."""

    OPAQUE = "Opaque"
    VAULT = "Vaultsecret"


class SecretObject(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Half of a credential."""

    value: Text | None = None
    type: SecretKind = shown(default=SecretKind.OPAQUE)


class CustomRegistry(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How a run signs in to another registry: by name and password, or as one of its identities."""

    user_name: SecretObject | None = None
    password: SecretObject | None = None
    identity: Text | None = None


class LoginMode(StrEnum):
    """Whether a run is signed in to its own registry by itself."""

    NONE = "None"
    DEFAULT = "Default"


class SourceRegistry(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How a run signs in to its own registry. ``identity``: [system], [caller] or a client id."""

    login_mode: LoginMode | None = None
    identity: Text | None = None


class Credentials(Struct, frozen=True, rename="camel", omit_defaults=True):
    """``custom_registries``: by login server."""

    source_registry: SourceRegistry | None = None
    custom_registries: Annotated[dict[str, CustomRegistry], Meta(max_length=64)] | None = None
