"""Background work: how soon a woken run begins, how many go in a second, what an idle worker and a takeover cost.

For docs/decisions/0003.
"""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from bench.decisions.catalogs import catalogs, spread
from bench.usage import cpu_seconds, memory_mib
from entrepot.app.parts import open_catalog
from entrepot.db.database import Database
from entrepot.jobs.model import Queue, Workflow
from entrepot.jobs.run import Run
from entrepot.jobs.wake import Jobs
from entrepot.jobs.worker import worker_process
from entrepot.settings import Settings
from entrepot.telemetry.logs import configure_logs

_PROCESSES: Final = multiprocessing.get_context("spawn")
_QUEUE: Final = Queue("bench")
_QUICK: Final = Workflow("bench.quick", _QUEUE)
_ENDLESS: Final = Workflow("bench.endless", _QUEUE)
_WAKES: Final = 40
_RUNS: Final = 300
_IDLE_SECONDS: Final = 20.0
_TAKEOVERS: Final = 3
_LOOK: Final = 0.001


def _work(settings: Settings, signs: Path) -> None:
    def quick(run: Run, sign: str) -> None:
        (signs / sign).write_text(repr(time.time()))
        run.once("note", _nothing)

    def endless(run: Run, sign: str) -> None:
        (signs / f"{sign}-{run.attempt}").write_text(f"{time.time()!r} {os.getpid()}")
        while run.attempt == 1:
            time.sleep(1)

    configure_logs("json", "error")
    worker_process(open_catalog(settings), {_QUICK: quick, _ENDLESS: endless})


def _nothing(_: Connection) -> None:
    """A change like any other, of no row."""


@contextmanager
def _worker(settings: Settings, signs: Path) -> Generator[SpawnProcess]:
    process = _PROCESSES.Process(target=_work, args=(settings, signs))
    process.start()
    try:
        yield process
    finally:
        process.terminate()
        process.join()


class _Office:
    """Wakes runs and sees when they begin."""

    def __init__(self, database: Database, signs: Path) -> None:
        self._database, self._signs = database, signs
        self._jobs = Jobs(database)

    def wake(self, workflow: Workflow, *signs: str) -> float:
        """In one transaction; when it had committed."""
        self._database.write(self._wake, workflow, signs)
        return time.time()

    def _wake(self, tx: Connection, workflow: Workflow, signs: tuple[str, ...]) -> None:
        for sign in signs:
            self._jobs.wake(tx, workflow, sign)

    def begun(self, sign: str) -> list[str]:
        """What a run wrote when it began."""
        path = self._signs / sign
        while not path.exists() or not path.read_text():
            time.sleep(_LOOK)
        return path.read_text().split()

    def latency(self, number: int) -> float:
        time.sleep(0.5 + random.random())
        committed = self.wake(_QUICK, f"quick-{number}")
        return float(self.begun(f"quick-{number}")[0]) - committed

    def runs_a_second(self) -> float:
        signs = [f"many-{number}" for number in range(_RUNS)]
        committed = self.wake(_QUICK, *signs)
        return _RUNS / (max(float(self.begun(sign)[0]) for sign in signs) - committed)

    def takeover(self, number: int) -> float:
        """From the death of the worker that had the run until another begins it."""
        self.wake(_ENDLESS, f"endless-{number}")
        holder = int(self.begun(f"endless-{number}-1")[1])
        os.kill(holder, signal.SIGKILL)
        killed = time.time()
        return float(self.begun(f"endless-{number}-2")[0]) - killed


def _measure(settings: Settings, signs: Path) -> None:
    with closing(open_catalog(settings)) as database:
        office = _Office(database, signs)
        with _worker(settings, signs) as worker:
            office.latency(-1)
            print("  commit to begin:", spread([office.latency(number) for number in range(_WAKES)]))
            before = cpu_seconds([worker.pid or 0])
            time.sleep(_IDLE_SECONDS)
            cost = (cpu_seconds([worker.pid or 0]) - before) / _IDLE_SECONDS * 100
            print(f"  an idle worker: {cost:.2f} % of a core, {memory_mib([worker.pid or 0]):.0f} MiB")
            print(f"  one worker, at once 4: {office.runs_a_second():.0f} runs/s")
        for number in range(_TAKEOVERS):
            with _worker(settings, signs), _worker(settings, signs):
                print(f"  takeover {number + 1}: {office.takeover(number):.1f} s")


if __name__ == "__main__":
    for kind, chosen in catalogs():
        print(kind, flush=True)
        folder = chosen.data_dir / "signs"
        folder.mkdir()
        _measure(chosen, folder)
