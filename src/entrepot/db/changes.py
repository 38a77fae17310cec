"""Whether somebody has committed to the catalog, asked for next to nothing.

Source: SQLite, "PRAGMA data_version". PostgreSQL has no such number: there it is never known.
"""

from typing import Final

from sqlalchemy import text

from entrepot.db.database import Database
from entrepot.db.hot import HotReader
from entrepot.db.prepared import Prepared

_VERSION: Final = Prepared(text("PRAGMA data_version"))


class Changes:
    """For one thread."""

    def __init__(self, database: Database) -> None:
        self.is_known = database.is_sqlite
        self._reader = HotReader(database)
        self._seen = -1

    def since(self) -> bool:
        """Whether there were any since it was asked last. Raises CATALOG_UNAVAILABLE."""
        if not self.is_known:
            return False
        ((version,),) = self._reader.fetch(_VERSION, {})
        before, self._seen = self._seen, version
        return version != before

    def close(self) -> None:
        self._reader.close()
