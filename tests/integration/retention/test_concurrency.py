"""Collection beside pushes: whoever comes first, no manifest ends up without a blob that its push was promised."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest
from sqlalchemy import Connection
from tests.integration.retention.world import CONFIG, WAITS, World, ignore, image_of, never
from tests.invariants import assert_consistent

from entrepot.catalog.blobs.commit import mount_blob
from entrepot.catalog.manifests.commit import Sparse, commit_manifest
from entrepot.catalog.manifests.delete import delete_manifest
from entrepot.catalog.uploads.finish import finish_upload
from entrepot.errors import Kind, Problem
from entrepot.oci.digest import Digest
from entrepot.retention.collect import _delete_unlinked, _review_links
from entrepot.retention.model import Tally

LAYER = b"a layer" * 100
Answer = Tally | bool | None
Work = Callable[[Connection], Answer]
# Long enough for a transaction that waits for nobody; one that waits goes on when the first has committed.
UNDISTURBED = 0.5
AT_LAST = 30.0


def interleave(world: World, first: Work, second: Work) -> tuple[Future[Answer], Future[Answer]]:
    """Run ``second`` while ``first`` has done its work and not committed yet."""
    did, may_commit = threading.Event(), threading.Event()

    def held(tx: Connection) -> Answer:
        try:
            return first(tx)
        finally:
            did.set()
            may_commit.wait(AT_LAST)

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(world.database.write, held)
        assert did.wait(AT_LAST)
        two = threads.submit(world.database.write, second)
        wait([two], UNDISTURBED)
        may_commit.set()
    return one, two


def reviewing(world: World) -> Work:
    return lambda tx: _review_links(tx, world.clock(), world.waits, 100)


def deleting(world: World) -> Work:
    return lambda tx: _delete_unlinked(tx, world.clock(), world.waits, 100)


def pushing(world: World) -> Work:
    """A manifest that names the layer; its config is there and needed."""
    body = image_of([Digest.of(CONFIG), Digest.of(LAYER)], [len(CONFIG), len(LAYER)])
    push = world.pushed("app", body, "latest")
    return lambda tx: commit_manifest(tx, push, Sparse.REFUSED)


def uploading(world: World) -> Work:
    session = world.start_upload("app", LAYER)
    digest = Digest.of(LAYER)
    pieces = world.store.commit(session.id, digest, len(LAYER), ())
    return lambda tx: finish_upload(tx, session, digest, pieces, world.grace())


def mounting(world: World) -> Work:
    return lambda tx: mount_blob(tx, world.place("app"), world.place("other"), Digest.of(LAYER), world.grace())


def due(world: World) -> None:
    """The layer's link is due to be condemned."""
    world.push_image("app", CONFIG, tag="config-only")
    world.push_blob("app", LAYER)
    world.clock.advance(WAITS.unlinked)


def doomed(world: World) -> None:
    """The layer's link is condemned and due to go."""
    due(world)
    assert world.collect().condemned == 1
    world.clock.advance(WAITS.condemned)


def unlinked(world: World) -> None:
    """The layer has no link any more, and is due to leave the catalog."""
    doomed(world)
    assert world.collector.review_links().unlinked == 1


STATES = pytest.mark.parametrize("reach", [due, doomed, unlinked])


def settled(world: World) -> None:
    """Whatever was said meanwhile, full collection leaves a registry in order."""
    world.collect_fully()
    assert_consistent(world.database, world.store)


@pytest.mark.parametrize("reach", [due, doomed])
def test_a_manifest_that_comes_before_a_review_saves_its_blob(reach: Callable[[World], None], world: World):
    reach(world)
    for done in interleave(world, pushing(world), reviewing(world)):
        done.result()
    settled(world)
    assert world.get("app", Digest.of(LAYER)) == LAYER
    assert world.head("app", Digest.of(LAYER))


