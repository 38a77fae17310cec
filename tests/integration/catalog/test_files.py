"""Files that no manifest names: how they come in, and that collection, check and deletion know them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from tests.contract.content.backends import open_backend
from tests.integration.retention.world import WAITS, World, never, opened_world
from tests.invariants import assert_consistent

from entrepot.catalog.blobs.queries import retire
from entrepot.catalog.files import keep as keeping
from entrepot.catalog.files import queries as files
from entrepot.catalog.files.blocks import (
    begin_block,
    begin_file,
    commit_blocks,
    finish_block,
    remove_files_of,
)
from entrepot.catalog.files.keep import keep, settle
from entrepot.catalog.files.model import KeptFile, Listed, NewBlock, NewFile, Wanted
from entrepot.catalog.model import RegistryId
from entrepot.content.hashes import RunningHash
from entrepot.content.model import Piece
from entrepot.errors import Kind, Problem
from entrepot.oci.digest import ALGORITHMS, CANONICAL
from entrepot.retention.check.check import Check
from entrepot.retention.check.model import Fault
from entrepot.settings import Settings

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
LIMIT = 1000


@pytest.fixture(params=["folder", "bucket"])
def world(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[World]:
    """On a folder, and on an object store."""
    with opened_world(settings) as world:
        yield world if request.param == "folder" else replace(world, store=open_backend(f"local:{tmp_path}"))


@pytest.fixture
def in_folder(settings: Settings) -> Iterator[World]:
    with opened_world(settings) as world:
        yield world


def begun(world: World, lives: timedelta | None = DAY) -> str:
    file_id = uuid4().hex
    expires = None if lives is None else world.clock() + lives
    world.database.write(begin_file, NewFile(file_id, world.registry, world.clock(), expires))
    return file_id


def start(world: World, file_id: str, name: str, length: int) -> NewBlock:
    block = NewBlock(uuid4().hex, file_id, name, length)
    world.database.write(begin_block, block, LIMIT)
    return block


def send(world: World, block: NewBlock, content: bytes) -> None:
    running = RunningHash(ALGORITHMS[CANONICAL]())
    appender = world.store.appender(block.session, (), 0)
    appender.write(content)
    running.update(content)
    stored = settle(world.store, block, appender, running)
    world.database.write(finish_block, stored, world.clock() + WAITS.retired)


def put(world: World, file_id: str, name: str, content: bytes) -> None:
    send(world, start(world, file_id, name, len(content)), content)


def commit(world: World, file_id: str, *wanted: Wanted | str) -> int:
    listed = [Wanted(each) if isinstance(each, str) else each for each in wanted]
    return world.database.write(commit_blocks, file_id, listed, world.clock() + WAITS.retired)


def found(world: World, file_id: str) -> KeptFile | None:
    return world.database.read(files.find_file, file_id)


def content_of(world: World, file_id: str, start: int = 0, stop: int | None = None) -> bytes:
    file = found(world, file_id)
    assert file is not None
    return b"".join(world.store.read(file.pieces, start, file.length if stop is None else stop))


def kept(world: World, content: bytes, lives: timedelta | None = None) -> str:
    file_id = uuid4().hex
    expires = None if lives is None else world.clock() + lives
    keep(world.database, world.store, NewFile(file_id, world.registry, world.clock(), expires), [content])
    return file_id


def refusal(work: Callable[..., object], *args: object) -> Kind:
    with pytest.raises(Problem) as refused:
        work(*args)
    return refused.value.kind


# --- blocks -----------------------------------------------------------------------------------------------------------


def test_a_file_is_its_blocks_in_the_order_of_the_list(world: World):
    file_id = begun(world)
    for name in ("b", "a", "c"):
        put(world, file_id, name, name.encode() * 3)
    assert found(world, file_id) is None
    assert commit(world, file_id, "a", "b", "c") == 9
    assert content_of(world, file_id) == b"aaabbbccc"
    assert content_of(world, file_id, 2, 5) == b"abb"
    assert_consistent(world.database, world.store)


def test_the_same_list_again_changes_nothing(world: World):
    file_id = begun(world)
    put(world, file_id, "a", b"one")
    assert commit(world, file_id, "a") == commit(world, file_id, "a") == 3
    assert content_of(world, file_id) == b"one"


def test_a_block_that_came_again_replaces_the_first_whose_bytes_go(world: World):
    file_id = begun(world, None)
    put(world, file_id, "a", b"one")
    put(world, file_id, "a", b"second")
    commit(world, file_id, "a")
    world.clock.advance(WAITS.retired)
    assert world.collect().freed_bytes == 3
    assert content_of(world, file_id) == b"second"
    assert_consistent(world.database, world.store)


def test_what_the_list_leaves_out_goes(world: World):
    file_id = begun(world, None)
    put(world, file_id, "a", b"one")
    put(world, file_id, "b", b"three")
    commit(world, file_id, "b")
    world.clock.advance(WAITS.retired)
    assert world.collect().freed_bytes == 3
    assert content_of(world, file_id) == b"three"


def test_a_list_tells_blocks_in_their_places_from_new_ones(world: World):
    file_id = begun(world)
    put(world, file_id, "a", b"old")
    commit(world, file_id, "a")
    put(world, file_id, "a", b"new")
    commit(
        world,
        file_id,
        Wanted("a", Listed.COMMITTED),
        Wanted("a", Listed.UNCOMMITTED),
    )
    assert content_of(world, file_id) == b"oldnew"


@pytest.mark.parametrize("wanted", [["x"], ["a", "a"], ["a", "x"], [Wanted("a", Listed.COMMITTED)]], ids=str)
def test_a_list_with_a_block_that_is_not_there_or_twice_is_refused(world: World, wanted):
    file_id = begun(world)
    put(world, file_id, "a", b"one")
    assert refusal(commit, world, file_id, *wanted) is Kind.BLOB_UPLOAD_INVALID
    assert found(world, file_id) is None


def test_a_block_under_way_is_in_no_list(world: World):
    file_id = begun(world)
    start(world, file_id, "a", 3)
    assert refusal(commit, world, file_id, "a") is Kind.BLOB_UPLOAD_INVALID


def test_an_empty_list_and_an_empty_block_make_empty_files(world: World):
    for names in ([], ["a"]):
        file_id = begun(world)
        put(world, file_id, "a", b"")
        assert commit(world, file_id, *names) == 0
        assert content_of(world, file_id) == b""
    assert_consistent(world.database, world.store)


def test_the_later_attempt_at_a_block_counts_and_the_earlier_is_told(world: World):
    file_id = begun(world)
    first, second = start(world, file_id, "a", 3), start(world, file_id, "a", 3)
    send(world, second, b"two")
    assert refusal(send, world, first, b"one") is Kind.BLOB_UPLOAD_UNKNOWN
    commit(world, file_id, "a")
    assert content_of(world, file_id) == b"two"


def test_blocks_together_are_no_larger_than_the_limit_also_those_under_way(world: World):
    file_id = begun(world)
    put(world, file_id, "a", b"x" * 400)
    start(world, file_id, "b", 500)
    assert refusal(start, world, file_id, "c", 101) is Kind.UPLOAD_TOO_LARGE
    start(world, file_id, "c", 100)


def test_a_file_has_only_so_many_blocks_that_wait(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("entrepot.catalog.files.blocks.BLOCKS", 2)
    file_id = begun(world)
    put(world, file_id, "a", b"")
    start(world, file_id, "b", 0)
    assert refusal(start, world, file_id, "one more", 0) is Kind.UPLOADS_TOO_MANY


def test_a_registry_has_only_so_many_files_that_nobody_finished(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("entrepot.catalog.files.blocks.UNFINISHED", 2)
    begun(world)
    begun(world)
    assert refusal(begun, world) is Kind.UPLOADS_TOO_MANY


def test_nothing_goes_into_a_file_that_is_not_there(world: World):
    assert refusal(start, world, "f" * 32, "a", 1) is Kind.BLOB_UNKNOWN
    assert refusal(commit, world, "f" * 32) is Kind.BLOB_UNKNOWN


# --- written here -----------------------------------------------------------------------------------------------------


def test_a_file_that_is_written_here_stays_for_good_unless_it_expires(world: World):
    for_good, for_a_day = kept(world, b"an archived log"), kept(world, b"a log", DAY)
    world.clock.advance(DAY + SECOND)
    assert world.collect().files == 1
    assert content_of(world, for_good) == b"an archived log"
    assert found(world, for_a_day) is None
    world.clock.advance(WAITS.retired)
    assert world.collect().freed_bytes == len(b"a log")
    assert_consistent(world.database, world.store)


def test_a_long_file_is_written_in_several_blocks(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keeping, "BLOCK", 10)
    chunks = [b"%06d" % number for number in range(7)]
    new = NewFile(uuid4().hex, world.registry, world.clock(), None)
    assert keep(world.database, world.store, new, iter(chunks)) == 42
    file = found(world, new.id)
    assert file is not None
    assert [piece.length for piece in file.pieces] == [12, 12, 12, 6]
    assert content_of(world, new.id) == b"".join(chunks)


def test_a_file_without_a_byte_is_whole_too(world: World):
    new = NewFile(uuid4().hex, world.registry, world.clock(), None)
    assert keep(world.database, world.store, new, []) == 0
    assert content_of(world, new.id) == b""


def test_a_file_that_fails_midway_leaves_nothing_for_long(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keeping, "BLOCK", 4)

    def broken() -> Iterator[bytes]:
        yield b"first"
        yield b"half"[:2]
        raise OSError

    new = NewFile(uuid4().hex, world.registry, world.clock(), None)
    with pytest.raises(OSError):  # noqa: PT011  it is the one above
        keep(world.database, world.store, new, broken())
    assert found(world, new.id) is None
    world.clock.advance(DAY)
    assert world.collect().files == 1
    world.clock.advance(WAITS.retired)
    world.collect()
    assert world.files() == set()


# --- what becomes of them ---------------------------------------------------------------------------------------------


def test_an_upload_that_stopped_halfway_goes_with_what_came_of_it(world: World):
    kept(world, b"a log")
    file_id = begun(world, DAY)
    put(world, file_id, "a", b"one")
    half = start(world, file_id, "b", 100)
    appender = world.store.appender(half.session, (), 0)
    appender.write(b"half of it")
    appender.seal()
    world.clock.advance(DAY - SECOND)
    assert world.collect().files == 0
    world.clock.advance(SECOND)
    assert world.collect().files == 1
    for _ in range(2):  # what a bucket has of a block that never ended is found by the sweep
        world.clock.advance(WAITS.retired + SECOND)
        world.collect()
        world.sweep()
    assert len(world.files()) == 1
    assert refusal(put, world, file_id, "c", b"late") is Kind.BLOB_UNKNOWN


def test_a_file_whose_end_was_put_off_stays(world: World):
    file_id = kept(world, b"a log", DAY)
    world.database.write(files.set_expiry, file_id, world.clock() + 3 * DAY)
    world.clock.advance(2 * DAY)
    assert world.collect().files == 0
    assert content_of(world, file_id) == b"a log"


def test_the_sweep_takes_no_bytes_of_files_whole_or_under_way(world: World):
    kept(world, b"an old log")
    file_id = begun(world, 10 * DAY)
    put(world, file_id, "a", b"one")
    half = start(world, file_id, "b", 100)
    appender = world.store.appender(half.session, (), 0)
    appender.write(b"half of it")
    appender.seal()
    assert len(world.files()) == 3
    assert world.sweeper.extra_among(list(world.store.walk())) == []


def test_the_sweep_takes_bytes_whose_file_the_catalog_does_not_know(world: World):
    kept(world, b"a log")
    file_id = begun(world)
    block = start(world, file_id, "a", 3)
    appender = world.store.appender(block.session, (), 0)
    appender.write(b"one")
    settle(world.store, block, appender, RunningHash(ALGORITHMS[CANONICAL]()))
    world.database.write(files.drop_block, block.session)
    world.clock.advance(WAITS.upload + SECOND)
    assert world.sweeper.retire_extra(never).extra == 1


def test_files_of_a_registry_that_goes_leave_no_bytes(world: World):
    kept(world, b"a log")
    put(world, begun(world), "a", b"a source")
    assert world.database.write(remove_files_of, world.registry, 10, world.clock()) == 2
    assert world.database.write(remove_files_of, world.registry, 10, world.clock()) == 0
    world.collect()
    assert world.files() == set()


def test_files_of_another_registry_stay(world: World):
    file_id = kept(world, b"a log")
    assert world.database.write(remove_files_of, RegistryId(world.registry + 1), 10, world.clock()) == 0
    assert content_of(world, file_id) == b"a log"


# --- check ------------------------------------------------------------------------------------------------------------


def findings(world: World) -> list[tuple[Fault, str]]:
    check = Check(world.site(), 1_000_000_000)
    return [(finding.fault, finding.subject) for finding in check.findings()]


def test_a_check_tells_of_a_file_whose_bytes_are_missing(world: World):
    file_id = kept(world, b"a log")
    (key,) = world.files()
    world.store.delete(key)
    assert findings(world) == [(Fault.MISSING, f"file {file_id}")]


def test_a_check_tells_of_a_file_whose_bytes_are_wrong(in_folder: World):
    file_id = kept(in_folder, b"a log")
    file = found(in_folder, file_id)
    assert file is not None
    path = in_folder.store.local_path(file.pieces)
    assert path is not None
    path.write_bytes(b"a lie")
    assert findings(in_folder) == [(Fault.WRONG, f"file {file_id}")]


def test_a_check_tells_of_bytes_of_a_file_that_are_queued_to_be_removed_and_collection_spares_them(world: World):
    kept(world, b"a log")
    (key,) = world.files()
    world.database.write(retire, [Piece(world.store.name, key, 5)], world.clock())
    assert findings(world) == [(Fault.DOOMED, key)]
    world.collect()
    assert world.files() == {key}
