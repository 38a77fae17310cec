"""SIGKILL of the whole server at each step that durability hangs on. FAULT_KILLS sets how often for each."""

import os
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.faults.kill.program import POINTS
from tests.faults.kill.pusher import Pusher, ServerDied
from tests.invariants import assert_clean
from tests.services import Registry, answers, log_of, ready_registry, reserved_port, running, serve_command, wait_until

KILLS = int(os.environ.get("FAULT_KILLS", "2"))
PROGRAM = Path(__file__).with_name("program.py")
DIES_WITHIN = 60.0
LATE = 60
# Collection has to be at work beside the pushes, within the seconds that a server lives here.
IMPATIENT = (
    *("--workers", "2", "--access-log", "off", "--shutdown-seconds", "5"),
    *("--gc-unlinked-grace-seconds", "4", "--gc-condemn-seconds", "1", "--gc-retire-seconds", "1"),
)


@pytest.mark.timeout(90 + 60 * KILLS)
@pytest.mark.parametrize("point", POINTS)
def test_every_acknowledged_push_survives_a_kill(point: str, tmp_path: Path) -> None:
    chance = random.Random(point)
    # The last one comes late enough that something was acknowledged before.
    hits = [*(chance.randint(5, LATE) for _ in range(KILLS - 1)), LATE]
    pushers = [Pusher(f"team/app-{number}", number) for number in range(3)]
    with reserved_port() as port:
        for hit in hits:
            work_until_killed(tmp_path / "data", port, (point, str(hit)), pushers)
        with server(tmp_path / "data", serve_command(tmp_path / "data", port, *IMPATIENT), port) as registry:
            verify(registry, pushers)
    assert sum(pusher.promises.kept for pusher in pushers) > 0
    assert_clean(tmp_path / "data")


def work_until_killed(data_dir: Path, port: int, at: tuple[str, str], pushers: list[Pusher]) -> None:
    """See that the promises of the life before are kept, then make new ones until the kill."""
    armed = data_dir.with_name("armed")
    armed.unlink(missing_ok=True)
    command = [sys.executable, str(PROGRAM), *at, str(armed), *serve_command(data_dir, port, *IMPATIENT)[3:]]
    with server(data_dir, command, port) as registry, ThreadPoolExecutor(len(pushers)) as threads:
        verify(registry, pushers)
        armed.touch()
        for working in [threads.submit(pusher.work, registry, DIES_WITHIN) for pusher in pushers]:
            with pytest.raises(ServerDied):
                working.result()
        wait_until(lambda: registry.process.poll() is not None, "the server has killed itself")


def verify(registry: Registry, pushers: list[Pusher]) -> None:
    for pusher in pushers:
        pusher.verify(registry)


@contextmanager
def server(data_dir: Path, command: list[str], port: int) -> Iterator[Registry]:
    data_dir.mkdir(parents=True, exist_ok=True)
    with log_of(data_dir).open("ab") as log, running(command, log) as process:
        yield ready_registry(data_dir, process, lambda ca: answers(port, ca))
