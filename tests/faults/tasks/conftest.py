"""A registry in this process, tasks that stand on its images, and workers that a test kills and stops."""

import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from tests.faults.here import settings_on
from tests.faults.tasks.program import work
from tests.registry import Registry, started

from entrepot.settings import Settings

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.faults.tasks.program"])


@dataclass
class Yard:
    """``machines``: the folder of the recording engine."""

    settings: Settings
    folder: Path
    workers: list[ForkServerProcess] = field(default_factory=list)

    @property
    def machines(self) -> Path:
        return self.folder / "machines"

    def start(self) -> None:
        process = PROCESSES.Process(target=work, args=(self.settings, self.machines, self.folder / "log"))
        process.start()
        self.workers.append(process)

    def replace_dead(self) -> None:
        """As a supervisor does: also for one that others took over from while it slept."""
        for process in [each for each in self.workers if not each.is_alive()]:
            process.join()
            self.workers.remove(process)
            self.start()

    def send(self, process: ForkServerProcess, number: signal.Signals) -> None:
        os.kill(process.pid or 0, number)

    def said(self) -> list[tuple[str, str]]:
        """What the engine was asked, in order: what, and for which attempt of which run."""
        file = self.machines / "said"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(what, run) for what, _, run in (line.partition(" ") for line in lines)]

    def end_all(self) -> None:
        for process in self.workers:
            process.kill()
            process.join()


@pytest.fixture(params=("sqlite", "postgres"))
async def registry(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Registry]:
    with settings_on(request.param, tmp_path) as settings:
        async with started(settings) as made:
            yield made


@pytest.fixture
def yard(registry: Registry, tmp_path: Path) -> Iterator[Yard]:
    made = Yard(registry.settings, tmp_path)
    made.machines.mkdir()
    yield made
    made.end_all()
