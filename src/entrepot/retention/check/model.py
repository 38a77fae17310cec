"""The typed values of a check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from sqlalchemy import Connection

from entrepot.catalog.model import BlobId, RegistryId, RepositoryId
from entrepot.content.model import Piece

# What puts a finding right, in a transaction of its own. It looks again: what was found may be over by then.
Repair: TypeAlias = Callable[[Connection], None]


class Fault(StrEnum):
    """What a check can find. The words are what people and ``--json`` read."""

    MISSING = "missing"  # the catalog names bytes that the store does not have, or not all of them
    WRONG = "wrong"  # the bytes have another digest
    UNREADABLE = "unreadable"  # the store could not read them
    CORRUPT = "corrupt"  # known to be missing or wrong, and not pushed again yet
    SOUND = "sound"  # said to be corrupt, and right
    EXTRA = "extra"  # bytes that nothing names and no open upload made
    DOOMED = "doomed"  # bytes that a blob lies under are queued to be removed
    UNLINKED = "unlinked"  # a manifest needs a blob that its repository does not link
    CONDEMNED = "condemned"  # a manifest needs a blob that is condemned
    HIDDEN = "hidden"  # a manifest needs a blob that is kept for deleted ones alone
    FORGOTTEN = "forgotten"  # nothing needs it, and no review would ever find it
    USAGE = "usage"  # a figure differs from what it counts


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be; ``repair`` is None where only a person or a push can help."""

    fault: Fault
    subject: str
    detail: Mapping[str, str | int]
    repair: Repair | None = field(default=None, repr=False, compare=False)


@dataclass(slots=True)
class Looked:
    """How much a check has looked at. ``young`` keys are unknown too, but not for long: the sweep will see."""

    blobs: int = 0
    hashed_bytes: int = 0
    elsewhere: int = 0
    keys: int = 0
    young: int = 0
    young_bytes: int = 0
    manifests: int = 0
    files: int = 0


class CheckedBlob(NamedTuple):
    """A blob's row with its places."""

    id: BlobId
    digest: str
    size: int
    is_corrupt: bool
    pieces: tuple[Piece, ...]


class CheckedBlock(NamedTuple):
    """A part of a file that no manifest names, and where it lies."""

    session: str
    file: str
    digest: str
    size: int
    pieces: tuple[Piece, ...]


class Stray(NamedTuple):
    """A link that is not as the manifests of its repository want it."""

    repository: RepositoryId
    name: str
    blob: BlobId
    digest: str
    is_condemned: bool


class WrongUses(NamedTuple):
    """How often a registry is said to use a blob, and does."""

    registry: RegistryId
    blob: BlobId
    digest: str
    said: int
    counted: int


class WrongCounts(NamedTuple):
    """How many manifests and tags a repository is said to have, and has."""

    repository: RepositoryId
    name: str
    said_manifests: int
    manifests: int
    said_tags: int
    tags: int


class WrongUsage(NamedTuple):
    """How many bytes a registry is said to use, and does."""

    registry: RegistryId
    name: str
    said: int
    counted: int


class Absent(NamedTuple):
    """A blob that a manifest names and its repository does not link."""

    manifest: int
    repository: str
    manifest_digest: str
    media_type: str
    body: bytes
    digest: str
