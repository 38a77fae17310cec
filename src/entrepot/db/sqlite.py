"""SQLite as the catalog: write-ahead log, durable commits, and one lock file that writers queue at.

SQLite's own busy wait lets a writer starve (DESIGN D3: 730 ms at saturation, 106 ms with the lock file), so every
write first takes the lock: threads of a process queue at a mutex, processes at ``flock``. Writers that came through the
write door begin IMMEDIATE; a library that shares this engine (DBOS) gets the lock at its first writing statement.
"""

import fcntl
import os
import queue
import sqlite3
import threading
import time
from pathlib import Path
from typing import Final, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPICursor

from entrepot.errors import Kind, Problem

DOOR: Final = "entrepot_door"
WRITE_WAIT_SECONDS: Final = 30.0
_READING: Final = ("SELECT", "PRAGMA", "EXPLAIN", "VALUES")
_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=30000",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16384",
    "PRAGMA mmap_size=268435456",
    "PRAGMA journal_size_limit=67108864",
)


class WriteLock:
    """The one lock for writers, across threads and processes. Not reentrant; released when the process dies."""

    def __init__(self, path: Path, wait_seconds: float = WRITE_WAIT_SECONDS) -> None:
        self._threads = threading.Lock()
        self._processes = _FileLock(path)
        self._wait_seconds = wait_seconds

    def acquire(self) -> None:
        """Raises CATALOG_UNAVAILABLE after too long a wait for this process's threads and all others together."""
        deadline = time.monotonic() + self._wait_seconds
        if not self._threads.acquire(timeout=self._wait_seconds):
            raise self._busy()
        came = False
        try:
            came = self._processes.acquire(deadline)
        finally:
            if not came:
                self._threads.release()
        if not came:
            raise self._busy()

    def _busy(self) -> Problem:
        waited = int(self._wait_seconds)
        return Problem(Kind.CATALOG_UNAVAILABLE, reason="the catalog is busy", waited_seconds=waited)

    def release(self) -> None:
        self._processes.release()
        self._threads.release()

    def close(self) -> None:
        """Close the file, unless somebody holds the lock. The next ``acquire`` opens it again."""
        if self._threads.acquire(blocking=False):
            self._processes.close()
            self._threads.release()


class _FileLock:
    """``flock`` with a deadline, for one thread at a time.

    The system's wait has none and cannot be broken off, so a thread of its own waits where others may leave it: whoever
    holds the lock may be stopped. That is no slower than to wait oneself (3 processes of 4 threads: 3,000 commits/s
    both), and no waiter starves, as one that looks again and again does (2,300).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._guard = threading.Lock()
        self._calls: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_waiting = False  # then the lock can come at any moment, and nobody may take it another way
        self._turn: threading.Lock | None = None  # of the one who waits for the waiting thread

    def acquire(self, deadline: float) -> bool:
        """False when it did not come by then (``time.monotonic``)."""
        with self._guard:
            file = self._opened()
            if not self._is_waiting and _taken(file):
                return True
            if not self._is_waiting:
                self._call(file)
            turn = self._turn = threading.Lock()
            turn.acquire()
        if turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return True
        with self._guard:
            came_at_last = self._turn is not turn
            self._turn = None
        return came_at_last

    def release(self) -> None:
        fcntl.flock(self._opened(), fcntl.LOCK_UN)

    def close(self) -> None:
        with self._guard:
            if self._file is None or self._is_waiting:
                return
            os.close(self._file)
            self._file = None
            if self._thread is not None:
                self._calls.put(None)
                self._thread = None

    def _opened(self) -> int:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file

    def _call(self, file: int) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._wait, name="write-lock", daemon=True)
            self._thread.start()
        self._is_waiting = True
        self._calls.put(file)

    def _wait(self) -> None:
        while (file := self._calls.get()) is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
            with self._guard:
                self._is_waiting = False
                turn, self._turn = self._turn, None
                if turn is None:
                    fcntl.flock(file, fcntl.LOCK_UN)
                else:
                    turn.release()


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class LockingConnection(sqlite3.Connection):
    """A connection that lets go of the write lock when its transaction has ended."""

    lock: WriteLock
    holds_lock = False

    def take_lock(self) -> None:
        if not self.holds_lock:
            self.lock.acquire()
            self.holds_lock = True

    def _drop_lock(self) -> None:
        if self.holds_lock and not self.in_transaction:
            self.holds_lock = False
            self.lock.release()

    def commit(self) -> None:
        super().commit()
        self._drop_lock()

    def rollback(self) -> None:
        super().rollback()
        self._drop_lock()

    def close(self) -> None:
        super().close()
        if self.holds_lock:
            self.holds_lock = False
            self.lock.release()


def open_sqlite(path: Path, pool_size: int) -> Engine:
    """An engine on the file; the lock file lies beside it, named ``<file>.lock``."""
    lock = WriteLock(path.with_name(path.name + ".lock"))
    engine = create_engine(
        f"sqlite:///{path}",
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=WRITE_WAIT_SECONDS,
        # SQLAlchemy hands a connection to one thread at a time.
        connect_args={
            "factory": LockingConnection,
            "check_same_thread": False,
            "isolation_level": None,
            "cached_statements": 256,
        },
    )

    @event.listens_for(engine, "connect")
    def configure(connection: LockingConnection, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]  the event calls it
        connection.lock = lock
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "engine_disposed")
    def let_go(_engine: Engine) -> None:  # pyright: ignore[reportUnusedFunction]  the event calls it
        lock.close()

    event.listen(engine, "begin", _begin)
    event.listen(engine, "before_cursor_execute", _lock_before_write)
    return engine


def _begin(connection: Connection) -> None:
    """Begin as the door demands; a connection that came through no door begins at its first write."""
    match connection.get_execution_options().get(DOOR):
        case "write":
            _driver(connection).take_lock()
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        case "read":
            connection.exec_driver_sql("BEGIN")
        case _:
            pass


def _lock_before_write(
    connection: Connection,
    cursor: DBAPICursor,
    statement: str,
    _parameters: object,
    _context: object,
    _executemany: bool,  # noqa: FBT001  the event gives it so
) -> None:
    driver = _driver(connection)
    if driver.in_transaction or driver.holds_lock or not _writes(statement):
        return
    driver.take_lock()
    if not statement.lstrip().upper().startswith("BEGIN"):
        cursor.execute("BEGIN IMMEDIATE")


def _writes(statement: str) -> bool:
    head = statement.lstrip().upper()
    if head.startswith("WITH"):
        return any(word in head for word in ("INSERT ", "UPDATE ", "DELETE "))
    if head.startswith("BEGIN"):
        return "IMMEDIATE" in head
    return not head.startswith(_READING)


def _driver(connection: Connection) -> LockingConnection:
    # The engine's factory makes no others.
    return cast("LockingConnection", connection.connection.driver_connection)
