"""Collection beside a backup that is under way."""

from datetime import timedelta
from pathlib import Path

from tests.integration.retention.world import CONFIG, WAITS, World
from tests.invariants import assert_clean
from tests.registry import settings_for

from entrepot.app.backup import Copied, back_up
from entrepot.app.restore import restore
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
