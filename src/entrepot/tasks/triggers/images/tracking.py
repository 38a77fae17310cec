"""Which images a trigger waits for: as the last successful run of its task found them (ACR-TASKS 7.2)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from entrepot.tasks.execution.images import registry_of
from entrepot.tasks.model import BaseImage, Credentials
from entrepot.tasks.triggers.images import queries
from entrepot.tasks.triggers.images.model import Trigger
from entrepot.tasks.triggers.images.queries import ImageRow


@dataclass(frozen=True, slots=True)
class Tracker:
    """``own``: the name of a registry of this deployment by its host, None for what is none."""

    own: Callable[[str], str | None]

    def track(
        self, tx: Connection, task_id: int, bases: Collection[BaseImage], accounts: Collection[str], since: datetime
    ) -> None:
        """``accounts``: registries that the task signs in to. ``since``: when what told of the images began to look."""
        home = queries.home_of(tx, task_id)
        known = {row[1:4]: row for row in queries.images_of(tx, task_id)}
        rows = [self._row(task_id, base, accounts) for base in bases]
        found = {row[1:4]: _told_of(row, home) for row in rows}
        new = [row for key, row in found.items() if key not in known]
        same = [row for key, row in found.items() if key in known]
        gone = [row for key, row in known.items() if key not in found]
        # What is new is looked at at once: it may have changed while nobody waited for it.
        next_at = since if queries.trigger_of(tx, task_id) else None
        if new:
            queries.insert_images(tx, [_first_seen(tx, row, since, next_at) for row in new])
        if same:
            queries.update_images(tx, same)
        if gone:
            queries.delete_images(tx, gone)

    def _row(self, task_id: int, base: BaseImage, accounts: Collection[str]) -> ImageRow:
        return ImageRow(
            task_id=task_id,
            registry=base.registry,
            repository=base.repository,
            tag=base.tag or "",
            own=self.own(base.registry),
            type=base.type.value,
            digest=base.digest,
            # What a run built on is what its registry had; until there is a run, the first look tells.
            seen=base.digest,
            repository_id=None,
            sequence=0,
            is_signed_in=base.registry in accounts,
            checked_at=None,
            next_at=None,
            failures=0,
            problem=None,
        )


def _told_of(row: ImageRow, home: str) -> ImageRow:
    """Events of another registry of ours are for a task that signs in there, and whose run had the image from it.

    To others its images may not be known: they ask, as anybody does.
    """
    may_know = row.own == home or (row.is_signed_in and row.digest is not None)
    return row if may_know else row._replace(own=None)


def _first_seen(tx: Connection, row: ImageRow, since: datetime, next_at: datetime | None) -> ImageRow:
    """Of an own one: what its tag is now, unless it moved since the run began to look."""
    if not row.tag:
        return row
    if row.own is None:
        return row._replace(next_at=next_at)
    found = queries.present(tx, row.own, row.repository, row.tag)
    if found is None:
        return row._replace(seen=None, next_at=next_at)
    has_moved = row.digest is not None and found.moved_at is not None and found.moved_at >= since
    return row._replace(
        seen=row.digest if has_moved else found.digest,
        repository_id=found.repository_id,
        sequence=found.sequence,
        next_at=next_at,
    )


def set_image_trigger(
    tx: Connection, task_id: int, trigger: Trigger | None, accounts: Collection[str], now: datetime
) -> None:
    """The task's from now on. What changed while there was none is seen at once."""
    before = queries.trigger_of(tx, task_id)
    queries.replace_trigger(tx, task_id, trigger)
    queries.set_signed_in(tx, task_id, accounts)
    if (before is None) != (trigger is None):
        queries.set_next(tx, task_id, None if trigger is None else now)


def accounts_of(credentials: Credentials | None) -> frozenset[str]:
    """Registries that a task signs in to, as images are told to lie in them."""
    return frozenset(registry_of(server) for server in (credentials and credentials.custom_registries) or {})
