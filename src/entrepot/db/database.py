"""The two doors to the catalog: *read* and *write*.

Domain functions take a SQLAlchemy ``Connection`` inside a transaction; nobody else opens one. Whatever decides a
write reads through the write door (DESIGN D4). Both doors turn what the database itself does wrong into a ``Problem``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from entrepot.db.postgresql import open_postgresql
from entrepot.db.sqlite import DOOR, open_sqlite
from entrepot.errors import Kind, Problem

P = ParamSpec("P")
T = TypeVar("T")

CATALOG_FILE: Final = "catalog.sqlite"
# PostgreSQL: serialization failure, deadlock. The transaction did nothing and may run again.
_REPEATABLE: Final = frozenset({"40001", "40P01"})
_ATTEMPTS: Final = 3
_ALLOWED: Final = "use postgresql://USER:PASSWORD@HOST/NAME, or leave it out for SQLite"


class Database:
    """The catalog's one engine, with its doors. Safe to share between threads, not across a fork."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._reading = engine.execution_options(
            **({DOOR: "read"} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"})
        )
        self._writing = engine.execution_options(**{DOOR: "write"})

    def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the work on one snapshot (SQLite) or statement by statement (PostgreSQL), never writing.

        Repeats it when the connection turned out to be dead. Raises CATALOG_UNAVAILABLE.
        """
        return self._attempt(self._reading, work, *args, **kwargs)

    def snapshot(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run long reading work on one state of the whole catalog, beside writers. Raises CATALOG_UNAVAILABLE."""
        engine = self._reading if self.is_sqlite else self.engine.execution_options(isolation_level="REPEATABLE READ")
        try:
            with engine.begin() as tx:
                return work(tx, *args, **kwargs)
        except DBAPIError as error:
            raise problem_of(error) from error

    def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the work in one durable transaction; a raised exception rolls it back.

        Repeats it after a deadlock, and when the connection broke before COMMIT. Raises CATALOG_UNAVAILABLE,
        STORAGE_FULL.
        """
        return self._attempt(self._writing, work, *args, **kwargs)

    def _attempt(
        self, engine: Engine, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        left = _ATTEMPTS
        while True:
            left -= 1
            done = False
            try:
                with engine.begin() as tx:
                    answer = work(tx, *args, **kwargs)
                    done = True
                return answer
            except (DBAPIError, PoolTimeoutError) as error:
                # A write whose connection broke at COMMIT may have happened: only the caller can know. One that broke
                # before has not, as after a restart of the database, when every connection in the pool is a dead one.
                is_doubtful = done and engine is self._writing
                if left == 0 or is_doubtful or not _may_repeat(error):
                    raise problem_of(error) from error

    def close(self) -> None:
        self.engine.dispose()


def _may_repeat(error: DBAPIError | PoolTimeoutError) -> bool:
    if isinstance(error, PoolTimeoutError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _REPEATABLE


def problem_of(error: DBAPIError | PoolTimeoutError) -> Problem:
    """What a database failure means to a caller. A broken constraint is our own mistake and stays what it is."""
    if isinstance(error, DBAPIError) and isinstance(error.orig, Exception):
        text = str(error.orig)
        if "is full" in text or getattr(error.orig, "sqlstate", None) == "53100":
            return Problem(Kind.STORAGE_FULL, reason="the catalog's disk is full")
        if isinstance(error, (IntegrityError, ProgrammingError, DataError)):
            return Problem(Kind.INTERNAL)
    return Problem(Kind.CATALOG_UNAVAILABLE, reason="the catalog does not answer")


def open_database(url: str | None, data_dir: Path, *, pool_size: int = 8) -> Database:
    """Open the catalog at the URL, or the SQLite file in the data folder when there is none.

    Raises ValueError, which says what is allowed, for a URL that is neither ``sqlite`` nor ``postgresql``.
    """
    if url is None:
        return Database(open_sqlite(data_dir / CATALOG_FILE, pool_size))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # its text may repeat the password
        raise ValueError(_ALLOWED) from None
    match parsed.get_backend_name():
        case "sqlite" if parsed.database:
            return Database(open_sqlite(Path(parsed.database), pool_size))
        case "postgresql":
            return Database(open_postgresql(url, pool_size))
        case _:
            raise ValueError(_ALLOWED)
