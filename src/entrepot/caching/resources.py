"""What both resource types of this room do alike: whose they are, when they were written, how they are deleted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct
from sqlalchemy import Connection

from entrepot.arm.descriptor import AnyResource, Ask, Going
from entrepot.arm.operations.record import Doing, Outcome, begin, end
from entrepot.arm.routes import unknown
from entrepot.db.locks import lock_name


class Owner(Protocol):
    """The registry that a rule or a set belongs to."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def resource_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Registries:
    """What this room needs of registries.

    ``expect_room``: raises QUOTA_EXCEEDED when a registry has that many rules and no more are allowed.
    """

    resource: AnyResource
    above: tuple[AnyResource, ...]
    find: Callable[[Connection, Ask], Owner | None]
    expect_room: Callable[[Connection, Ask, int, int], None]

    @property
    def parents(self) -> tuple[AnyResource, ...]:
        return (*self.above, self.resource)

    def owner(self, tx: Connection, ask: Ask) -> Owner:
        """Raises RESOURCE_UNKNOWN."""
        registry = self.find(tx, ask)
        if registry is None:
            raise unknown(self.resource, ask.id.rpartition("/registries/")[0] + f"/registries/{ask['registry']}")
        return registry


class Moments(Struct, frozen=True, rename="camel"):
    created_at: str
    last_modified_at: str


def moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def lock_cache(tx: Connection, registry: Owner) -> None:
    """One change at a time of a registry's rules and of the sets that they name."""
    lock_name(tx, f"cache of {registry.id}")


def deleted(tx: Connection, ask: Ask, what: str) -> Going[Any]:
    """Of a deletion that has ended: az and the SDKs take 202 for it, and refuse 200 (ACR-REFERENCE 6.2)."""
    operation = begin(tx, ask, what, Doing.DELETING)
    end(tx, operation, Outcome.SUCCEEDED, ask.now, None)
    return Going(operation)
