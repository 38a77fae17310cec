"""Clocks that jump (MARKET 5b, 30): collection takes nothing that a manifest needs, whatever time it is told."""

from datetime import timedelta

from tests.integration.retention.world import CONFIG, WAITS, World, image_of
from tests.invariants import assert_consistent

from entrepot.oci.digest import Digest

LAYER = b"a layer" * 100
YEARS = timedelta(days=3650)


def test_a_clock_that_jumps_ahead_takes_no_blob_that_a_manifest_needs(world: World):
    world.push_image("app", CONFIG, LAYER)
    world.clock.advance(YEARS)
    world.collect()
    world.sweep()
    assert world.get("app", Digest.of(LAYER)) == LAYER
    assert_consistent(world.database, world.store)


def test_a_push_under_way_while_the_clock_jumps_ahead_is_finished(world: World):
    """Its blobs look abandoned and are condemned; the manifest that names them revives them."""
    digests = [world.push_blob("app", content) for content in (CONFIG, LAYER)]
    world.clock.advance(YEARS)
    assert world.collect().condemned == 2
    world.push_manifest("app", image_of(digests, [len(CONFIG), len(LAYER)]))
    world.collect_fully()
    assert world.get("app", Digest.of(LAYER)) == LAYER
    assert_consistent(world.database, world.store)


def test_a_clock_that_jumps_back_takes_nothing_and_goes_on_when_it_is_right_again(world: World):
    digest = world.push_blob("app", LAYER)
    world.clock.advance(WAITS.unlinked)
    assert world.collect().condemned == 1
    world.clock.advance(-YEARS)
    assert not world.collect()
    world.sweep()
    assert world.get("app", digest) == LAYER
    world.clock.advance(YEARS + WAITS.condemned)
    assert world.collect().deleted == 1


def test_a_push_while_the_clock_is_behind_is_kept_when_it_is_right_again(world: World):
    world.push_image("app", CONFIG, LAYER)
    world.clock.advance(-YEARS)
    world.push_image("other", CONFIG, LAYER)
    world.clock.advance(YEARS)
    world.collect_fully()
    for repository in ("app", "other"):
        assert world.get(repository, Digest.of(LAYER)) == LAYER
    assert_consistent(world.database, world.store)
