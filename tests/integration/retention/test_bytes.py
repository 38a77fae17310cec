from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.retention.world import CONFIG, WAITS, World
from tests.invariants import assert_consistent

from entrepot.app.queries import delete_hold, insert_hold
from entrepot.catalog.blobs.queries import retire
from entrepot.content.folder import FolderStore
from entrepot.errors import Kind, Problem
from entrepot.oci.digest import Digest

LAYER = b"a layer" * 100
SECOND = timedelta(seconds=1)


@pytest.fixture
def deleted(world: World) -> Digest:
    """A blob that the catalog no longer knows and whose file is there."""
    digest = world.push_blob("app", LAYER)
    world.delete_blob("app", digest)
    world.clock.advance(WAITS.unlinked)
    assert world.collect().deleted == 1
    return digest


def test_the_file_of_a_deleted_blob_stays_for_downloads_under_way(world: World, deleted: Digest):
    world.clock.advance(WAITS.retired - SECOND)
    assert not world.collect()
    assert len(world.files()) == 1
    world.clock.advance(SECOND)
    assert world.collect().freed_bytes == len(LAYER)
    assert world.files() == set()


def test_a_digest_pushed_again_before_its_old_file_goes_has_a_file_of_its_own(world: World, deleted: Digest):
    world.push_image("app", CONFIG, LAYER)
    world.clock.advance(WAITS.retired)
    assert world.collect().freed == 1
    assert world.get("app", deleted) == LAYER
    assert_consistent(world.database, world.store)


def test_the_second_copy_of_a_blob_goes_and_the_first_stays(world: World):
    world.push_image("one", CONFIG, LAYER)
    world.push_image("two", CONFIG, LAYER)
    assert world.collect().freed == 2
    assert world.get("two", Digest.of(LAYER)) == LAYER


def test_no_file_goes_while_a_backup_holds_them(world: World, deleted: Digest):
    world.database.write(insert_hold, "a backup", "backup", world.clock() + timedelta(days=1))
    world.clock.advance(WAITS.retired)
    assert not world.collect()
    world.database.write(delete_hold, "a backup")
    assert world.collect().freed == 1


def test_a_backup_that_died_holds_files_only_until_its_hold_ends(world: World, deleted: Digest):
    world.database.write(insert_hold, "a backup", "backup", world.clock() + timedelta(days=1))
    world.clock.advance(timedelta(days=1))
    assert world.collect().freed == 1


def test_bytes_that_a_blob_lies_under_are_never_removed_though_they_are_queued(world: World):
    world.push_image("app", CONFIG, LAYER)
    found = world.find("app", Digest.of(LAYER))
    assert found is not None
    world.database.write(retire, found[0].pieces, world.clock())
    assert world.collect_fully().freed == 0
    assert world.get("app", Digest.of(LAYER)) == LAYER
    assert_consistent(world.database, world.store)


@dataclass
class Stubborn:
    """A folder that does not let go of some keys."""

    folder: FolderStore
    kept: set[str]

    def __getattr__(self, name: str):  # noqa: ANN204  the folder's own
        return getattr(self.folder, name)

    def delete(self, key: str) -> None:
        if key in self.kept:
            raise Problem(Kind.STORAGE_UNAVAILABLE, errno="EPERM")
        self.folder.delete(key)


def test_a_file_that_cannot_be_removed_holds_up_no_other_and_is_tried_again(world: World, tmp_path: Path):
    folder = world.store
    assert isinstance(folder, FolderStore)
    for content in (b"one", b"two"):
        world.delete_blob("app", world.push_blob("app", content))
    world.clock.advance(WAITS.unlinked)
    world.collect()
    stubborn = Stubborn(folder, {next(iter(world.files()))})
    world.clock.advance(WAITS.retired)
    done = replace(world, store=stubborn).collect()
    assert (done.freed, done.stuck) == (1, 1)
    world.clock.advance(timedelta(hours=1))
    assert world.collect().freed == 1
    assert world.files() == set()
