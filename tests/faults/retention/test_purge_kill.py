"""SIGKILL of the worker in the middle of a purge: another goes on, everything goes once, and the counts are exact."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.integration.retention.purging.shelf import Shelf
from tests.integration.rows import events_of
from tests.management import management
from tests.registry import (
    Registry,
    postgres_catalog,
    prepared_postgres,
    prepared_sqlite,
    settings_for,
    sqlite_catalog,
    started,
)
from tests.services import postgres

PROGRAM = Path(__file__).with_name("program.py")
TAGS = 60


@pytest.fixture(params=["sqlite", "postgres"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    if request.param == "sqlite":
        with sqlite_catalog(prepared_sqlite(tmp_path / "template"), tmp_path / "data"):
            yield {}
    else:
        with postgres() as url, postgres_catalog(prepared_postgres(url, tmp_path / "template")) as copy:
            yield {"database_url": SecretStr(copy)}


@contextmanager
def worker(registry: Registry, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    url = registry.settings.database_url
    command = [sys.executable, str(PROGRAM), url.get_secret_value() if url else "", str(registry.settings.data_dir)]
    root = Path(__file__).parents[3]
    with log.open("ab") as told, subprocess.Popen(command, stdout=told, stderr=told, cwd=root) as process:
        try:
            yield process
        finally:
            process.kill()


def said(log: Path) -> str:
    return log.read_text()


async def left_at_most(shelf: Shelf, tags: int, log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + 60
    while len(shelf.tags("app")) > tags:
        assert asyncio.get_running_loop().time() < deadline, said(log)
        await asyncio.sleep(0.02)


@pytest.mark.timeout(240)
async def test_a_purge_goes_on_after_its_worker_was_killed(catalog: dict[str, Any], tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with started(settings_for(tmp_path / "data", **catalog)) as registry:
        shelf = Shelf.of(registry)
        for number in range(TAGS):
            shelf.image("app", f"v{number}", days=60)
        kept = shelf.image("app", "new", days=1)
        arm = await management(registry)
        path = f"{arm.registry()}/purgeRules/rule"
        rule = {"filters": ["app:.*"], "olderThan": "P30D", "untagged": True, "maxShare": 100}
        assert (await arm.put(path, {"properties": rule})).status == 201
        assert (await arm.post(f"{path}/run")).status == 202
        for left in (45, 20):
            with worker(registry, log):
                await left_at_most(shelf, left, log)
        with worker(registry, log):
            deadline = asyncio.get_running_loop().time() + 90
            while (last := (await arm.get(path)).json()["properties"]["lastRun"]) is None:
                assert asyncio.get_running_loop().time() < deadline, said(log)
                await asyncio.sleep(0.1)
        assert (last["status"], last["deletedTags"], last["deletedManifests"]) == ("Succeeded", TAGS, TAGS)
        assert last["kept"] == {"updatedRecently": 1}
        assert (shelf.tags("app"), shelf.manifests("app")) == (["new"], {kept})
        told = Counter(row.action for row in registry.query(lambda tx: events_of(tx, "app")))
        assert told == {"push": TAGS + 1, "untag": TAGS, "delete": TAGS}
