"""A registry in this process, and processes of it and of the outside that a test can kill."""

import asyncio
import multiprocessing
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
from tests.faults.here import WITHIN, settings_on
from tests.faults.webhooks.program import deliver, receive
from tests.integration.webhooks.receivers import Webhook
from tests.registry import Registry, started

from entrepot.settings import Settings

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.faults.webhooks.program"])


@dataclass(frozen=True)
class Heard:
    """What one webhook's receiver has written down: (event id, repository, tag)."""

    calls: list[tuple[str, str, str]] = field(default_factory=list)

    def first_times(self) -> dict[str, list[str]]:
        """Tags of each repository, in the order in which they were heard of first."""
        tags: dict[str, dict[str, None]] = defaultdict(dict)
        for _, repository, tag in self.calls:
            tags[repository].setdefault(tag)
        return {repository: list(found) for repository, found in tags.items()}

    def ids(self) -> dict[tuple[str, str], set[str]]:
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for event_id, repository, tag in self.calls:
            found[repository, tag].add(event_id)
        return found


@dataclass
class Yard:
    """The processes that die, and the file that a receiver writes."""

    settings: Settings
    folder: Path
    processes: list[ForkServerProcess] = field(default_factory=list)

    def worker(self) -> ForkServerProcess:
        return self._start(deliver, self.settings, self.folder / "log")

    def receiver(self, port: int, name: str, percent: int = 0) -> ForkServerProcess:
        return self._start(receive, port, self.folder / name, percent)

    def _start(self, target: Callable[..., None], *args: Any) -> ForkServerProcess:  # noqa: ANN401  the target's own
        process = PROCESSES.Process(target=target, args=args)
        process.start()
        self.processes.append(process)
        return process

    def count(self, name: str) -> int:
        """How many calls this receiver has heard, whatever of."""
        file = self.folder / name
        return file.read_bytes().count(b"\n") if file.exists() else 0

    def heard(self, name: str, hook: str) -> Heard:
        file = self.folder / name
        lines = file.read_text().splitlines() if file.exists() else []
        calls = [line.split(" ") for line in lines]
        return Heard([(call[1], call[2], call[3]) for call in calls if call[0] == hook])

    def end_all(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()


async def settled(hook: Webhook) -> None:
    """The ledger says so as well."""
    deadline = asyncio.get_running_loop().time() + WITHIN
    while set(await hook.states()) != {"delivered"}:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.1)


@pytest.fixture(params=("sqlite", "postgres"))
async def registry(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Registry]:
    with settings_on(request.param, tmp_path, outbound_allow=("127.0.0.1",)) as settings:
        async with started(settings) as made:
            yield made


@pytest.fixture
def yard(registry: Registry, tmp_path: Path) -> Iterator[Yard]:
    made = Yard(registry.settings, tmp_path)
    yield made
    made.end_all()
