"""A server that nobody asks anything: how soon it is ready, what it holds and burns."""

import time
from typing import Final

from bench.model import (
    DISTRIBUTION_2,
    DISTRIBUTION_3,
    OURS,
    OURS_ON_POSTGRESQL,
    Measure,
    Metric,
    Plan,
    Row,
    Running,
    Sample,
    Unavailable,
)
from bench.rows.listing import names
from bench.rows.reads import pids
from bench.usage import Meter, cpu_seconds, memory_mib

RIVALS: Final = (OURS, OURS_ON_POSTGRESQL, DISTRIBUTION_3, DISTRIBUTION_2)
LEAST_SECONDS: Final = 5.0


def prepare_start(running: Running, _plan: Plan) -> Measure:
    """With the CPU that it took: on a busy machine the time says little."""
    roots = pids(running)
    figures = {"seconds": running.ready_seconds, "cpu_seconds": cpu_seconds(roots), "memory_mib": memory_mib(roots)}
    return lambda: Sample(figures)


def prepare_restart(running: Running, plan: Plan) -> Measure:
    if running.seeder is None or running.restart is None:
        raise Unavailable("the bench cannot seed it")
    running.seeder.tags("bench/many", names("tag-", plan.scale))
    restart = running.restart
    return lambda: Sample({"seconds": restart()})


def prepare_idle(running: Running, plan: Plan) -> Measure:
    """Settles as long as it is measured."""
    seconds = max(LEAST_SECONDS, plan.seconds)
    time.sleep(seconds)
    return lambda: _watch(running, seconds)


def _watch(running: Running, seconds: float) -> Sample:
    with Meter(pids(running)) as meter:
        time.sleep(seconds)
    return Sample({"memory_mib": meter.memory_peak, "cpu_percent": meter.server_cpu / meter.seconds * 100})


ROWS: Final = (
    Row(
        "start",
        "start to ready, empty data folder",
        Metric("seconds", "s", higher_is_better=False),
        RIVALS,
        prepare_start,
        solo=True,
    ),
    Row(
        "start-seeded",
        "start to ready with very many tags",
        Metric("seconds", "s", higher_is_better=False),
        (OURS,),
        prepare_restart,
        solo=True,
        most_repeats=2,
    ),
    Row(
        "idle",
        "idle: memory (PSS of all processes) and CPU",
        Metric("memory_mib", "MiB", higher_is_better=False),
        RIVALS,
        prepare_idle,
        solo=True,
        most_repeats=2,
    ),
)
