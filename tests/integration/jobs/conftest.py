"""A database of each kind with the room's tables, and a worker in this process that the tests of a file share."""

import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url
from tests.integration.jobs.effects import EFFECTS, answer
from tests.integration.jobs.workflows import LIMITED, OTHER_WORK, TICKING, WORK
from tests.services import postgres, wait_until

from entrepot.db.database import Database, open_database
from entrepot.db.tables import worker
from entrepot.jobs.engine import migrate
from entrepot.jobs.model import Json, Pace, Workflow
from entrepot.jobs.run import Body, Run
from entrepot.jobs.wake import Jobs
from entrepot.jobs.worker import run_worker

HURRIED = Pace(look=0.05, beat=0.2, retry_after=0.1, stop_within=5.0)


@contextmanager
def postgres_with_tables() -> Iterator[str]:
    """A server whose first database has the room's tables and is only to be copied."""
    with postgres() as url:
        make_tables(url, Path())
        yield url


def make_tables(url: str | None, folder: Path) -> None:
    made = open_database(url, folder)
    worker.create(made.engine)
    EFFECTS.create(made.engine)
    migrate(made)
    made.close()


def copied(server: str) -> str:
    """The URL of a copy of the server's first database; a hundred migrations take longer than a test."""
    url = make_url(server)
    name = f"jobs_{uuid.uuid4().hex}"
    with psycopg.connect(
        host=url.host, port=url.port, user=url.username, dbname="postgres", autocommit=True
    ) as session:
        session.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(url.database or "")))
    return url.set(database=name).render_as_string(hide_password=False)


@contextmanager
def opened(url: str | None, folder: Path) -> Iterator[Database]:
    """A copy of the database at the URL, or a new SQLite in the folder; closed with the block."""
    if url is None:
        make_tables(None, folder)
    made = open_database(None if url is None else copied(url), folder)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres_with_tables() as url:
        yield url


@pytest.fixture(scope="module", params=("sqlite", "postgresql"))
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    server = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    with tempfile.TemporaryDirectory() as folder, opened(server, Path(folder)) as made:
        yield made


@dataclass
class Office:
    """The shared worker: what its workflows did, and the bodies that a test gives its own things."""

    database: Database
    jobs: Jobs
    bodies: dict[str, Callable[[Run], Json]] = field(default_factory=dict)
    attempts: list[tuple[str, int]] = field(default_factory=list)
    ticks: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def thing(self, body: Callable[[Run], Json] | None = None) -> str:
        """Something to wake a workflow for, unlike all others, and what the workflow then does."""
        name = uuid.uuid4().hex
        self.bodies[name] = body or (lambda _: None)
        return name

    def work(self, run: Run, thing: str) -> None:
        with self._lock:
            self.attempts.append((thing, run.attempt))
        self.bodies[thing](run)

    def tick(self, run: Run) -> None:
        self.ticks += 1
        run.write(answer)

    def attempts_at(self, thing: str) -> list[int]:
        with self._lock:
            return [attempt for name, attempt in self.attempts if name == thing]

    def wake(self, workflow: Workflow, thing: str) -> None:
        self.database.write(self.jobs.wake, workflow, thing)

    def wait_for(self, thing: str, times: int = 1) -> None:
        wait_until(lambda: len(self.attempts_at(thing)) >= times, f"{thing} was worked on {times} times")


@pytest.fixture(scope="module")
def office(database: Database) -> Iterator[Office]:
    shared = Office(database, Jobs(database))
    stop = threading.Event()
    bodies: dict[Workflow, Body] = dict.fromkeys((WORK, OTHER_WORK, LIMITED), shared.work) | {TICKING: shared.tick}
    thread = threading.Thread(target=run_worker, args=(database, bodies, stop, HURRIED))
    thread.start()
    try:
        yield shared
    finally:
        stop.set()
        thread.join()
