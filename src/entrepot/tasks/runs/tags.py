"""The tags that say how a run is run: its registry's and its task's."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, select

from entrepot.db.tables import registry
from entrepot.db.task_tables import task


class _Tagged(msgspec.Struct):
    tags: dict[str, str] = {}


def tags_of(tx: Connection, registry_id: int, name: str | None) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The registry's, and the task's; none of a task that is gone, or of a run without one."""
    kept = tx.execute(select(registry.c.settings).where(registry.c.id == registry_id)).scalar_one()
    of_registry = msgspec.json.decode(kept, type=_Tagged).tags
    if name is None:
        return of_registry, {}
    found = select(task.c.tags).where(task.c.registry_id == registry_id, task.c.key == name.lower())
    written = tx.execute(found).scalar_one_or_none()
    return of_registry, {} if written is None else msgspec.json.decode(written, type=dict[str, str])
