from datetime import timedelta

import pytest
from sqlalchemy import func, select
from tests.integration.retention.world import CONFIG, WAITS, World
from tests.invariants import assert_consistent

from entrepot.db.tables import event, repository, tag_history
from entrepot.errors import Kind, Problem
from entrepot.oci.digest import Digest

LAYER = b"a layer" * 100
SECOND = timedelta(seconds=1)


# --- uploads ----------------------------------------------------------------------------------------------------------


def test_an_upload_that_sends_nothing_for_long_ends_and_its_bytes_go(world: World):
    session = world.start_upload("app", LAYER)
    world.clock.advance(WAITS.upload + SECOND)
    done = world.collect()
    assert (done.uploads, done.freed_bytes) == (1, len(LAYER))
    assert world.files() == set()
    with pytest.raises(Problem) as refused:
        world.close_upload(session, LAYER)
    assert refused.value.kind is Kind.UPLOAD_OUT_OF_ORDER


def test_an_upload_that_never_sent_a_byte_ends_too(world: World):
    world.start_upload("app", b"")
    world.clock.advance(WAITS.upload + SECOND)
    assert world.collect().uploads == 1


def test_an_upload_goes_on_while_it_is_younger_than_that(world: World):
    session = world.start_upload("app", LAYER)
    world.clock.advance(WAITS.upload)
    assert not world.collect()
    world.close_upload(session, LAYER)


def test_one_long_request_keeps_its_upload_though_nothing_touches_the_row(world: World):
    world.clock.advance(-WAITS.upload)
    session = world.start_upload("app", LAYER)  # its file is written now, by the real clock
    world.clock.advance(WAITS.upload + SECOND)
    assert world.collect().uploads == 0
    world.close_upload(session, LAYER)
    world.clock.advance(WAITS.upload)
    assert_consistent(world.database, world.store)


# --- what crashes leave behind ----------------------------------------------------------------------------------------


def committed_but_unknown(world: World, content: bytes) -> None:
    """A crash between the rename and the catalog's commit, and the client never came back."""
    session = world.start_upload("app", content)
    world.store.commit(session.id, Digest.of(content), len(content), ())


@pytest.fixture
def kept(world: World) -> Digest:
    """Something that the catalog knows: a sweep that knows nothing does nothing."""
    world.push_image("kept", CONFIG, b"kept")
    return Digest.of(b"kept")


def test_bytes_that_never_reached_the_catalog_stay_while_their_upload_is_open(world: World, kept: Digest):
    committed_but_unknown(world, LAYER)
    assert world.sweep().extra == 0


def test_bytes_that_never_reached_the_catalog_go_after_their_upload(world: World, kept: Digest):
    committed_but_unknown(world, LAYER)
    world.clock.advance(WAITS.upload + SECOND)
    assert world.collect().uploads == 1
    assert world.sweep().extra == 1
    assert len(world.files()) == 3
    world.clock.advance(WAITS.retired)
    assert world.collect().freed_bytes == len(LAYER)
    assert world.get("kept", kept) == b"kept"
    assert_consistent(world.database, world.store)


def test_staged_bytes_without_an_upload_go_when_they_are_old(world: World, kept: Digest):
    appender = world.store.appender("f" * 32, (), 0)
    appender.write(LAYER)
    appender.seal()
    assert world.sweep().extra == 0
    world.clock.advance(WAITS.upload + SECOND)
    assert world.sweep().extra == 1
    world.clock.advance(WAITS.retired)
    assert world.collect().freed == 1


def test_a_sweep_that_finds_most_of_the_store_unknown_touches_nothing(world: World, kept: Digest):
    for number in range(11):
        appender = world.store.appender(f"{number:032x}"[::-1], (), 0)
        appender.write(LAYER)
        appender.seal()
    world.clock.advance(WAITS.upload + SECOND)
    assert world.sweep().extra == 0


def test_a_sweep_with_an_empty_catalog_touches_nothing(world: World):
    committed_but_unknown(world, LAYER)
    world.clock.advance(WAITS.upload + SECOND)
    world.collect()
    assert world.sweep().extra == 0


# --- empty repositories -----------------------------------------------------------------------------------------------


def repositories(world: World) -> list[str]:
    statement = select(repository.c.name).order_by(repository.c.name)
    return world.database.read(lambda tx: list(tx.execute(statement).scalars()))


def count(world: World, table) -> int:
    return world.database.read(lambda tx: tx.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.fixture
def emptied(world: World) -> None:
    """The repository ``emptied``, in which nothing is any more, and a newer one."""
    image = world.push_image("emptied", CONFIG, LAYER)
    world.push_image("newer", CONFIG)
    world.delete_manifest("emptied", image)
    world.collect_fully()


@pytest.mark.usefixtures("emptied")
def test_a_repository_in_which_nothing_is_goes_with_its_history_and_its_events_stay(world: World):
    assert world.sweep().repositories == 1
    assert repositories(world) == ["newer"]
    assert count(world, tag_history) == 0
    assert count(world, event) == 3
    assert_consistent(world.database, world.store)


@pytest.mark.usefixtures("emptied")
def test_an_empty_repository_stays_for_a_while(world: World):
    world.clock.now -= timedelta(days=3)
    assert world.sweep().repositories == 0


@pytest.mark.usefixtures("emptied")
def test_an_empty_repository_with_an_upload_under_way_stays(world: World):
    world.start_upload("emptied", LAYER)
    assert world.sweep().repositories == 0


@pytest.mark.usefixtures("emptied")
def test_a_locked_repository_stays_though_it_is_empty(world: World):
    lock = repository.update().where(repository.c.name == "emptied").values(write_enabled=False)
    world.database.write(lambda tx: tx.execute(lock))
    assert world.sweep().repositories == 0


def test_events_of_a_new_repository_never_meet_those_of_one_that_went(world: World):
    world.delete_manifest("app", world.push_image("app", CONFIG))
    world.collect_fully()
    world.sweep()
    world.push_image("next", CONFIG)
    world.sweep()
    world.push_image("app", CONFIG)
    assert repositories(world) == ["app", "next"]
