"""A worker in a process of its own that runs tasks on an engine which only records: it builds and runs nothing.

It leaves a line in ``record`` for whatever begins and ends, and a step goes on while there is no file ``go``.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from entrepot.app.parts import open_content
from entrepot.app.secret_key import open_sealer
from entrepot.app.task_site import Kept
from entrepot.app.task_worker import task_work
from entrepot.db.database import open_database
from entrepot.jobs.model import Pace
from entrepot.jobs.worker import worker_process
from entrepot.settings import Settings
from entrepot.tasks.engines.model import Call, Canceled, Engine, EngineImage, Machine, Order

PACE = Pace(look=0.05, beat=0.25, dead_after=5.0, retry_after=0.2, stop_within=3.0)


@dataclass(frozen=True)
class Record:
    """What the engines of a test's workers did, each line a word and a run: ``begin 7-1``."""

    folder: Path

    @property
    def lines(self) -> list[tuple[str, str, float]]:
        """The word, the run and its attempt, and when."""
        path = self.folder / "record"
        found = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [(word, run, float(at)) for word, run, at in found]

    def note(self, word: str, run: str) -> None:
        with (self.folder / "record").open("a") as file:
            file.write(f"{word} {run} {time.time()}\n")

    def runs(self, word: str) -> list[str]:
        return [run for found, run, _ in self.lines if found == word]

    def let_go(self) -> None:
        (self.folder / "go").touch()


class RecordingMachine:
    has_buildkit = False

    def __init__(self, record: Record, run: str) -> None:
        self._record, self._run = record, run

    def shell(self, line: str, call: Call) -> int:
        if "docker run" in line:
            self._record.note("begin", self._run)
            while not (self._record.folder / "go").exists():
                if call.canceled.wait(0.02):
                    self._record.note("cancel", self._run)
                    raise Canceled
            self._record.note("end", self._run)
        return 0

    def client(self, _arguments: Sequence[str], _call: Call, /) -> int:
        return 0

    def write(self, path: str, content: bytes) -> None: ...

    def read(self, path: str, limit: int) -> bytes | None: ...

    def images(self, _names: Sequence[str], /) -> list[EngineImage]:
        return []

    def remove(self, container: str) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class RecordingEngine:
    record: Record
    version = "1"

    @property
    def name(self) -> str:
        return "recording"

    def machine(self, order: Order) -> Machine:
        return RecordingMachine(self.record, order.run)

    def clear(self, going: Callable[[], set[str]], /) -> Mapping[str, str]:
        """Notes whose objects would stay."""
        for run in going():
            self.record.note("spare", run)
        return {}


@dataclass(frozen=True)
class Engines:
    record: Record

    def get(self) -> Engine:
        return RecordingEngine(self.record)

    def name(self) -> str | None:
        return "recording 1"


def work(settings: Settings, folder: Path) -> None:
    """Ends with the process."""
    with (folder / "worker.log").open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    url = settings.database_url
    database = open_database(url.get_secret_value() if url else None, settings.data_dir)
    kept = Kept(open_content(settings), open_sealer(settings))
    found = task_work(settings, database, kept, Engines(Record(folder)))
    worker_process(database, found.runs, PACE, found.intake)
