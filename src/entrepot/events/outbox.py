"""The outbox: an event's row is written in the transaction of its cause and read later by whoever cares.

A consumer follows a repository's sequence numbers, never "id greater than the last one": ids commit out of order.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

import msgspec
from sqlalchemy import Connection

from entrepot.events import queries
from entrepot.events.audit import Origin


class Action(StrEnum):
    """What happened to a repository, or to a registry: the last one."""

    PUSH = "push"
    DELETE = "delete"
    DELETE_REPOSITORY = "delete_repository"
    # Some of those that went with their repository.
    DELETE_MANIFESTS = "delete_manifests"
    RESTORE = "restore"
    UNTAG = "untag"
    UPDATE = "update"
    STORAGE_WARNING = "storage_warning"


class Asked(msgspec.Struct):
    """The request that caused an event, as its body tells it."""

    id: str
    useragent: str


def asked(origin: Origin) -> Asked | None:
    """None: no request caused it."""
    return Asked(origin.request_id[:64], origin.user_agent[:256]) if origin.request_id else None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; ``body`` is JSON. ``sequence`` was taken under the repository's row lock.

    Of a registry itself: under that one's, and ``repository_id`` is minus its id.
    """

    id: str
    registry_id: int
    repository_id: int
    sequence: int
    action: Action
    at: datetime
    principal: str
    body: str


def record(tx: Connection, event: Event) -> None:
    """Write the event's row, to be seen by others only if the caller's transaction commits."""
    queries.insert_event(tx, asdict(event))
