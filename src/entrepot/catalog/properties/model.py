"""Repositories, tags and manifests as lists and single looks tell of them.

What a page has a thousand of is a named tuple: a frozen dataclass takes ten times as long to make (bench/lists.py).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Attributes(NamedTuple):
    """What may be done; False locks (ACR-REFERENCE 8.3)."""

    delete_enabled: bool
    write_enabled: bool
    read_enabled: bool
    list_enabled: bool


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """The attributes to be set; None leaves one as it is."""

    delete_enabled: bool | None = None
    write_enabled: bool | None = None
    read_enabled: bool | None = None
    list_enabled: bool | None = None

    def values(self) -> dict[str, bool]:
        """By name, those that are to be set."""
        chosen = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in chosen.items() if value is not None}


@dataclass(frozen=True, slots=True)
class RepositoryProperties:
    """``updated_at``: when something was pushed or deleted last."""

    attributes: Attributes
    created_at: datetime
    updated_at: datetime
    manifest_count: int
    tag_count: int


class TagProperties(NamedTuple):
    """``updated_at``: when it was pushed last, also to where it pointed already."""

    attributes: Attributes
    name: str
    digest: str
    created_at: datetime
    updated_at: datetime


class ManifestProperties(NamedTuple):
    """``image_size`` in bytes, as ACR counts it; ``body`` is told of an index that is looked at alone."""

    attributes: Attributes
    id: int
    digest: str
    media_type: str
    image_size: int
    created_at: datetime
    updated_at: datetime
    last_pulled_at: datetime | None
    architecture: str | None
    os: str | None
    config_media_type: str | None
    artifact_type: str | None
    subject: str | None
    tags: tuple[str, ...] = ()
    body: bytes | None = None


class Order(Enum):
    """By name or digest, or by the time of the last update; names decide among equal times."""

    NAME = auto()
    OLDEST_FIRST = auto()
    NEWEST_FIRST = auto()


@dataclass(frozen=True, slots=True)
class After:
    """Where a page begins: after the name or digest ``last`` (empty: at the beginning).

    ``at``: the time of the last update that stood beside ``last`` when it was told. Without it the present one is
    looked up: a tag that was pushed between two pages then takes its list along.
    """

    order: Order
    last: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PropertiesPage(Generic[T]):
    """Part of a list; ``more`` when it goes on."""

    rows: tuple[T, ...]
    more: bool
