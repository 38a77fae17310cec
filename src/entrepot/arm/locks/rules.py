"""What a lock keeps from happening, to its resource and to all below it. Spec: Azure, "Lock your resources"."""

from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from entrepot.arm.descriptor import AnyResource
from entrepot.arm.locks import queries
from entrepot.errors import Kind, Problem

LOCK_TYPE: Final = "Microsoft.Authorization/locks"


class Level(StrEnum):
    CAN_NOT_DELETE = "CanNotDelete"
    READ_ONLY = "ReadOnly"


class Doing(StrEnum):
    """What is about to happen, as the refusal says it."""

    WRITE = "write"
    DELETE = "delete"


_KEPT_FROM: Final = {
    Doing.WRITE: frozenset({Level.READ_ONLY}),
    Doing.DELETE: frozenset({Level.READ_ONLY, Level.CAN_NOT_DELETE}),
}


def expect_unlocked(tx: Connection, resource: AnyResource, resource_id: str, doing: Doing) -> None:
    """Raises LOCKED when the resource, or one that it lies in, is locked against it. Locks themselves never are."""
    if resource.name == LOCK_TYPE:
        return
    parts = resource_id.split("/")
    at = ["/".join(parts[:end]) for end in range(2, len(parts) + 1)]
    locked = [lock.scope for lock in queries.locks_at(tx, at) if Level(lock.level) in _KEPT_FROM[doing]]
    if locked:
        raise Problem(Kind.LOCKED, scope=resource_id, operation=doing, locked="', '".join(sorted(set(locked))))
