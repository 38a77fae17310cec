"""Job workers are killed while a deleted repository is told of and emptied, and while what was kept expires."""

import json
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Connection, func, select, update
from tests.content import an_image
from tests.faults.deletion.program import work
from tests.integration.rows import bytes_used, multiply_manifest, recounted_bytes
from tests.invariants import assert_clean
from tests.registry import Registry
from tests.services import wait_until

from entrepot.db.tables import event, manifest, repository
from entrepot.db.tables import registry as registry_table
from entrepot.db.tables import worker as worker_table

KILLS = int(os.environ.get("FAULT_KILLS", "3"))
MANIFESTS = 3000
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.faults.deletion.program"])

pytestmark = pytest.mark.timeout(180 + 20 * KILLS)


@contextmanager
def working(registry: Registry) -> Iterator[None]:
    """A job worker that is killed with the block; nobody waits to find out that it is dead."""
    url = registry.settings.database_url
    process = PROCESSES.Process(target=work, args=(registry.settings.data_dir, url.get_secret_value() if url else None))
    process.start()
    try:
        yield
        assert process.is_alive(), (registry.settings.data_dir / "worker.log").read_text()
    finally:
        process.kill()
        process.join(20)
    registry.query(lambda tx: tx.execute(worker_table.delete()))


def left(registry: Registry) -> int:
    return registry.database.read(lambda tx: tx.execute(select(func.count()).select_from(manifest)).scalar_one())


def told(tx: Connection) -> list[str]:
    bodies = tx.execute(select(event.c.body).where(event.c.action == "delete_manifests")).scalars()
    return [known["digest"] for body in bodies for known in json.loads(body)["manifests"]]


def killed_until(registry: Registry, done: Callable[[], bool], progress: Callable[[], int]) -> None:
    """Kill a worker again and again a moment after it went on, then let one work to the end."""
    chance = random.Random(7)
    for _ in range(KILLS):
        before = progress()
        with working(registry):
            wait_until(lambda before=before: progress() != before or done(), "the worker went on")
            time.sleep(chance.random() / 20)  # where it dies is left to chance
    with working(registry):
        wait_until(done, "a worker came to the end")


async def fill(registry: Registry) -> int:
    """A repository of so many manifests; its bytes."""
    image = an_image()
    await registry.repository("app").push(image, "v1")
    registry.query(multiply_manifest, image.digest, MANIFESTS - 1)
    size = len(image.body) * (MANIFESTS - 1)

    def count(tx: Connection) -> None:
        tx.execute(update(repository).values(manifest_count=MANIFESTS))
        tx.execute(update(registry_table).values(bytes_used=registry_table.c.bytes_used + size))

    registry.query(count)
    return registry.query(bytes_used)


def assert_sound(registry: Registry) -> None:
    assert registry.query(bytes_used) == registry.query(recounted_bytes)
    assert_clean(registry.settings)


async def test_a_deleted_repository_is_told_of_once_and_emptied_whoever_dies(registry: Registry) -> None:
    await fill(registry)
    gone = (await registry.http.delete("/acr/v1/app")).json()
    assert gone["manifestCount"] == MANIFESTS
    assert_sound(registry)

    def progress() -> int:
        return left(registry) - len(registry.query(told))

    killed_until(registry, lambda: left(registry) == 0, progress)
    assert sorted(registry.query(told)) == sorted(set(registry.query(told)))
    assert len(registry.query(told)) == MANIFESTS
    assert_sound(registry)


async def test_what_was_kept_long_enough_goes_whoever_dies(registry: Registry) -> None:
    await fill(registry)
    old = registry.clock.now - timedelta(days=8)

    def delete(tx: Connection) -> None:
        tx.execute(update(manifest).where(manifest.c.digest.like("sha256:0000%")).values(deleted_at=old))
        deleted = select(func.count()).where(manifest.c.deleted_at.is_not(None)).scalar_subquery()
        tx.execute(update(repository).values(manifest_count=repository.c.manifest_count - deleted))

    registry.query(delete)
    killed_until(registry, lambda: left(registry) == 1, lambda: left(registry))
    assert (await registry.repository("app").manifest("v1")).status == 200
    assert_sound(registry)
