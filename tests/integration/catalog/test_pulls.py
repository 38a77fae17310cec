"""When a manifest was pulled last: gathered by the worker, so that a pull writes nothing (DESIGN D13)."""

from datetime import datetime

from sqlalchemy import Connection, select
from tests.content import an_image
from tests.registry import FakeClock, started

from entrepot.db.tables import manifest
from entrepot.settings import Settings

IMAGE = an_image()


def last_pulled(tx: Connection) -> datetime | None:
    return tx.execute(select(manifest.c.last_pulled_at).where(manifest.c.digest == IMAGE.digest)).scalar_one()


async def test_a_worker_that_ends_writes_down_what_was_pulled(settings: Settings, clock: FakeClock) -> None:
    async with started(settings, clock) as registry:
        app = registry.repository("app")
        await app.push(IMAGE, "v1")
        clock.advance(hours=1)
        await app.manifest("v1")
        assert registry.query(last_pulled) is None
        pulled = clock.now
    async with started(settings, clock) as registry:
        assert registry.query(last_pulled) == pulled


async def test_a_head_is_no_pull(settings: Settings, clock: FakeClock) -> None:
    async with started(settings, clock) as registry:
        await registry.repository("app").push(IMAGE, "v1")
        await registry.http.head("/v2/app/manifests/v1")
    async with started(settings, clock) as registry:
        assert registry.query(last_pulled) is None


async def test_a_later_pull_is_not_undone_by_an_earlier_one_that_is_flushed_late(
    settings: Settings, clock: FakeClock
) -> None:
    async with started(settings, clock) as early:
        await early.repository("app").push(IMAGE, "v1")
        await early.repository("app").manifest("v1")
        clock.advance(hours=1)
        async with started(settings, clock) as late:
            await late.repository("app").manifest("v1")
        pulled = clock.now
    async with started(settings, clock) as registry:
        assert registry.query(last_pulled) == pulled
