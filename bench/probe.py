"""How soon Entrepot's job worker starts a job: wakes a small one of its own, and looks until it has begun.

Past HTTP, since no interface tells it; through the catalog's engine, as a web worker wakes jobs.
"""

import time
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, select

from bench.model import Wrong
from entrepot.db.database import open_database
from entrepot.jobs import queries
from entrepot.jobs.prune import PRUNE
from entrepot.jobs.wake import Jobs

MOST_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.005


class EntrepotJobs:
    """Wakes the job that prunes finished runs: it has next to nothing to do."""

    def __init__(self, data: Path, database_url: str | None) -> None:
        self._data, self._database_url = data, database_url

    def waits(self) -> float:
        """Seconds from the commit that wakes the job until a worker is seen to have begun it.

        Seen by looking: the time that stands in the row has whole seconds on SQLite.
        """
        database = open_database(self._database_url, self._data)
        try:
            before = database.read(_begun)
            database.write(Jobs(database).wake, PRUNE)
            committed = time.monotonic()
            while time.monotonic() - committed < MOST_SECONDS:
                if database.read(_begun) > before:
                    return time.monotonic() - committed
                time.sleep(LOOK_SECONDS)
        finally:
            database.close()
        raise Wrong(f"no worker began a job within {MOST_SECONDS:.0f} s")


def _begun(tx: Connection) -> int:
    """How many runs of the job have begun."""
    begun = select(func.count()).where(queries.run.c.name == PRUNE.name, queries.run.c.started_at_epoch_ms.is_not(None))
    schema = None if tx.dialect.name == "sqlite" else queries.SCHEMA
    return tx.execute(begun, execution_options={"schema_translate_map": {queries.SCHEMA: schema}}).scalar_one()
