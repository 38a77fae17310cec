"""Collection beside a backup that is under way."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from tests.integration.retention.world import CONFIG, WAITS, World, opened_world
from tests.invariants import assert_clean
from tests.registry import settings_for

from entrepot.app.backup import Copied, back_up
from entrepot.app.parts import open_content
from entrepot.app.restore import restore
from entrepot.catalog.files import queries as files
from entrepot.catalog.files.blocks import begin_block
from entrepot.catalog.files.keep import keep
from entrepot.catalog.files.model import NewBlock, NewFile
from entrepot.db.dump import dumped_tables
from entrepot.db.task_tables import kept_block
from entrepot.oci.digest import Digest
from entrepot.settings import Settings

LAYERS = [bytes([number]) * 100 for number in range(5)]


def test_what_is_deleted_while_a_backup_is_at_work_is_in_it_and_goes_afterwards(
    world: World, settings: Settings, tmp_path: Path
):
    world.clock.advance(-timedelta(days=2))
    image = world.push_image("app", CONFIG, *LAYERS)
    world.clock.advance(timedelta(days=2))

    def delete_and_collect(so_far: Copied) -> None:
        """At the first blob; those after it are still to be read."""
        if so_far.blobs == 1:
            world.delete_manifest("app", image)
            for wait in (timedelta(0), WAITS.condemned, WAITS.retired):
                world.clock.advance(wait)
                world.collect()
            assert world.find("app", Digest.of(LAYERS[-1])) is None

    copied = back_up(settings, tmp_path / "backup", delete_and_collect)
    assert (copied.blobs, copied.damaged) == (len(LAYERS) + 1, [])
    restored = settings_for(tmp_path / "restored")
    restore(restored, tmp_path / "backup", lambda _: None)
    assert assert_clean(restored).manifests == 1
    world.collect()
    assert world.files() == set()


def test_no_row_of_a_backup_needs_one_that_stays_behind() -> None:
    dumped = dumped_tables()
    needed = {key.column.table for table in dumped for key in table.foreign_keys}
    assert needed <= set(dumped)


# --- files that no manifest names -------------------------------------------------------------------------------------


def kept(world: World, chunks: Iterable[bytes]) -> str:
    new = NewFile(uuid4().hex, world.registry, world.clock(), None)
    keep(world.database, world.store, new, chunks)
    return new.id


def content_of(world: World, file_id: str) -> bytes | None:
    file = world.database.read(files.find_file, file_id)
    return None if file is None else b"".join(world.store.read(file.pieces, 0, file.length))


def ignore(_copied: Copied) -> None:
    """Nobody looks at the progress."""


def test_files_come_back_with_their_bytes_and_what_was_coming_in_does_not(
    world: World, settings: Settings, tmp_path: Path
):
    log, empty = kept(world, [b"a log, ", b"archived"]), kept(world, [])
    world.database.write(begin_block, NewBlock(uuid4().hex, log, "coming in", 5), 100)
    copied = back_up(settings, tmp_path / "backup", ignore)
    assert (copied.blobs, copied.damaged) == (1, [])
    restored = settings_for(tmp_path / "restored")
    restore(restored, tmp_path / "backup", ignore)
    with opened_world(restored) as there:
        assert content_of(there, log) == b"a log, archived"
        assert content_of(there, empty) == b""
        assert there.database.read(files.open_sessions, log) == []
        assert there.sweep().extra == 0
    assert assert_clean(restored).files == 1


def test_a_file_whose_bytes_were_lost_is_not_there_after_a_restore(world: World, settings: Settings, tmp_path: Path):
    lost, sound = kept(world, [b"lost"]), kept(world, [b"sound"])
    (session,) = world.database.read(
        lambda tx: tx.execute(kept_block.select().where(kept_block.c.file_id == lost)).scalars().all()
    )
    (key,) = [key for key in world.files() if session in key]
    world.store.delete(key)
    digest = str(Digest.of(b"lost"))
    assert back_up(settings, tmp_path / "backup", ignore).damaged == [digest]
    restored = settings_for(tmp_path / "restored")
    assert restore(restored, tmp_path / "backup", ignore).damaged == [digest]
    with opened_world(restored) as there:
        assert content_of(there, lost) is None
        assert content_of(there, sound) == b"sound"
    assert_clean(restored)


def test_a_restore_that_was_cut_while_it_wrote_a_file_goes_on(world: World, settings: Settings, tmp_path: Path):
    log = kept(world, [b"a log"])
    back_up(settings, tmp_path / "backup", ignore)
    (session,) = world.database.read(lambda tx: tx.execute(kept_block.select()).scalars().all())
    restored = settings_for(tmp_path / "restored")
    half = open_content(restored).appender(session, (), 0)
    half.write(b"a l")
    half.seal()
    restore(restored, tmp_path / "backup", ignore)
    with opened_world(restored) as there:
        assert content_of(there, log) == b"a log"
    assert_clean(restored)
