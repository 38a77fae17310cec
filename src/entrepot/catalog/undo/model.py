"""What was deleted, as lists tell it and as it is asked for."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple

from entrepot.catalog.model import Place, RepositoryId
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag


class DeletedRepository(NamedTuple):
    """A name under which something can be restored, and nothing is there any more."""

    name: str
    created_at: datetime
    deleted_at: datetime


class DeletedManifest(NamedTuple):
    """A manifest that can be restored."""

    digest: str
    created_at: datetime
    deleted_at: datetime


class DeletedTag(NamedTuple):
    """A tag that can be restored, with what it named. One name may have several."""

    name: str
    digest: str
    deleted_at: datetime


class Taken(Enum):
    """What is done where something else has the name by now."""

    REFUSE = auto()
    REPLACE = auto()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A manifest to be restored, and the tag that it is to have again."""

    place: Place
    digest: Digest
    tag: Tag | None
    taken: Taken


class Source(NamedTuple):
    """A manifest that can be restored, with what a push would not bring."""

    id: int
    repository_id: RepositoryId
    media_type: str
    body: bytes
    size: int
    architecture: str | None
    os: str | None
    is_deleted: bool
    """False in a repository that was deleted as a whole, and of one that only lost its tag."""
    is_elsewhere: bool
    """Whether it is in a repository that was deleted as a whole."""
