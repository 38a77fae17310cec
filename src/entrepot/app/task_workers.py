"""The workers that take runs of tasks, as an operator sees and drains them on the catalog itself."""

from collections.abc import Sequence

from entrepot.app.upkeep import open_existing
from entrepot.settings import Settings
from entrepot.tasks.workers import queries
from entrepot.tasks.workers.queries import Seen


def workers(settings: Settings) -> Sequence[Seen]:
    """Raises SettingError, ``Problem``."""
    database = open_existing(settings)
    try:
        return database.read(queries.seen)
    finally:
        database.close()


def set_drains(settings: Settings, worker_id: str, *, drains: bool) -> bool:
    """Whether there is such a worker. Raises SettingError, ``Problem``."""
    database = open_existing(settings)
    try:
        return database.write(queries.set_drains, worker_id, drains)
    finally:
        database.close()
