"""Plans of many tags: pages of an index, in memory that does not grow with them."""

import time
import tracemalloc
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Select, insert, select
from tests.integration.retention.purging.shelf import Shelf
from tests.registry import Registry

from entrepot.db.tables import manifest, tag
from entrepot.retention.purging.model import Position, Reason, Selection
from entrepot.retention.purging.queries import TAG_PAGE
from entrepot.retention.purging.rules import terms_of
from entrepot.retention.purging.walk import Walk

TAGS = 100_000


@pytest.fixture
def catalog_settings(sqlite_settings: dict[str, Any]) -> dict[str, Any]:
    """On SQLite alone: to make so many rows takes longer than what is tested."""
    return sqlite_settings


def multiply_tags(tx: Connection, digest: str, count: int) -> None:
    """As many more tags, each with a manifest of its own, a second apart."""
    row = tx.execute(select(manifest).where(manifest.c.digest == digest)).one()._asdict()
    named = tx.execute(select(tag)).one()._asdict()
    first, at = row.pop("id") + 1, named["updated_at"]
    del named["id"]
    for begin in range(0, count, 10_000):
        numbers = range(begin, begin + 10_000)
        made = [{**row, "id": first + each, "digest": f"sha256:{each:064x}"} for each in numbers]
        tx.execute(insert(manifest), made)
        changed = [
            {"name": f"t{each}", "manifest_id": first + each, "updated_at": at - timedelta(seconds=each)}
            for each in numbers
        ]
        tx.execute(insert(tag), [{**named, **each} for each in changed])


def plan(shelf: Shelf, *, untagged: bool) -> Counter[Reason]:
    """Of everything older than half a day, but for the ten newest."""
    asked = Selection(filters=["app:t.*", "(a+)+b:(a+)+b"], older_than="12h", keep=10, untagged=untagged)
    walk, found = Walk(shelf.registry, terms_of(asked, shelf.now), Position()), Counter[Reason]()
    while (page := shelf.database.read(walk.step, 500)) is not None:
        found.update(each.reason for each in page)
    return found


@pytest.mark.timeout(300)
async def test_a_hundred_thousand_tags_are_planned_in_seconds_and_little_memory(
    registry: Registry, shelf: Shelf
) -> None:
    digest = shelf.image("app", "v1")
    registry.query(lambda tx: multiply_tags(tx, digest, TAGS))
    started = time.process_time()
    found = plan(shelf, untagged=False)
    seconds = time.process_time() - started
    half_a_day = 12 * 3600
    due = TAGS - half_a_day - 1 - 10
    assert found[Reason.DUE] == due
    assert found[Reason.NEWEST] == 10
    assert seconds < 30
    started = time.process_time()
    # The first of all manifests has another age: what was multiplied is as young as the first.
    assert plan(shelf, untagged=True)[Reason.RECENT] >= due
    with_manifests = time.process_time() - started
    assert with_manifests < 120
    tracemalloc.start()
    try:
        walk = Walk(shelf.registry, terms_of(Selection(filters=[".*:.*"], older_than="1h"), shelf.now), Position())
        for _ in range(100):
            shelf.database.read(walk.step, 500)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


async def test_a_page_of_tags_is_a_range_of_an_index(registry: Registry) -> None:
    steps = explained(registry, TAG_PAGE)
    assert any("(repository_id=? AND updated_at<?)" in step for step in steps)
    assert [step for step in steps if step.startswith("SCAN")] == []


def explained(registry: Registry, page: Select) -> list[str]:
    compiled = page.compile(dialect=registry.database.engine.dialect)
    values = tuple(1 for _ in compiled.positiontup or ())
    rows = registry.database.read(lambda tx: tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values).all())
    return [row[3] for row in rows]
