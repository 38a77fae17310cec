"""Role definitions: what a role permits, as Azure writes it. Spec: Azure RBAC, "Understand Azure role definitions"."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from entrepot.access.operations import ACTIONS, DATA_ACTIONS, names_nothing
from entrepot.access.patterns import names_operation


class Mode(Enum):
    """How a registry reads roles on its data plane: ``roleAssignmentMode`` of its resource."""

    LEGACY = "LegacyRegistryPermissions"
    ABAC = "AbacRepositoryPermissions"


EVERY_MODE: Final = frozenset(Mode)


@dataclass(frozen=True, slots=True)
class Permission:
    """Patterns of operations. What a "not" names is taken from this permission alone, and denies nothing elsewhere."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    def permits(self, operation: str) -> bool:
        """Whether it permits the control action."""
        return _any(self.actions, operation) and not _any(self.not_actions, operation)

    def permits_data(self, operation: str) -> bool:
        """Whether it permits the data action."""
        return _any(self.data_actions, operation) and not _any(self.not_data_actions, operation)

    def unknown(self) -> tuple[str, ...]:
        """The patterns that name no operation of our provider: a custom role with one of them is an error."""
        return (
            *(pattern for pattern in (*self.actions, *self.not_actions) if names_nothing(pattern, ACTIONS)),
            *(
                pattern
                for pattern in (*self.data_actions, *self.not_data_actions)
                if names_nothing(pattern, DATA_ACTIONS)
            ),
        )


@dataclass(frozen=True, slots=True)
class RoleDefinition:
    """A role, built in or custom. ``id`` is the GUID in lower case.

    ``modes``: in which modes of a registry the role counts on the data plane, which a control action's wildcard
    alone would not tell. ACR ignores wildcards of custom roles there without a word; ours count as they are written.
    """

    id: str
    name: str
    description: str
    permissions: tuple[Permission, ...]
    modes: frozenset[Mode] = EVERY_MODE

    def permits(self, operation: str) -> bool:
        """Whether it permits the control action."""
        return any(permission.permits(operation) for permission in self.permissions)

    def permits_data(self, operation: str) -> bool:
        """Whether it permits the data action."""
        return any(permission.permits_data(operation) for permission in self.permissions)


def _any(patterns: tuple[str, ...], operation: str) -> bool:
    return any(names_operation(pattern, operation) for pattern in patterns)
