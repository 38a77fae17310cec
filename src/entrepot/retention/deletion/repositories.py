"""Deleting and restoring a repository: for everybody at once, with the work that follows, in one transaction."""

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection

from entrepot.catalog.model import Change, Place
from entrepot.catalog.repositories import delete
from entrepot.catalog.repositories.delete import DeletedRepository
from entrepot.catalog.undo import restore
from entrepot.catalog.undo.model import Taken
from entrepot.jobs.wake import Jobs
from entrepot.retention.deletion.jobs import DELETION


def delete_repository(tx: Connection, place: Place, change: Change, jobs: Jobs) -> DeletedRepository:
    """Raises NAME_UNKNOWN, LOCKED."""
    gone = delete.delete_repository(tx, place, change)
    jobs.wake(tx, DELETION, gone.id, change.event_id)
    return gone


class Restorer(NamedTuple):
    """What restoring takes: whoever is told of what it replaces, and ids."""

    jobs: Jobs
    new_id: Callable[[], str]


def restore_repository(tx: Connection, place: Place, taken: Taken, change: Change, restorer: Restorer) -> None:
    """Raises NAME_UNKNOWN, RESTORE_BLOCKED, LOCKED."""
    replaced = restore.restore_repository(tx, place, taken, change, restorer.new_id)
    if replaced is not None:
        restorer.jobs.wake(tx, DELETION, replaced.id, replaced.event_id)
