"""A registry in this process, and workers in processes of their own that a test may end."""

import base64
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
from tests.integration.tasks.workers.program import Record, work
from tests.management import Json, Management, management
from tests.registry import Registry

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.integration.tasks.workers.program"])
STEPS = base64.b64encode(b"version: v1.1.0\nsteps:\n  - cmd: tools/busybox echo hello\n").decode()
ENDS_WITHIN = 30.0

StartWorker = Callable[..., ForkServerProcess]


@pytest.fixture
async def arm(registry: Registry) -> Management:
    return await management(registry)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path)


@pytest.fixture
def start_worker(registry: Registry, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts a worker with these settings."""
    started: list[ForkServerProcess] = []

    def start(**settings: Any) -> ForkServerProcess:  # noqa: ANN401  any setting's value
        chosen = registry.settings.model_copy(update={"task_drain_seconds": 0, **settings})
        process = PROCESSES.Process(target=work, args=(chosen, tmp_path))
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.join(ENDS_WITHIN)


def a_run(**more: Json) -> Json:
    platform = {"os": "linux", "architecture": "amd64"}
    return {"type": "EncodedTaskRunRequest", "encodedTaskContent": STEPS, "platform": platform, **more}


async def scheduled(arm: Management, registry: str = "local", **more: Json) -> str:
    """The run's name."""
    answer = await arm.post(f"{arm.registry(registry)}/scheduleRun", a_run(**more))
    assert answer.status == 200, answer.body
    return answer.json()["name"]


async def properties(arm: Management, run: str, registry: str = "local") -> dict[str, Any]:
    return (await arm.get(f"{arm.registry(registry)}/runs/{run}")).json()["properties"]


async def log_of(arm: Management, run: str) -> str:
    """Empty where there is none yet."""
    link = (await arm.post(f"{arm.registry()}/runs/{run}/listLogSasUrl")).json()["logLink"]
    answer = await arm.http.get("/" + link.split("/", 3)[3])
    return answer.body.decode() if answer.status == 200 else ""
