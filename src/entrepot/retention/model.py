"""The typed values of garbage collection."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Concatenate, NamedTuple, ParamSpec, Protocol, Self, TypeVar

from sqlalchemy import Connection

from entrepot.catalog.model import BlobId, RegistryId, RepositoryId

P = ParamSpec("P")
T = TypeVar("T")


class Doors(Protocol):
    """The catalog's doors: a database's own, or those of a run, which open only while the run is in its hands."""

    def read(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Look at the catalog."""
        ...

    def write(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Change it in one short transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Waits:
    """How long collection lets things be."""

    unlinked: timedelta  # a blob that came in, until a manifest must name it
    condemned: timedelta  # a condemned link, until it goes
    retired: timedelta  # bytes that the catalog no longer names, until they are removed
    upload: timedelta  # an upload that sends nothing; and whatever lies in the store that nobody knows


class Link(NamedTuple):
    """A repository's link to a blob, as far as a review must know it."""

    repository: RepositoryId
    blob: BlobId
    registry: RegistryId
    size: int
    linked_at: datetime
    condemned_at: datetime | None
    review_due: datetime | None
    reason: str
    is_needed: bool

    @property
    def key(self) -> tuple[RepositoryId, BlobId]:
        return self.repository, self.blob


class Verdict(StrEnum):
    """What a review decides about a link."""

    KEEP = "kept"
    POSTPONE = "postponed"
    CONDEMN = "condemned"
    UNLINK = "unlinked"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict; ``due``: when to look again, if at all."""

    verdict: Verdict
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How much collection did. Whatever a step looks at is counted somewhere: nothing counted means nothing was due."""

    kept: int = 0
    postponed: int = 0
    condemned: int = 0
    condemned_bytes: int = 0
    revived: int = 0
    unlinked: int = 0
    deleted: int = 0
    deleted_bytes: int = 0
    freed: int = 0
    freed_bytes: int = 0
    stuck: int = 0
    uploads: int = 0
    files: int = 0
    repositories: int = 0
    extra: int = 0
    extra_bytes: int = 0

    def __add__(self, other: Self) -> "Tally":
        return Tally(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    @property
    def handled(self) -> int:
        """How many things were looked at."""
        decided = self.kept + self.postponed + self.condemned + self.unlinked
        return (
            decided
            + self.deleted
            + self.freed
            + self.stuck
            + self.uploads
            + self.files
            + self.repositories
            + self.extra
        )
