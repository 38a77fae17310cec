"""Work in the background beside traffic: collecting garbage, telling webhooks, and how long a job waits."""

import statistics
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bench.images import MANIFEST, make_image
from bench.model import (
    OURS,
    OURS_COLLECTING,
    OURS_TELLING,
    WARM_SECONDS,
    Heap,
    Measure,
    Metric,
    Plan,
    Row,
    Running,
    Sample,
    Unavailable,
    Waits,
    Wrong,
)
from bench.registry import bearer, pull, put_image
from bench.rows.pushes import Pushing, push
from bench.rows.reads import REPOSITORY, TAG, image_paths, pids
from bench.usage import Meter
from bench.wrk import Load, run_wrk

PAUSE_SECONDS: Final = 0.25
IDLE_PROBES: Final = 5
LEAST_SECONDS: Final = 5.0
BLOBS_A_SECOND: Final = 2000
BLOBS_BESIDE: Final = 10_000
EVENTS_A_SECOND: Final = 1000
LAYERS: Final = (4096, 4096, 4096)
# Traffic that leaves the machine room, or its p99 would tell of the client: some hundreds of requests a second.
PULLING_CLIENTS: Final = 8
PULL_PAUSE_MS: Final = 10
PUSHES: Final = Pushing("docker", clients=2, pause_ms=20)
MOST_SECONDS: Final = 180.0
LOOK_SECONDS: Final = 0.2


def prepare_collection(running: Running, plan: Plan) -> Measure:
    if running.garbage is None:
        raise Unavailable("the bench cannot make garbage for it")
    garbage, seconds = running.garbage, max(LEAST_SECONDS, plan.seconds)
    image = make_image(LAYERS)
    put_image(running.shelf, REPOSITORY, TAG, image)
    listed = running.folder / "pulls"
    listed.write_text("\n".join(image_paths(image)) + "\n")
    _traffic(running, listed, WARM_SECONDS)
    return lambda: _collect_beside_traffic(running, garbage, listed, seconds)


def _collect_beside_traffic(running: Running, garbage: Heap, listed: Path, seconds: float) -> Sample:
    """The same traffic without and with collection; the rate is that of the whole way from review to removed file."""
    quiet = _traffic(running, listed, seconds).metrics
    garbage.make(int(seconds * BLOBS_A_SECOND) + BLOBS_BESIDE)
    with ThreadPoolExecutor(1) as beside:
        traffic = beside.submit(_traffic, running, listed, seconds)
        rate = _rate_of_work(garbage)
    busy = traffic.result().metrics
    growth = busy["p99_ms"] / quiet["p99_ms"]
    return Sample({**busy, "rate": rate, "quiet_p99_ms": quiet["p99_ms"], "p99_growth": growth})


def _rate_of_work(heap: Heap) -> float:
    """Between the first and the last tenth, so that waits at both ends do not count."""
    begun, total = time.monotonic(), heap.remaining()
    marks = list[tuple[float, int]]()
    while time.monotonic() - begun < MOST_SECONDS:
        left = heap.remaining()
        if left <= total * 0.9:
            marks.append((time.monotonic(), left))
        if left <= total * 0.1:
            (first, before), (last, after) = marks[0], marks[-1]
            return (before - after) / max(last - first, LOOK_SECONDS)
        time.sleep(LOOK_SECONDS)
    raise Wrong(f"of {total} {heap.remaining()} were left after {MOST_SECONDS:.0f} s")


def _traffic(running: Running, listed: Path, seconds: float) -> Sample:
    """Pulls, whose latency counts, beside pushes."""
    with ThreadPoolExecutor(1) as beside:
        pushing = beside.submit(push, running, PUSHES, seconds)
        pulled = pulls(running, listed, seconds)
        pushed = pushing.result().metrics["rate"]
    return Sample({**pulled.metrics, "pushes_a_second": pushed})


