"""Large blobs, one client, one connection: speed to the last byte, and whether memory stays flat."""

import hashlib
import os
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from bench.curl import download
from bench.images import PIECE, Stream
from bench.model import DISTRIBUTION_2, DISTRIBUTION_3, NGINX, OURS, Measure, Metric, Plan, Row, Running, Sample, Wrong
from bench.registry import bearer, pull_and_push, push_stream
from bench.rows.reads import blob_path, pids
from bench.usage import Meter
from bench.wire import Client

REPOSITORY: Final = "bench/app"
MB: Final = 1_000_000
SPEED: Final = Metric("rate", "MB/s")
RIVALS: Final = (OURS, DISTRIBUTION_3, DISTRIBUTION_2)
PUSHES: Final = 3
WARM_BYTES: Final = 8 * MB


def prepare_pull(running: Running, plan: Plan) -> Measure:
    """Registries get a push, nginx gets a file of that size."""
    blob = Stream(plan.large)
    if running.name == NGINX:
        running.shelf.put_blob(REPOSITORY, blob.digest, b"".join(blob))
    else:
        push_blob(running, blob)
    pull_blob(running, blob)
    return lambda: pull_blob(running, blob)


def prepare_push(running: Running, plan: Plan) -> Measure:
    push_blob(running, Stream(WARM_BYTES))
    return lambda: push_blob(running, Stream(plan.large))


def pull_blob(running: Running, blob: Stream) -> Sample:
    headers = bearer(running.tokens, pull_and_push(REPOSITORY))
    with Meter(pids(running)) as meter:
        got = download(running.url + blob_path(blob.digest), headers)
    if (got.status, got.size) != (HTTPStatus.OK, blob.size):
        raise Wrong(f"a blob of {blob.size} bytes came with {got.size} and status {got.status}")
    return _sample(blob, got.seconds, meter)


def push_blob(running: Running, blob: Stream) -> Sample:
    """The disk settles first: what another contender left unwritten must not slow this one down."""
    headers = bearer(running.tokens, pull_and_push(REPOSITORY))
    client = Client(running.url)
    os.sync()
    with Meter(pids(running)) as meter:
        push_stream(client, REPOSITORY, headers, blob)
    client.close()
    return _sample(blob, meter.seconds, meter)


def _sample(blob: Stream, seconds: float, meter: Meter) -> Sample:
    figures = {"rate": blob.size / seconds / MB, "seconds": seconds}
    return Sample({**figures, **meter.metrics(1), "memory_growth_mib": meter.memory_growth})


def prepare_huge(running: Running, plan: Plan) -> Measure:
    """Warm first: code and buffers that any request loads are no growth."""
    small = Stream(WARM_BYTES)
    push_blob(running, small)
    pull_blob(running, small)
    blob = Stream(plan.huge)
    return lambda: _there_and_back(running, blob)


def _there_and_back(running: Running, blob: Stream) -> Sample:
    pushed, pulled = push_blob(running, blob).metrics, pull_blob(running, blob).metrics
    peak = max(pushed["memory_mib"], pulled["memory_mib"])
    before = pushed["memory_mib"] - pushed["memory_growth_mib"]
    both = {"push_mb_s": pushed["rate"], "pull_mb_s": pulled["rate"], "cpu_us": pushed["cpu_us"] + pulled["cpu_us"]}
    return Sample({**both, "memory_mib": peak, "memory_growth_mib": peak - before})


def machine_speed(folder: Path, plan: Plan) -> Sample:
    """What bounds a push here: sha256 in one thread, and writing and fsyncing a file of that size."""
    piece = os.urandom(PIECE)
    pieces = max(1, plan.large // PIECE)
    running = hashlib.sha256()
    hashing = _seconds(lambda: _repeat(pieces, lambda: running.update(piece)))
    file = folder / "disk-speed"
    os.sync()
    writing = _seconds(lambda: _write_and_sync(file, piece, pieces))
    file.unlink()
    size = pieces * PIECE / MB
    speeds = {"sha256_mb_s": size / hashing, "disk_mb_s": size / writing}
    return Sample({"rate": min(speeds.values()), **speeds})


def _write_and_sync(file: Path, piece: bytes, pieces: int) -> None:
    with file.open("wb", buffering=0) as output:
        _repeat(pieces, lambda: output.write(piece))
        os.fsync(output.fileno())


def _repeat(times: int, act: Callable[[], object]) -> None:
    for _ in range(times):
        act()


def _seconds(act: Callable[[], None]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


ROWS: Final = (
    Row(
        "pull-large",
        "one large blob pulled over TLS, to the last byte",
        SPEED,
        (*RIVALS, NGINX),
        prepare_pull,
        disk=lambda plan: 4 * plan.large,
        most_repeats=5,
    ),
    Row(
        "push-large",
        "one large blob pushed (Entrepot fsyncs, distribution does not)",
        SPEED,
        RIVALS,
        prepare_push,
        reference=machine_speed,
        disk=lambda plan: (3 * PUSHES + 1) * plan.large,
        most_repeats=PUSHES,
    ),
    Row(
        "huge",
        "one huge blob pushed and pulled: growth of memory",
        Metric("memory_growth_mib", "MiB", higher_is_better=False),
        RIVALS,
        prepare_huge,
        solo=True,
        disk=lambda plan: plan.huge,
        most_repeats=1,
    ),
)
