"""Images of three small layers, all different, pushed by 32 clients.

The driver is a wrk script, one thread for each client, since answers must belong to the last request. That costs about
0.1 ms a request (0.03 without script and with two threads), several times less than a Python client would; the servers
take a millisecond or more. All bodies and digests are made before the clock runs, and the client's CPU stands in the
table. No HEAD before each upload: every blob is new, and wrk cannot read the answer to a HEAD.
"""

import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from bench.model import (
    DISTRIBUTION_2,
    DISTRIBUTION_3,
    OURS,
    WARM_SECONDS,
    Measure,
    Metric,
    Plan,
    Row,
    Running,
    Sample,
    Wrong,
)
from bench.registry import bearer, check_image, pull_and_push
from bench.rows.reads import pids
from bench.usage import Meter
from bench.wrk import Load, Outcome, run_wrk

CLIENTS: Final = 32
LAYER_BYTES: Final = 4096
BLOBS: Final = 4
CONFIG_TAIL: Final = b'"}'
MOST_IMAGES_A_SECOND: Final = 2000
SUMMARY: Final = re.compile(r"images=(\d+) steps=(\d+) failures=(\d+) exhausted=(\d+) first=(.*)")

Shape = Literal["docker", "monolithic"]
STEPS: Final[dict[Shape, int]] = {"docker": 3 * BLOBS + 1, "monolithic": 2 * BLOBS + 1}


@dataclass(frozen=True, slots=True)
class Pushing:
    """How images are pushed: by how many clients, and with how long a pause before each request."""

    shape: Shape
    clients: int = CLIENTS
    pause_ms: int = 0


def prepare(pushing: Pushing, running: Running, plan: Plan) -> Measure:
    push(running, pushing, WARM_SECONDS)
    return lambda: push(running, pushing, plan.seconds)


def push(running: Running, pushing: Pushing, seconds: float) -> Sample:
    """Also lets the disk settle first: what the contender before left unwritten must not slow this one down.

    Afterwards one image is read back, once each client has surely finished one.
    """
    folder = Path(tempfile.mkdtemp(prefix="pushes-", dir=running.folder))
    write_plans(running, folder, pushing.clients, seconds)
    os.sync()
    arguments = (str(folder), pushing.shape, str(pushing.pause_ms))
    load = Load(running.url, pushing.clients, pushing.clients, seconds, script="push.lua", arguments=arguments)
    with Meter(pids(running)) as meter:
        outcome = run_wrk(load)
    shutil.rmtree(folder)
    images = pushed(outcome, pushing.shape)
    if images > pushing.clients * 2:
        check_image(running, repository_of(0))
    return Sample({"rate": images / outcome.seconds, **meter.metrics(images)})


def pushed(outcome: Outcome, shape: Shape) -> float:
    """Images by requests answered, so that 32 unfinished ones count for what they were when the clock stopped."""
    summary = SUMMARY.search(outcome.text)
    if summary is None:
        raise Wrong("the push script printed no summary")
    images, steps, failures, exhausted = (int(summary[part]) for part in (1, 2, 3, 4))
    if failures or exhausted or not steps:
        raise Wrong(f"{images} images, {failures} failures, {exhausted} clients without work; first: {summary[5]}")
    return steps / STEPS[shape]


def write_plans(running: Running, folder: Path, clients: int, seconds: float) -> None:
    """The files that lua/push.lua explains."""
    common = [_config_head(), *(os.urandom(LAYER_BYTES // 2).hex().encode() for _ in range(BLOBS - 1))]
    for position, content in enumerate(common, start=1):
        (folder / f"blob-{position}").write_bytes(content)
    each = int(seconds * MOST_IMAGES_A_SECOND / CLIENTS) + 50
    run = os.urandom(4).hex()
    for client in range(clients):
        repository = repository_of(client)
        authorization = bearer(running.tokens, pull_and_push(repository)).get("Authorization", "")
        lines = [f"{repository} {authorization}".strip()]
        lines += [plan_line(common, f"{run}-{client}-{image}") for image in range(each)]
        (folder / f"plan-{client}").write_text("\n".join(lines) + "\n")


def repository_of(client: int) -> str:
    return f"bench/push-{client}"


def plan_line(common: list[bytes], suffix: str) -> str:
    tails = (CONFIG_TAIL, b"", b"", b"")
    contents = (content + suffix.encode() + tail for content, tail in zip(common, tails, strict=True))
    return " ".join([suffix, *(f"sha256:{hashlib.sha256(content).hexdigest()}" for content in contents)])


def _config_head() -> bytes:
    return b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"author":"'


RIVALS: Final = (OURS, DISTRIBUTION_3, DISTRIBUTION_2)
RATE: Final = Metric("rate", "images/s")
TITLE: Final = "images of 3 layers of 4 KiB pushed by 32 clients"
ROWS: Final = (
    Row("push", f"{TITLE}: POST, PATCH, PUT as docker does", RATE, RIVALS, partial(prepare, Pushing("docker"))),
    Row(
        "push-monolithic",
        f"{TITLE}: POST, PUT as containerd does",
        RATE,
        RIVALS,
        partial(prepare, Pushing("monolithic")),
    ),
)
