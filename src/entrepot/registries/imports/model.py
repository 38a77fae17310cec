"""What an import is asked for, and the plan that its job works off. Source: ACR-REFERENCE 6.4."""

from enum import Enum
from typing import Final, NamedTuple, Self

import msgspec

from entrepot.catalog.model import Place, RegistryId
from entrepot.events.audit import Origin
from entrepot.oci.reference import RepositoryName, Tag

TARGETS_LIMIT: Final = 100


class Mode(Enum):
    """Whether tags that are there may be moved."""

    NO_FORCE = "NoForce"
    FORCE = "Force"


class SourceCredentials(msgspec.Struct):
    password: str
    username: str = ""


class SourceBody(msgspec.Struct, rename="camel"):
    source_image: str
    resource_id: str | None = None
    registry_uri: str | None = None
    credentials: SourceCredentials | None = None


class ImportBody(msgspec.Struct, rename="camel"):
    """``includeReferrers`` is ours: ACR leaves signatures and attestations behind."""

    source: SourceBody
    target_tags: list[str] = []
    untagged_target_repositories: list[str] = []
    mode: Mode = Mode.NO_FORCE
    include_referrers: bool = False


class Target(NamedTuple):
    """The registry that an import fills."""

    registry: RegistryId
    name: str
    resource_id: str


class Plan(msgspec.Struct):
    """An import as it is kept until it has ended. ``host``: of a registry elsewhere; ``source_registry``: of one here.

    ``reference``: a tag or a digest. ``targets``: tags by repository, none of them where only the manifest is wanted.
    """

    registry: int
    resource_id: str
    repository: str
    reference: str
    targets: dict[str, list[str]]
    force: bool
    include_referrers: bool
    principal: str
    origin: Origin
    host: str | None = None
    source_registry: int | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        return msgspec.json.decode(text, type=cls)

    def places(self) -> list[Place]:
        """In one order everywhere, as their rows are locked in it."""
        return [Place(RegistryId(self.registry), RepositoryName(name)) for name in sorted(self.targets)]

    def tags(self, place: Place) -> tuple[Tag, ...]:
        return tuple(map(Tag, self.targets[place.repository]))

    def labels(self) -> list[str]:
        """What is told of progress, one for each target."""
        return [f"{name}:{tag}" if tag else name for name in sorted(self.targets) for tag in self.targets[name] or [""]]