def test_a_manifest_that_comes_while_its_blob_is_condemned_revives_it(world: World):
    due(world)
    for done in interleave(world, reviewing(world), pushing(world)):
        done.result()
    settled(world)
    assert world.head("app", Digest.of(LAYER))


def test_a_manifest_that_comes_while_its_blob_is_unlinked_is_refused(world: World):
    doomed(world)
    _, pushed = interleave(world, reviewing(world), pushing(world))
    with pytest.raises(Problem) as refused:
        pushed.result()
    assert refused.value.kind is Kind.MANIFEST_BLOB_UNKNOWN
    settled(world)
    assert world.get("app", Digest.of(LAYER)) is None


@STATES
@pytest.mark.parametrize("order", ["upload first", "collector first"])
@pytest.mark.parametrize("step", [reviewing, deleting])
def test_an_upload_wins_at_every_step_of_collection(
    reach: Callable[[World], None], order: str, step: Callable[[World], Work], world: World
):
    reach(world)
    works = [uploading(world), step(world)]
    for done in interleave(world, *(works if order == "upload first" else reversed(works))):
        done.result()
    world.collect()
    assert world.head("app", Digest.of(LAYER))
    assert world.get("app", Digest.of(LAYER)) == LAYER
    world.push_manifest("app", image_of([Digest.of(CONFIG), Digest.of(LAYER)], [len(CONFIG), len(LAYER)]), "latest")
    settled(world)
    assert world.get("app", Digest.of(LAYER)) == LAYER


@STATES
@pytest.mark.parametrize("order", ["mount first", "collector first"])
def test_a_mount_gives_the_blob_or_says_that_it_cannot(reach: Callable[[World], None], order: str, world: World):
    reach(world)
    step = deleting(world) if reach is unlinked else reviewing(world)
    works = [mounting(world), step]
    is_first = order == "mount first"
    done = interleave(world, *(works if is_first else reversed(works)))
    given = done[0 if is_first else 1].result()
    assert given is (reach is due and is_first)
    world.collect()
    assert world.head("other", Digest.of(LAYER)) is given
    settled(world)


def test_a_manifest_deleted_while_its_blob_is_found_to_be_needed_has_its_blob_reviewed(world: World):
    image = world.push_image("app", CONFIG, LAYER)
    world.clock.advance(WAITS.unlinked)
    change = world.change()
    found, deleted = interleave(
        world, reviewing(world), lambda tx: delete_manifest(tx, world.place("app"), image, change)
    )
    assert found.result() == Tally(kept=2)
    deleted.result()
    settled(world)
    assert world.files() == set()


def test_two_collectors_do_everything_once(world: World):
    image = world.push_image("app", *(f"layer {number}".encode() for number in range(150)))
    world.push_image("other", b"layer 3", b"layer 4")
    world.collect()
    world.delete_manifest("app", image)
    done: list[Tally] = []
    with ThreadPoolExecutor(2) as threads:
        for wait_for in (WAITS.unlinked, WAITS.condemned, WAITS.retired, WAITS.retired):
            world.clock.advance(wait_for)
            done += threads.map(lambda collector: collector.collect(never, ignore), [world.collector, world.collector])
    assert sum(tally.deleted for tally in done) == 148
    assert sum(tally.freed for tally in done) == 148
    assert_consistent(world.database, world.store)


@pytest.mark.parametrize("catalog_settings", ["postgres"], indirect=True)  # SQLite has one writer at a time
def test_a_push_waits_for_no_review_of_blobs_that_it_does_not_name(world: World):
    due(world)
    contents = (b"another config", b"another")
    digests = [world.push_blob("app", content) for content in contents]
    push = world.pushed("app", image_of(digests, map(len, contents)))

    def reviewing_while_pushing(tx: Connection) -> None:
        assert _review_links(tx, world.clock(), world.waits, 100).condemned == 1
        threads.submit(world.database.write, commit_manifest, push, Sparse.REFUSED).result(AT_LAST)

    with ThreadPoolExecutor(1) as threads:
        world.database.write(reviewing_while_pushing)
