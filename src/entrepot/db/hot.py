"""The hottest reads: prepared statements on connections that are held for good, past the pool.

On SQLite one connection serves the event loop inline; on PostgreSQL each of a few threads has one of its own. Checking
a connection out of the pool, and in again, costs more than the statement itself (docs/performance.md).
"""

import threading
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from entrepot.db.database import Database
from entrepot.db.prepared import Compiled, Prepared, Row, Values
from entrepot.errors import Kind, Problem

# A connection that the server ended while nobody used it is found out only by using it.
_TRIES: Final = 2


class HotReader:
    """Runs prepared SELECTs, each thread on its own connection."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = database.engine.dialect
        self._error: type[Exception] = self._dialect.loaded_dbapi.Error
        self._held = threading.local()
        self._every: list[Any] = []  # a driver's connections

    def fetch(self, statement: Prepared, values: Values) -> Sequence[Row]:
        """All rows. Raises CATALOG_UNAVAILABLE."""
        compiled = statement.compiled(self._dialect)
        left = _TRIES
        while True:
            left -= 1
            try:
                return self._fetch(compiled, values)
            except (self._error, DBAPIError) as error:
                self._drop()
                if left == 0:
                    raise Problem(Kind.CATALOG_UNAVAILABLE, reason="the catalog does not answer") from error

    def _fetch(self, compiled: Compiled, values: Values) -> Sequence[Row]:
        held = getattr(self._held, "connection", None)
        if held is None:
            held = self._connect()
        return held.execute(compiled.sql, compiled.bind(values)).fetchall()

    def _connect(self) -> Any:  # noqa: ANN401  the driver's connection
        pooled = self._database.engine.raw_connection()
        driver: Any = pooled.driver_connection
        pooled.detach()
        if not self._database.is_sqlite:
            driver.autocommit = True
        self._held.connection = driver
        self._every.append(driver)
        return driver

    def _drop(self) -> None:
        held = getattr(self._held, "connection", None)
        if held is not None:
            self._held.connection = None
            self._every.remove(held)
            held.close()
        if not self._database.is_sqlite:
            self._database.engine.dispose()  # the next one must not come from a pool of dead ones

    def close(self) -> None:
        """Close what is held; no thread may be reading any more."""
        while self._every:
            self._every.pop().close()
