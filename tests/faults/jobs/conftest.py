"""A database of each kind, and worker processes on it that a test can stop and kill."""

import fcntl
import multiprocessing
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from tests.faults.jobs.program import gate, reached, work
from tests.integration.jobs.conftest import opened, postgres_with_tables
from tests.integration.jobs.effects import answers, finished, noted, statuses
from tests.services import wait_until

from entrepot.db.database import Database
from entrepot.jobs import queries
from entrepot.jobs.model import Id, Workflow
from entrepot.jobs.wake import Jobs

END_WITHIN = 20.0
# A worker forks off a process that has imported everything: a hundredth of a second instead of two.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.faults.jobs.program"])


@dataclass
class Yard:
    """A catalog, a folder for signs, and the workers that the test has started."""

    database: Database
    folder: Path
    jobs: Jobs
    processes: list[ForkServerProcess] = field(default_factory=list)
    worker_ids: dict[int, str] = field(default_factory=dict)

    def start(self, release: str = "1") -> ForkServerProcess:
        """A worker process that has registered."""
        url = self.database.engine.url.render_as_string(hide_password=False)
        known = set(self.database.read(queries.other_workers, ""))
        process = PROCESSES.Process(target=work, args=(url, self.folder, release))
        process.start()
        self.processes.append(process)

        def registered() -> set[str]:
            return set(self.database.read(queries.other_workers, "")) - known

        self.until(lambda: process.exitcode is not None or bool(registered()), "the worker is there")
        assert process.exitcode is None, self.log()
        self.worker_ids[process.pid or 0] = registered().pop()
        return process

    def send(self, process: ForkServerProcess, number: signal.Signals) -> None:
        os.kill(process.pid or 0, number)

    def end_of(self, process: ForkServerProcess) -> int:
        """How the process ends, or has ended."""
        process.join(END_WITHIN)
        assert process.exitcode is not None, self.log()
        return process.exitcode

    def end_all(self) -> None:
        for process in self.processes:
            process.kill()
            process.join(END_WITHIN)

    def known_as_dead(self, process: ForkServerProcess) -> None:
        """What the others find out by themselves after a while, where finding out is not what a test is about."""
        self.database.write(queries.leave, self.worker_ids[process.pid or 0])

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def thing(self) -> str:
        return uuid.uuid4().hex

    def wake(self, workflow: Workflow, *ids: Id) -> None:
        self.database.write(self.jobs.wake, workflow, *ids)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        try:
            wait_until(condition, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log()}") from None

    def until_reached(self, thing: str, process: ForkServerProcess) -> None:
        self.until(reached(self.folder, f"{thing}-{process.pid}").exists, f"{process.pid} works on {thing}")

    def until_finished(self, workflow: Workflow, *ids: Id) -> None:
        self.until(lambda: self.database.read(finished, workflow.key(ids)), f"{workflow.key(ids)} has ended")

    def open(self, thing: str) -> None:
        gate(self.folder, thing).touch()

    def did(self, thing: str) -> list[tuple[str, int]]:
        """What was done for a thing, and in which attempt."""
        return [(what, attempt) for what, _, attempt in self.database.read(noted, thing)]

    def runs(self, workflow: Workflow, *ids: Id) -> list[tuple[str, int]]:
        return self.database.read(statuses, workflow.key(ids))

    def answers(self, workflow: Workflow, *ids: Id) -> list[str]:
        return self.database.read(answers, workflow.key(ids))

    def put_to_sleep(self, process: ForkServerProcess) -> None:
        """SIGSTOP, at a moment when the worker holds no lock; with one it would hold up everybody, and lose nothing."""
        while True:
            self.send(process, signal.SIGSTOP)
            self.until(lambda: _sleeps(process.pid or 0), "the worker sleeps")
            if self._nobody_is_held_up():
                return
            self.send(process, signal.SIGCONT)

    def _nobody_is_held_up(self) -> bool:
        if self.database.is_sqlite:
            return _may_be_locked(self.database)
        with self.database.engine.begin() as tx:
            open_ones = (
                "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
            )
            return tx.exec_driver_sql(open_ones).scalar_one() == 0


def _sleeps(pid: int) -> bool:
    """Whether every thread has come to its stop: the signal only asks for it."""
    return all("\nState:\tT" in status.read_text() for status in Path(f"/proc/{pid}/task").glob("*/status"))


def _may_be_locked(database: Database) -> bool:
    with Path(f"{database.engine.url.database}.lock").open("r+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres_with_tables() as url:
        yield url


@pytest.fixture(params=("sqlite", "postgresql"))
def yard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Yard]:
    server = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    with opened(server, tmp_path) as database:
        made = Yard(database, tmp_path, Jobs(database))
        try:
            yield made
        finally:
            made.end_all()
