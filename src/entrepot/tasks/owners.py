"""What this room needs of another: registries."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from entrepot.arm.descriptor import AnyResource, Ask
from entrepot.arm.routes import unknown


class Owner(Protocol):
    """The registry that a resource belongs to."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def resource_id(self) -> str: ...
    @property
    def region(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Registries:
    resource: AnyResource
    above: tuple[AnyResource, ...]
    find: Callable[[Connection, Ask], Owner | None]

    @property
    def parents(self) -> tuple[AnyResource, ...]:
        return (*self.above, self.resource)

    def owner(self, tx: Connection, ask: Ask) -> Owner:
        """Raises RESOURCE_UNKNOWN."""
        registry = self.find(tx, ask)
        if registry is None:
            raise unknown(self.resource, ask.id.rpartition("/registries/")[0] + f"/registries/{ask['registry']}")
        return registry
