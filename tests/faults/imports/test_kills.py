"""An import from Debian's docker-registry whose worker is killed at random. FAULT_KILLS sets how often."""

import multiprocessing
import os
import random
import re
from collections.abc import AsyncIterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from tests.content import an_image
from tests.distribution import PASSWORD, USER, distribution
from tests.faults.here import settings_on, until
from tests.faults.imports.program import bring
from tests.integration.registries.imports.conftest import result
from tests.management import management
from tests.outside import Authority, authority
from tests.registry import Registry, started
from tests.services import log_of

from entrepot.db.tables import blob, repository_blob

KILLS = int(os.environ.get("FAULT_KILLS", "3"))
# Blobs for a few more kills than there are.
LAYERS, LAYER_BYTES = 4 * KILLS + 10, 1_500_000
_ASKED = re.compile(r'"GET /v2/team/app/blobs/(sha256:[0-9a-f]{64}) HTTP')
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.faults.imports.program"])


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return authority(tmp_path, "127.0.0.1")


@pytest.fixture(params=("sqlite", "postgres"))
async def registry(request: pytest.FixtureRequest, tmp_path: Path, ca: Authority) -> AsyncIterator[Registry]:
    outside = {"outbound_allow": ("127.0.0.1",), "outbound_ca_file": ca.ca_file}
    with settings_on(request.param, tmp_path, **outside) as settings:
        async with started(settings) as made:
            yield made


def a_worker(registry: Registry, folder: Path) -> ForkServerProcess:
    process = PROCESSES.Process(target=bring, args=(registry.settings, folder / "log"))
    process.start()
    return process


def linked(tx: Connection) -> set[str]:
    return set(tx.execute(select(blob.c.digest).join_from(repository_blob, blob)).scalars())


@pytest.mark.timeout(240 + 15 * KILLS)
async def test_an_import_goes_on_blob_by_blob_whenever_its_worker_is_killed(
    registry: Registry, ca: Authority, tmp_path: Path
) -> None:
    arm, image, chance = await management(registry), an_image(layers=LAYERS, size=LAYER_BYTES), random.Random(KILLS)
    with distribution(tmp_path / "source", ca) as source:
        source.push("team/app", image, "v1")
        log = log_of(tmp_path / "source")
        before = len(log.read_text())

        def asked() -> list[str]:
            """The blobs that were asked for so far, as the source's own log tells."""
            return _ASKED.findall(log.read_text()[before:])

        credentials = {"username": USER, "password": PASSWORD}
        where = {"registryUri": source.place, "sourceImage": "team/app:v1", "credentials": credentials}
        accepted = await arm.post(f"{arm.registry()}/importImage", {"source": where, "targetTags": ["app:v1"]})
        assert accepted.status == 202, accepted.body
        worker = a_worker(registry, tmp_path)
        came: list[tuple[int, set[str]]] = []
        try:
            for _ in range(KILLS):
                more = len(asked()) + chance.randint(1, 3)
                await until(lambda more=more: len(asked()) >= more, "more blobs are asked for")
                worker.kill()
                worker.join()
                here = registry.query(linked)
                await until(lambda here=here: here <= set(asked()), "the source has logged them")
                came.append((len(asked()), here))
                worker = a_worker(registry, tmp_path)
            ended = await result(arm, accepted, 120.0)
        finally:
            worker.kill()
            worker.join()
        assert ended.status == 200, ended.body
        for number, here in came:
            assert here.isdisjoint(asked()[number:])
    assert (came[0][1] < came[-1][1]) if KILLS > 1 else came
    app = registry.repository("app")
    assert (await app.manifest("v1")).body == image.body
    for digest, content in image.blobs.items():
        assert (await app.blob(digest)).body == content