def pulls(running: Running, listed: Path, seconds: float) -> Sample:
    headers = bearer(running.tokens, pull(REPOSITORY)) | {"Accept": MANIFEST}
    arguments = (str(listed), str(PULL_PAUSE_MS))
    load = Load(running.url, PULLING_CLIENTS, 2, seconds, headers, "cycle.lua", arguments)
    with Meter(pids(running)) as meter:
        outcome = run_wrk(load).checked()
    latency = outcome.latency_ms
    told = {"pulls_a_second": outcome.rate, "p50_ms": latency[50], "p99_ms": latency[99]}
    return Sample({**told, **meter.metrics(outcome.requests)})


def prepare_telling(running: Running, plan: Plan) -> Measure:
    if running.events is None:
        raise Unavailable("the bench cannot make events for it")
    events, seconds = running.events, max(LEAST_SECONDS, plan.seconds)
    image = make_image(LAYERS)
    put_image(running.shelf, REPOSITORY, TAG, image)
    listed = running.folder / "pulls"
    listed.write_text("\n".join(image_paths(image)) + "\n")
    events.make(EVENTS_A_SECOND)
    pulls(running, listed, WARM_SECONDS)
    return lambda: _tell_besidepulls(running, events, listed, seconds)


def _tell_besidepulls(running: Running, events: Heap, listed: Path, seconds: float) -> Sample:
    """The same pulls without and with deliveries; the rate is that of the whole way from event to answered call."""
    while events.remaining():
        time.sleep(LOOK_SECONDS)
    quiet = pulls(running, listed, seconds).metrics
    events.make(int(seconds * EVENTS_A_SECOND))
    with ThreadPoolExecutor(1) as beside:
        pulling = beside.submit(pulls, running, listed, seconds)
        rate = _rate_of_work(events)
    busy = pulling.result().metrics
    growth = busy["p99_ms"] / quiet["p99_ms"]
    return Sample({**busy, "rate": rate, "quiet_p99_ms": quiet["p99_ms"], "p99_growth": growth})


def prepare_job_latency(running: Running, plan: Plan) -> Measure:
    if running.job_waits is None:
        raise Unavailable("the bench cannot wake a job of it")
    waits = running.job_waits
    waits()
    push(running, Pushing("docker"), WARM_SECONDS)
    return lambda: _wait_beside_pushes(running, plan.seconds, waits)


def _wait_beside_pushes(running: Running, seconds: float, waits: Waits) -> Sample:
    idle = [_probe(waits) for _ in range(IDLE_PROBES)]
    with ThreadPoolExecutor(1) as beside:
        pushing = beside.submit(push, running, Pushing("docker"), seconds)
        busy = _probe_until(pushing, waits)
    return Sample(
        {
            "p50_ms": statistics.median(busy) * 1e3,
            "worst_ms": max(busy) * 1e3,
            "idle_p50_ms": statistics.median(idle) * 1e3,
            **pushing.result().metrics,
        }
    )


def _probe_until(pushing: Future[Sample], waits: Waits) -> list[float]:
    """At least one, and none after the pushes ended."""
    found = [_probe(waits)]
    while not pushing.done():
        found.append(_probe(waits))
    return found


def _probe(waits: Waits) -> float:
    time.sleep(PAUSE_SECONDS)
    return waits()


ROWS: Final = (
    Row(
        "gc",
        "garbage collection beside pushes and pulls, from review to removed file",
        Metric("rate", "blobs/s"),
        (OURS_COLLECTING,),
        prepare_collection,
        ours=OURS_COLLECTING,
        most_repeats=3,
    ),
    Row(
        "webhooks",
        "events told to a fast receiver beside pulls, from event to answered call",
        Metric("rate", "/s"),
        (OURS_TELLING,),
        prepare_telling,
        ours=OURS_TELLING,
    ),
    Row(
        "job-latency",
        "from commit to start of a job, beside saturating pushes",
        Metric("p50_ms", "ms", higher_is_better=False),
        (OURS,),
        prepare_job_latency,
    ),
)
