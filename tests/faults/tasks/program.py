"""What is killed and stopped in these tests: a worker with a recording engine, which runs nothing and writes down what
it was asked to run.

Machines of the engine are files of one folder, as an engine outlives its workers: a worker that dies leaves its machine
there, and whoever takes over clears it.
"""

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from sqlalchemy import Connection

from entrepot.app.parts import open_content
from entrepot.app.secret_key import open_sealer
from entrepot.app.task_site import Kept, site_of
from entrepot.app.task_worker import intake_of, keeping_of, triggers_of
from entrepot.db.database import open_database
from entrepot.jobs.model import Pace
from entrepot.jobs.worker import worker_process
from entrepot.settings import Settings
from entrepot.tasks.engines.model import Call, Engine, EngineFailed, EngineImage, Order
from entrepot.tasks.runs import jobs as runs
from entrepot.tasks.runs.model import Outcome
from entrepot.tasks.runs.queries import RunRow

# So long that a worker on a busy machine is not taken for dead, as a rule; where it is, that must do no harm either.
PACE = Pace(look=0.05, beat=0.3, dead_after=4.0, retry_after=0.2, stop_within=1.0)
# What a step takes, so that there is something to be killed in.
_SECONDS = 0.05


@dataclass(frozen=True)
class RecordingEngine:
    """Implements tasks/engines/model.py. A line for each thing: ``made``, ``ran``, ``closed``, ``cleared``, and
    ``beside`` where a machine of the same run was there already.
    """

    folder: Path
    name: str = "recording"
    version: str = "1"

    def machine(self, order: Order) -> "RecordingMachine":
        with self.held():
            others = list(self.folder.glob(f"{order.run.partition('-')[0]}-*"))
            self.say("beside" if others else "made", order.run)
            (self.folder / order.run).touch()
        return RecordingMachine(self, order.run)

    def clear(self, going: Callable[[], set[str]]) -> Mapping[str, str]:
        with self.held():
            there = [each.name for each in self.folder.glob("*-*")]
            keep = going()
            gone = [name for name in there if name not in keep]
            for name in gone:
                (self.folder / name).unlink()
                self.say("cleared", name)
        return {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """One at a time, as an engine does what it does."""
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def say(self, what: str, run: str) -> None:
        with (self.folder / "said").open("a") as file:
            file.write(f"{what} {run}\n")


@dataclass
class RecordingMachine:
    engine: RecordingEngine
    run: str
    workspace: str = "workspace"
    home: str = "home"
    has_buildkit: bool = False

    def shell(self, line: str, _call: Call) -> int:
        return self._do(line)

    def client(self, arguments: Sequence[str], _call: Call) -> int:
        return self._do(" ".join(arguments))

    def _do(self, text: str) -> int:
        """Only where the machine is still there: what was cleared does nothing any more."""
        is_step = "the-step" in text
        if is_step:
            time.sleep(_SECONDS)
        with self.engine.held():
            if not (self.engine.folder / self.run).exists():
                raise EngineFailed(f"the machine of {self.run} is gone")
            if is_step:
                self.engine.say("ran", self.run)
        return 0

    def write(self, path: str, content: bytes) -> None:
        """Nothing reads it."""

    def read(self, path: str, limit: int) -> bytes | None: ...

    def images(self, _names: Sequence[str], /) -> list[EngineImage]:
        return []

    def remove(self, container: str) -> None:
        """There is none."""

    def close(self) -> None:
        with self.engine.held():
            if (self.engine.folder / self.run).exists():
                (self.engine.folder / self.run).unlink()
                self.engine.say("closed", self.run)


@dataclass(frozen=True)
class Engines:
    engine: RecordingEngine

    def get(self) -> Engine:
        return self.engine

    def name(self) -> str | None:
        return self.engine.name


def work(settings: Settings, machines: Path, log: Path) -> None:
    """To be called in a process of its own."""
    with log.open("ab") as said:
        os.dup2(said.fileno(), sys.stdout.fileno())
        os.dup2(said.fileno(), sys.stderr.fileno())
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    url = settings.database_url
    database = open_database(url.get_secret_value() if url else None, settings.data_dir)
    kept, engines = Kept(open_content(settings), open_sealer(settings)), Engines(RecordingEngine(machines))
    site, intake = site_of(settings, database, kept, engines), intake_of(settings, database, engines)
    triggers = replace(triggers_of(settings, database, kept.sealer, site.outbound), look=0.02)

    def learn_nothing(_tx: Connection, _row: RunRow, _outcome: Outcome) -> None:
        """Nothing is built: what the tasks stand on stays as the test said."""

    working = runs.working(intake.workflow, site, keeping_of(settings, kept.store), learn_nothing)
    worker_process(database, {**working, **triggers.workflows()}, PACE, intake)
