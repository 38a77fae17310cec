"""What a file is: blocks in an order, each a piece of the content store."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from entrepot.catalog.model import RegistryId
from entrepot.content.model import Piece
from entrepot.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that begins. It goes when it expires, whole or not; None is never. ``id``: 32 hex digits that are new."""

    id: str
    registry: RegistryId
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A part of a file that comes in by this session of the store, as long as announced (bytes)."""

    session: str
    file: str
    name: str
    length: int


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block whose bytes are durable: one piece, or none when it is empty."""

    block: NewBlock
    digest: Digest
    pieces: tuple[Piece, ...]


class Listed(StrEnum):
    """Where a block list looks for a block: among those that came since the last list, those in place, or both."""

    LATEST = "Latest"
    COMMITTED = "Committed"
    UNCOMMITTED = "Uncommitted"


class Wanted(NamedTuple):
    """An entry of a block list."""

    name: str
    listed: Listed = Listed.LATEST


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that is whole: what ``ContentStore.read`` needs for any range of it."""

    id: str
    registry: RegistryId
    length: int
    pieces: tuple[Piece, ...]
