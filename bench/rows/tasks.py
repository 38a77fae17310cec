"""Runs of tasks: what they cost beside the engine's own client, many that wait, and a log that is never still."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bench.contenders.docker import IMAGE, docker
from bench.images import make_image
from bench.model import OURS_BUILDING, WARM_SECONDS, Measure, Metric, Plan, Row, Running, Sample, Unavailable
from bench.registry import put_image
from bench.rows.background import LAYERS, LEAST_SECONDS, pulls
from bench.rows.reads import REPOSITORY, TAG, image_paths, pids
from bench.runs import Building
from bench.usage import memory_mib

ALLOWED: Final = 1.15
STEPS: Final = 5
QUEUED: Final = 100
# By then the worker has all that it loads.
SETTLED: Final = 20
# What it prints: more than any reader takes.
FLOOD: Final = 4_000_000_000
BEGINS_WITHIN: Final = 60.0


def building_of(running: Running) -> Building:
    if running.engine is None:
        raise Unavailable("no engine runs tasks for it")
    return Building.of(running.folder / "data", running.engine)


def prepare_build(running: Running, _plan: Plan) -> Measure:
    building = building_of(running)
    building.build()
    building.build_plainly()

    def measure() -> Sample:
        """Side by side in one moment: the machine's other work then slows both."""
        plain, ours = building.build_plainly(), building.build()
        over = ours - plain
        return Sample({"over_s": over, "beyond_s": ours - ALLOWED * plain, "build_s": ours, "plain_s": plain})

    return measure


def prepare_step(running: Running, _plan: Plan) -> Measure:
    building = building_of(running)
    building.time_steps([f"{IMAGE} true"])

    def measure() -> Sample:
        few, many = building.time_steps([f"{IMAGE} true"]), building.time_steps([f"{IMAGE} true"] * (STEPS + 1))
        began = time.perf_counter()
        for _ in range(STEPS):
            docker(building.socket, "run", "--rm", IMAGE, "true")
        plain = (time.perf_counter() - began) / STEPS
        each = (many - few) / STEPS
        return Sample({"over_s": each - plain, "step_s": each, "plain_s": plain})

    return measure


def prepare_queue(running: Running, _plan: Plan) -> Measure:
    building = building_of(running)
    roots = pids(running)

    def measure() -> Sample:
        began = time.perf_counter()
        runs = [building.steps([f"{IMAGE} true"]) for _ in range(QUEUED)]
        building.wait_for_number(runs[SETTLED - 1])
        before = memory_mib(roots)
        building.wait_for_number(runs[-1])
        seconds = time.perf_counter() - began
        return Sample({"memory_growth_mib": memory_mib(roots) - before, "rate": QUEUED / seconds})

    return measure


def prepare_log(running: Running, plan: Plan) -> Measure:
    building, seconds = building_of(running), max(LEAST_SECONDS, plan.seconds)
    image = make_image(LAYERS)
    put_image(running.shelf, REPOSITORY, TAG, image)
    listed = running.folder / "pulls"
    listed.write_text("\n".join(image_paths(image)) + "\n")
    building.time_steps([f"{IMAGE} true"])
    pulls(running, listed, WARM_SECONDS)
    return lambda: _pull_beside_flood(running, building, listed, seconds)


def _pull_beside_flood(running: Running, building: Building, listed: Path, seconds: float) -> Sample:
    """The same pulls without and with a run that prints as fast as it can."""
    quiet = pulls(running, listed, seconds).metrics
    run = building.steps([f"{IMAGE} sh -c 'yes | head -c {FLOOD}'"])
    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(_first_of, building, run.name)
        reading.result(BEGINS_WITHIN)
        busy = pulls(running, listed, seconds).metrics
    building.runs.cancel(run.name)
    growth = busy["p99_ms"] / quiet["p99_ms"]
    return Sample({**busy, "quiet_p99_ms": quiet["p99_ms"], "p99_growth": growth})


def _first_of(building: Building, run: str) -> None:
    """Wait until it prints."""
    for text in building.runs.follow(run):
        if "\ny\r\n" in text:
            return


ROWS: Final = (
    Row(
        "task-build",
        "a build in the registry over docker build of the same context",
        Metric("over_s", "s", higher_is_better=False),
        (OURS_BUILDING,),
        prepare_build,
        ours=OURS_BUILDING,
    ),
    Row(
        "task-step",
        "a step of a run over docker run of the same command",
        Metric("over_s", "s", higher_is_better=False),
        (OURS_BUILDING,),
        prepare_step,
        ours=OURS_BUILDING,
    ),
    Row(
        "task-queue",
        f"{QUEUED} runs that wait, one worker: its memory from the {SETTLED}th to the last",
        Metric("memory_growth_mib", "MiB", higher_is_better=False),
        (OURS_BUILDING,),
        prepare_queue,
        ours=OURS_BUILDING,
        most_repeats=1,
    ),
    Row(
        "task-log",
        "pulls beside a run that prints as fast as it can",
        Metric("p99_growth", "x", higher_is_better=False),
        (OURS_BUILDING,),
        prepare_log,
        ours=OURS_BUILDING,
    ),
)
