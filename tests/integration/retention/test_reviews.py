from dataclasses import replace
from datetime import timedelta

import pytest
from tests.integration.retention.world import CONFIG, WAITS, World, image_of, index_of, registry_named
from tests.invariants import assert_consistent

from entrepot.errors import Kind, Problem
from entrepot.oci.digest import Digest

LAYER = b"a layer" * 100
SECOND = timedelta(seconds=1)


@pytest.fixture
def layer(world: World) -> Digest:
    """A blob of ``app`` that nothing needs, older than it may be."""
    digest = world.push_blob("app", LAYER)
    world.clock.advance(WAITS.unlinked)
    return digest


@pytest.fixture
def condemned(world: World, layer: Digest) -> Digest:
    assert world.collect().condemned == 1
    return layer


def test_blobs_that_a_manifest_names_stay_whatever_time_passes(world: World):
    world.push_image("app", CONFIG, LAYER)
    world.collect_fully()
    assert world.get("app", Digest.of(LAYER)) == LAYER
    assert_consistent(world.database, world.store)


def test_blobs_of_an_untagged_manifest_stay(world: World):
    world.push_image("app", CONFIG, LAYER, tag="v1")
    world.untag("app", "v1")
    world.collect_fully()
    assert world.head("app", Digest.of(LAYER))


def test_an_uploaded_blob_waits_for_its_manifest_as_long_as_the_setting_says(world: World):
    digest = world.push_blob("app", LAYER)
    world.clock.advance(WAITS.unlinked - SECOND)
    assert not world.collect()
    assert world.head("app", digest)


def test_a_blob_that_no_manifest_came_for_is_condemned_and_no_longer_there_for_a_pusher(world: World, layer: Digest):
    done = world.collect()
    assert (done.condemned, done.condemned_bytes) == (1, len(LAYER))
    assert not world.head("app", layer)
    assert not world.mount(layer, "app", "other")


def test_a_condemned_blob_is_still_served_to_a_pull_under_way(world: World, condemned: Digest):
    assert world.get("app", condemned) == LAYER


def test_a_condemned_blob_goes_only_after_its_wait(world: World, condemned: Digest):
    world.clock.advance(WAITS.condemned - SECOND)
    assert not world.collect()
    world.clock.advance(SECOND)
    done = world.collect()
    assert (done.unlinked, done.deleted, done.deleted_bytes) == (1, 1, len(LAYER))
    assert world.get("app", condemned) is None


def test_a_manifest_that_names_a_condemned_blob_revives_it(world: World, condemned: Digest):
    config = world.push_blob("app", CONFIG)
    world.push_manifest("app", image_of([config, condemned], [len(CONFIG), len(LAYER)]))
    assert world.head("app", condemned)
    assert world.collect_fully().revived == 1
    assert world.get("app", condemned) == LAYER
    assert_consistent(world.database, world.store)


def test_an_upload_of_a_condemned_blob_revives_it_for_another_grace(world: World, condemned: Digest):
    world.push_blob("app", LAYER)
    assert world.head("app", condemned)
    world.clock.advance(WAITS.unlinked - SECOND)
    world.collect()
    assert world.head("app", condemned)


def test_a_manifest_that_names_a_deleted_blob_is_refused(world: World, condemned: Digest):
    world.clock.advance(WAITS.condemned)
    world.collect()
    config = world.push_blob("app", CONFIG)
    with pytest.raises(Problem) as refused:
        world.push_manifest("app", image_of([config, condemned], [len(CONFIG), len(LAYER)]))
    assert refused.value.kind is Kind.MANIFEST_BLOB_UNKNOWN


def test_deleting_a_manifest_frees_exactly_what_only_it_needed(world: World):
    world.push_image("app", CONFIG, b"shared", tag="kept")
    gone = world.push_image("app", CONFIG, b"shared", b"only here", tag="gone")
    world.collect()  # second copies of what is shared go at once
    world.delete_manifest("app", gone)
    done = world.collect_fully()
    assert done.freed_bytes == done.deleted_bytes == len(b"only here")
    assert world.get("app", Digest.of(b"shared")) == b"shared"
    assert world.get("app", Digest.of(b"only here")) is None
    assert_consistent(world.database, world.store)


def test_a_blob_stays_for_the_repositories_that_still_need_it(world: World):
    image = world.push_image("one", CONFIG, LAYER)
    for digest in (Digest.of(CONFIG), Digest.of(LAYER)):
        world.mount(digest, "one", "two")
    world.push_manifest("two", image_of([Digest.of(CONFIG), Digest.of(LAYER)], [len(CONFIG), len(LAYER)]))
    world.delete_manifest("one", image)
    assert world.collect_fully().deleted == 0
    assert world.get("one", Digest.of(LAYER)) is None
    assert world.get("two", Digest.of(LAYER)) == LAYER
    assert_consistent(world.database, world.store)


def test_a_blob_counts_for_a_registry_until_its_last_repository_there_lets_go(world: World):
    other = replace(world, registry=registry_named(world.database, "other"))
    world.push_blob("one", LAYER)
    world.push_blob("two", LAYER)
    other.push_image("one", CONFIG, LAYER)
    world.collect_fully()
    assert world.get("one", Digest.of(LAYER)) is None
    assert other.get("one", Digest.of(LAYER)) == LAYER
    assert_consistent(world.database, world.store)


def test_a_blob_that_a_client_deletes_leaves_the_catalog_with_the_next_round(world: World, layer: Digest):
    world.delete_blob("app", layer)
    assert world.collect().deleted == 1


def test_a_blob_that_a_client_deletes_in_one_repository_stays_in_another(world: World):
    world.push_blob("one", LAYER)
    world.push_image("two", CONFIG, LAYER)
    world.delete_blob("one", Digest.of(LAYER))
    assert world.collect_fully().deleted == 0
    assert world.get("two", Digest.of(LAYER)) == LAYER
    assert_consistent(world.database, world.store)


def test_a_blob_that_was_deleted_and_pushed_again_is_there(world: World, layer: Digest):
    world.delete_blob("app", layer)
    world.collect()
    world.push_image("app", CONFIG, LAYER)
    world.collect_fully()
    assert world.get("app", layer) == LAYER
    assert_consistent(world.database, world.store)


def test_children_of_an_index_stay_when_the_index_is_deleted(world: World):
    child = world.push_image("app", CONFIG, LAYER, tag="child")
    index = world.push_manifest("app", index_of([child]), "index")
    world.untag("app", "child")
    world.delete_manifest("app", index)
    world.collect_fully()
    assert world.get("app", Digest.of(LAYER)) == LAYER


def test_many_blobs_go_in_batches_and_all_of_them_go(world: World):
    contents = [f"layer {number}".encode() for number in range(230)]
    image = world.push_image("app", *contents)
    world.delete_manifest("app", image)
    done = world.collect_fully()
    assert (done.condemned, done.unlinked, done.deleted, done.freed) == (230, 230, 230, 230)
    assert world.files() == set()
    assert_consistent(world.database, world.store)
