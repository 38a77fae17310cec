"""A server that is stopped politely and started again, with a run that goes on and one that waits: both succeed.

The server is another one than the site's, on the site's engine.
"""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.clients import shell_in
from tests.e2e.commands.conftest import owners
from tests.e2e.commands.program import Plain
from tests.e2e.tasks.conftest import Site
from tests.services import (
    Registry,
    answers,
    log_of,
    ready_registry,
    reserved_port,
    running,
    serve_command,
    wait_until,
)

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]

# Seconds that the first run takes: longer than until the server is stopped, which lets runs go on for one more.
FIRST_TAKES = 10
DRAINS = 1


@contextmanager
def started(data_dir: Path, port: int, *flags: str) -> Iterator[Registry]:
    """Ended politely with the block."""
    with (
        log_of(data_dir).open("ab") as log,
        running(serve_command(data_dir, port, *flags), log) as process,
    ):
        yield ready_registry(data_dir, process, lambda ca: answers(port, ca))


def test_a_run_that_goes_on_and_one_that_waits_survive_a_restart_of_the_server(site: Site, tmp_path: Path) -> None:
    # Its path has to be short: sockets of runs lie below it.
    data = site.engine.socket.parent / "again"
    data.mkdir()
    flags = (f"--task-engine={site.engine.socket}", "--task-runs=1", f"--task-drain-seconds={DRAINS}")
    with reserved_port() as port:
        with started(data, port, *flags) as server:
            program, plain = owners(server, shell_in(tmp_path)), Plain(server)
            runs = [schedule(plain, site, 1, FIRST_TAKES), schedule(plain, site, 2, 0)]
            wait_until(lambda: "begun 1" in program.run("task", "logs", runs[0]), "the first run goes on")
            assert statuses(plain, runs) == ["Running", "Queued"]
        with started(data, port, *flags):
            wait_until(lambda: statuses(plain, runs) == ["Succeeded", "Succeeded"], "both runs have ended", 120)
            first, second = [program.run("task", "logs", run) for run in runs]
    assert "the run begins again (attempt 2)" in first
    assert "was canceled" not in first
    assert "slept 1" in first
    assert ("slept 2" in second, "attempt" in second) == (True, False)


def schedule(plain: Plain, site: Site, number: int, seconds: int) -> str:
    """Its name."""
    line = f"echo begun {number}; sleep {seconds}; echo slept {number}"
    steps = f"version: v1.1.0\nsteps:\n  - cmd: {site.tools} sh -c '{line}'\n"
    content = b64encode(steps.encode()).decode()
    platform = {"os": "linux", "architecture": "amd64"}
    asked = {"type": "EncodedTaskRunRequest", "encodedTaskContent": content, "platform": platform}
    answer = plain.send("POST", f"{plain.local}/scheduleRun", asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["name"]


def statuses(plain: Plain, runs: list[str]) -> list[str]:
    return [plain.get(f"{plain.local}/runs/{run}")["properties"]["status"] for run in runs]
