"""The catalog's typed values."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NewType

from entrepot.content.model import Piece
from entrepot.events.audit import NOWHERE, Origin
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.platform import Platform
from entrepot.oci.reference import RepositoryName, Tag

RegistryId = NewType("RegistryId", int)
RepositoryId = NewType("RepositoryId", int)
BlobId = NewType("BlobId", int)


@dataclass(frozen=True, slots=True)
class Place:
    """A repository as a request names it: it may not exist."""

    registry: RegistryId
    repository: RepositoryName


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes something, when, and the id that its event gets. ``origin`` is for the audit log."""

    principal: str
    now: datetime
    event_id: str
    origin: Origin = NOWHERE


# Who runs the server, and changes what belongs to it from the machine itself.
OPERATOR: Final = "operator"
# A job, which does what is due.
SERVER: Final = "server"


@dataclass(frozen=True, slots=True)
class Grace:
    """How long a blob that comes in now may wait for a manifest that names it."""

    now: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class KnownBlob:
    """A blob's row as far as a link must know it."""

    id: BlobId
    size: int


@dataclass(frozen=True, slots=True)
class BlobLink:
    """That a repository links a blob."""

    registry: RegistryId
    repository: RepositoryId
    blob: BlobId
    size: int


@dataclass(frozen=True, slots=True)
class ReferrersOf:
    """Which referrers are asked for: of this subject, of this type if one is named, after this digest."""

    subject: str
    artifact_type: str | None
    last: str


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest as it was pushed, byte for byte."""

    id: int
    digest: str
    media_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob that the repository links, and where its bytes lie."""

    digest: str
    size: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Push:
    """Everything that a manifest's commit needs to know."""

    place: Place
    manifest: Manifest
    digest: Digest
    tags: tuple[Tag, ...]
    platform: Platform
    change: Change


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload session. ``sealed`` are the pieces that an object store holds for it; a folder knows by itself."""

    id: str
    place: Place
    principal: str
    algorithm: str
    touched_at: datetime
    sealed: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Part of an ordered list of names; ``more`` when the list goes on after the last of them."""

    names: tuple[str, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest that names another as its subject, as the referrers API describes it."""

    digest: str
    media_type: str
    size: int
    artifact_type: str | None
    annotations: str | None
