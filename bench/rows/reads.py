"""Reads of small content under load: manifests, small blobs, one image pulled by many clients at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.images import MANIFEST, Image, digest_of, make_image
from bench.model import (
    DISTRIBUTION_2,
    DISTRIBUTION_3,
    NGINX,
    OURS,
    OURS_ON_POSTGRESQL,
    WARM_SECONDS,
    Measure,
    Metric,
    Plan,
    Row,
    Running,
    Sample,
)
from bench.registry import bearer, check_content, pull, put_image
from bench.usage import Meter
from bench.wrk import Load, run_wrk

REPOSITORY: Final = "bench/app"
TAG: Final = "latest"
RATE: Final = Metric("rate", "/s")
EVERYBODY: Final = (OURS, DISTRIBUTION_3, DISTRIBUTION_2, NGINX)
CONNECTIONS: Final = 16
STORM_CLIENTS: Final = 64
STORM_LAYERS: Final = (1 << 20, 1 << 20, 2 << 20)
SMALL_LAYERS: Final = (4096, 4096, 4096)
SMALL_BLOB: Final = 2048


def pids(running: Running) -> list[int]:
    return [owned.pid for owned in running.processes]


def manifest_path(reference: str) -> str:
    return f"/v2/{REPOSITORY}/manifests/{reference}"


def blob_path(digest: str) -> str:
    return f"/v2/{REPOSITORY}/blobs/{digest}"


def read_row(name: str, title: str, target: Callable[[Running], str], contenders: tuple[str, ...]) -> Row:
    """A row that asks for one path on 16 kept connections, with one token, and no script in the client."""

    def prepare(running: Running, plan: Plan) -> Measure:
        path = target(running)
        ask_again_and_again(running, path, WARM_SECONDS)
        return lambda: ask_again_and_again(running, path, plan.seconds)

    return Row(name, title, RATE, contenders, prepare, ours=contenders[0])


def ask_again_and_again(running: Running, path: str, seconds: float) -> Sample:
    headers = bearer(running.tokens, pull(REPOSITORY)) | {"Accept": MANIFEST}
    load = Load(running.url + path, CONNECTIONS, 2, seconds, headers)
    with Meter(pids(running)) as meter:
        outcome = run_wrk(load).checked()
    latencies = {f"p{at}_ms": value for at, value in outcome.latency_ms.items()}
    return Sample({"rate": outcome.rate, **latencies, **meter.metrics(outcome.requests)})


def manifest_by_tag(running: Running) -> str:
    image = make_image(SMALL_LAYERS)
    put_image(running.shelf, REPOSITORY, TAG, image)
    return _checked(running, manifest_path(TAG), image.manifest)


def manifest_by_digest(running: Running) -> str:
    image = make_image(SMALL_LAYERS)
    put_image(running.shelf, REPOSITORY, TAG, image)
    return _checked(running, manifest_path(digest_of(image.manifest)), image.manifest)


def small_blob(running: Running) -> str:
    """The blob belongs to an image: a registry may forget one that nothing names."""
    image = make_image((SMALL_BLOB,))
    put_image(running.shelf, REPOSITORY, TAG, image)
    blob = image.blobs[-1]
    return _checked(running, blob_path(digest_of(blob)), blob)


def _checked(running: Running, path: str, expected: bytes) -> str:
    check_content(running, path, pull(REPOSITORY), expected)
    return path


def prepare_storm(running: Running, plan: Plan) -> Measure:
    image = make_image(STORM_LAYERS)
    put_image(running.shelf, REPOSITORY, TAG, image)
    paths = image_paths(image)
    for path, expected in zip(paths, (image.manifest, *image.blobs), strict=True):
        check_content(running, path, pull(REPOSITORY), expected)
    listed = running.folder / "storm"
    listed.write_text("\n".join(paths) + "\n")
    storm(running, listed, len(paths), WARM_SECONDS)
    return lambda: storm(running, listed, len(paths), plan.seconds)


def image_paths(image: Image) -> list[str]:
    """What a client asks for, one after the other: the tag, the configuration, the layers."""
    return [manifest_path(TAG), *(blob_path(digest_of(blob)) for blob in image.blobs)]


def storm(running: Running, listed: Path, requests: int, seconds: float) -> Sample:
    headers = bearer(running.tokens, pull(REPOSITORY)) | {"Accept": MANIFEST}
    load = Load(running.url, STORM_CLIENTS, 2, seconds, headers, "cycle.lua", (str(listed),))
    with Meter(pids(running)) as meter:
        outcome = run_wrk(load).checked()
    images = outcome.requests / requests
    latencies = {f"p{at}_ms": value for at, value in outcome.latency_ms.items()}
    return Sample({"rate": images / outcome.seconds, **latencies, **meter.metrics(images)})


ROWS: Final = (
    read_row("manifest", "manifest GET by tag, token, TLS, 16 connections", manifest_by_tag, EVERYBODY),
    read_row(
        "manifest-postgresql",
        "manifest GET by tag, Entrepot on PostgreSQL",
        manifest_by_tag,
        (OURS_ON_POSTGRESQL, DISTRIBUTION_3, DISTRIBUTION_2),
    ),
    read_row("manifest-digest", "manifest GET by digest", manifest_by_digest, EVERYBODY),
    read_row("blob-small", "blob GET of 2 KiB", small_blob, EVERYBODY),
    Row("storm", "pull storm: one image of 4 MiB, 64 clients", Metric("rate", "images/s"), EVERYBODY, prepare_storm),
)
