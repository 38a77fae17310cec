"""Files that no manifest names, on every content store."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from tests.contract.content.backends import content
from tests.integration.retention.world import WAITS, World, opened_world
from tests.invariants import assert_consistent
from tests.registry import prepared_sqlite, settings_for

from entrepot.catalog.files import queries as files
from entrepot.catalog.files.keep import keep
from entrepot.catalog.files.model import NewFile
from entrepot.content.model import ContentStore

MIB = 1024 * 1024
DAY = timedelta(days=1)


@pytest.fixture
def world(store: ContentStore, tmp_path: Path) -> Iterator[World]:
    with opened_world(settings_for(prepared_sqlite(tmp_path / "data"))) as world:
        yield replace(world, store=store)


@pytest.mark.parametrize("blocks", [1, 3])
def test_a_file_is_kept_read_in_ranges_and_removed(world: World, monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    length = 18 * MIB + 5
    monkeypatch.setattr("entrepot.catalog.files.keep.BLOCK", length // blocks)
    new = NewFile(uuid4().hex, world.registry, world.clock(), world.clock() + DAY)
    chunks = (content(start, min(start + MIB, length)) for start in range(0, length, MIB))
    assert keep(world.database, world.store, new, chunks) == length
    file = world.database.read(files.find_file, new.id)
    assert file is not None
    assert len(file.pieces) == blocks
    for start, stop in ((0, length), (0, 1), (5 * MIB - 3, 13 * MIB + 7), (length - 1, length)):
        assert b"".join(world.store.read(file.pieces, start, stop)) == content(start, stop)
    assert_consistent(world.database, world.store)
    world.clock.advance(DAY)
    assert world.collect().files == 1
    world.clock.advance(WAITS.retired)
    assert world.collect().freed_bytes == length
    assert world.files() == set()
