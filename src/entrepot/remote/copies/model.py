"""What is copied, where from, and within which limits."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple, Protocol

from entrepot.catalog.model import Place
from entrepot.content.model import ContentStore
from entrepot.events.audit import Origin
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.reference import Tag
from entrepot.remote.copies.keeping import Keeping

# Manifests of one image, as ACR counts them: an index and its children.
MANIFESTS_LIMIT: Final = 50
REFERRERS_LIMIT: Final = 100


class Found(NamedTuple):
    """A manifest of the source."""

    manifest: Manifest
    digest: Digest


class Source(Protocol):
    """Where images come from."""

    @property
    def place(self) -> Place | None:
        """Of a repository of this deployment: its blobs are linked, not copied."""
        ...

    def manifest(self, reference: Tag | Digest) -> Found | None:
        """None when there is none. Raises SOURCE_FAILED, LOCKED."""
        ...

    def referrers(self, subject: Digest) -> list[Digest]:
        """The manifests that name this one as their subject. Raises SOURCE_FAILED."""
        ...


class Errand(Protocol):
    """Who copies into which repositories of a registry, and whether what refers to the image comes along."""

    registry: int
    principal: str
    origin: Origin
    include_referrers: bool

    def places(self) -> list[Place]:
        """In one order everywhere, as their rows are locked in it."""
        ...


class Progress(Protocol):
    """Of one attempt."""

    keeping: Keeping

    def came(self, *, manifests: int = 0, blobs: int = 0, length: int = 0) -> None:
        """Called often. Raises HandedBack when the attempt's worker is stopping."""
        ...


class Habits(NamedTuple):
    """Limits of the deployment: bytes of one blob, how long a blob may wait for a manifest that names it."""

    blob_bytes: int
    unlinked_grace: timedelta


@dataclass(frozen=True, slots=True)
class Works:
    """What images are copied with."""

    store: ContentStore
    habits: Habits
    new_id: Callable[[], str]
