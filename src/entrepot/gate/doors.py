"""The catalog's doors for the event loop, and the threads behind them.

Short reads of SQLite run inline: about 10-100 us, where a hop to a thread costs 60 and more. Writes, PostgreSQL and
files go to threads.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection

from entrepot.db.database import Database
from entrepot.db.hot import HotReader
from entrepot.db.prepared import Prepared, Row, Values

P = ParamSpec("P")
T = TypeVar("T")

THREADS: Final = 16
# Each holds a connection to PostgreSQL, and waits for it most of the time.
_READERS: Final = 4


class Doors:
    """One per worker process. ``executor`` runs whatever blocks."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.executor = ThreadPoolExecutor(THREADS, thread_name_prefix="door")
        self._reader = HotReader(database)
        self._readers = None if database.is_sqlite else ThreadPoolExecutor(_READERS, thread_name_prefix="reader")

    async def fetch(self, statement: Prepared, values: Values) -> Sequence[Row]:
        """Rows of one statement, which sees what was committed before. Raises CATALOG_UNAVAILABLE."""
        if self._readers is None:
            return self._reader.fetch(statement, values)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._reader.fetch, statement, values)

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a reading domain function."""
        if self.database.is_sqlite:
            return self.database.read(work, *args, **kwargs)
        return await self.run(self.database.read, work, *args, **kwargs)

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a writing domain function in a durable transaction. Once begun it ends, even if the client goes away."""
        return await self.run(self.database.write, work, *args, **kwargs)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run anything that blocks in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.executor, lambda: work(*args, **kwargs))

    def close(self) -> None:
        self.executor.shutdown(wait=True)
        if self._readers is not None:
            self._readers.shutdown(wait=True)
        self._reader.close()
        self.database.close()
