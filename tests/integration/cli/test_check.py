"""`entrepot check`: what it finds, what it changes, and what a client sees of it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, ScalarSelect, delete, select, update
from tests.content import Manifest, an_image
from tests.integration.cli.conftest import Command, file_of
from tests.integration.rows import bytes_used, counts_of
from tests.registry import Registry, Repository, settings_for
from tests.services import wait_until

from entrepot.db.tables import blob, registry_blob, repository
from entrepot.db.tables import registry as registry_table
from entrepot.settings import Settings

IMAGE = an_image("checked")
LAYER = IMAGE.document["layers"][0]["digest"]
LONG_AGO = 1_000_000_000


def _layer() -> ScalarSelect[int]:
    return select(blob.c.id).where(blob.c.digest == LAYER).scalar_subquery()


def figures(tx: Connection) -> tuple[object, ...]:
    """Everything that the catalog says of how much there is."""
    uses = select(registry_blob.c.blob_id, registry_blob.c.uses).order_by(registry_blob.c.blob_id)
    return bytes_used(tx), counts_of(tx, "app"), [tuple(row) for row in tx.execute(uses)]


@pytest.fixture
async def pushed(app: Repository) -> Manifest:
    await app.push(IMAGE, "v1")
    return IMAGE


@pytest.fixture
def content(settings: Settings) -> Path:
    return settings.data_dir / "content"


def damage(file: Path) -> None:
    """As many bytes, one of them another."""
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    os.truncate(file, 10)


def age(folder: Path) -> None:
    """What lies in the store for long is no upload's any more."""
    for file in folder.rglob("*"):
        os.utime(file, (LONG_AGO, LONG_AGO))


def findings(entrepot: Command, *flags: str) -> list[tuple[str, str]]:
    """What was found, and about what."""
    done = entrepot("check", "--json", *flags)
    *lines, total = map(json.loads, done.out.splitlines())
    assert done.exit_code == (1 if lines else 0)
    assert sum(total["found"].values()) == len(lines)
    return [(line["finding"], line["subject"]) for line in lines]


# --- what is found ----------------------------------------------------------------------------------------------------


async def test_a_registry_in_which_all_is_well(pushed: Manifest, entrepot: Command) -> None:
    told = entrepot.succeeds("check")
    size = sum(map(len, IMAGE.blobs.values()))
    assert told == f"1 manifests, 3 blobs, 3 keys of the store; {size} bytes hashed\nall is well\n"


@pytest.mark.parametrize(
    ("harm", "fault"), [(damage, "wrong"), (cut, "missing"), (Path.unlink, "missing")], ids=["damaged", "cut", "lost"]
)
async def test_bytes_that_are_not_what_the_catalog_says_are_found_and_nothing_is_changed(
    pushed: Manifest,
    entrepot: Command,
    settings: Settings,
    everything: Callable[[], object],
    harm: Callable[[Path], None],
    fault: str,
) -> None:
    harm(file_of(settings, LAYER))
    before = everything()
    assert findings(entrepot) == [(fault, LAYER)]
    assert everything() == before


async def test_without_reading_the_bytes_only_missing_ones_are_found(
    pushed: Manifest, entrepot: Command, settings: Settings
) -> None:
    damage(file_of(settings, LAYER))
    file_of(settings, IMAGE.document["config"]["digest"]).unlink()
    assert findings(entrepot, "--no-rehash") == [("missing", IMAGE.document["config"]["digest"])]


async def test_a_person_is_told_in_words(pushed: Manifest, entrepot: Command, settings: Settings) -> None:
    damage(file_of(settings, LAYER))
    done = entrepot("check")
    first, *_, last = done.out.splitlines()
    assert first.startswith(f"wrong: {LAYER} (size 64, keys blobs/sha256/")
    assert last == "1 findings, 0 put right"


async def test_a_catalog_older_than_its_store_finds_the_newer_bytes_extra_and_leaves_them(
    pushed: Manifest, app: Repository, entrepot: Command, content: Path, tmp_path: Path
) -> None:
    """The catalog of a backup, restored onto the store as it is today."""
    entrepot.succeeds("backup", tmp_path / "backup")
    await app.push(an_image("later"), "v2")
    age(content)
    today = keys_in(content)
    restored = entrepot.on(settings_for(tmp_path / "restored"))
    on_todays_store = ("--blob-url", content.as_uri())
    restored.succeeds("restore", tmp_path / "backup", *on_todays_store)
    assert sorted(findings(restored, *on_todays_store)) == [("extra", key) for key in sorted(today)]
    assert today < keys_in(content)


async def test_a_store_older_than_its_catalog_lacks_the_newer_bytes(
    pushed: Manifest, app: Repository, entrepot: Command, content: Path, tmp_path: Path
) -> None:
    shutil.copytree(content, tmp_path / "older")
    later = an_image("later")
    await app.push(later, "v2")
    shutil.rmtree(content)
    shutil.copytree(tmp_path / "older", content)
    assert sorted(findings(entrepot)) == [("missing", digest) for digest in sorted(later.blobs)]


async def test_bytes_that_may_still_be_an_uploads_are_counted_and_no_finding(
    pushed: Manifest, entrepot: Command, settings: Settings, content: Path
) -> None:
    stray(settings, content)
    told = entrepot.succeeds("check")
    assert "1 keys (64 bytes) are unknown but young: the sweep takes them" in told


async def test_a_folder_without_a_registry_is_refused_and_not_made(entrepot: Command, tmp_path: Path) -> None:
    done = entrepot.on(settings_for(tmp_path / "nowhere"))("check")
    assert (done.exit_code, done.error) == (3, f"entrepot check: --data-dir: {tmp_path}/nowhere holds no registry\n")
    assert not (tmp_path / "nowhere").exists()


# --- figures ----------------------------------------------------------------------------------------------------------

FIGURES = {
    "bytes": (update(registry_table).values(bytes_used=registry_table.c.bytes_used + 1), "local", "bytes used"),
    "uses": (
        update(registry_blob).where(registry_blob.c.blob_id == _layer()).values(uses=7),
        LAYER,
        "repositories of the registry that link it",
    ),
    "manifests": (update(repository).values(manifest_count=5), "app", "manifests and tags"),
    "tags": (update(repository).values(tag_count=0), "app", "manifests and tags"),
}


@pytest.mark.parametrize("figure", FIGURES)
async def test_a_figure_that_is_not_what_it_counts_is_named_and_counted_anew(
    pushed: Manifest, registry: Registry, entrepot: Command, figure: str
) -> None:
    falsify, subject, name = FIGURES[figure]
    before = registry.query(figures)
    registry.query(lambda tx: tx.execute(falsify))
    assert registry.query(figures) != before
    (told, _) = map(json.loads, entrepot("check", "--json").out.splitlines())
    assert (told["finding"], told["subject"], told["figure"], told["repaired"]) == ("usage", subject, name, False)
    assert told["said"] != told["counted"]
    assert registry.query(figures) != before
    assert findings(entrepot, "--repair") == [("usage", subject)]
    assert registry.query(figures) == before
    assert findings(entrepot) == []


async def test_a_use_that_was_never_counted_is_named_with_the_bytes_that_it_costs(
    pushed: Manifest, registry: Registry, entrepot: Command
) -> None:
    before = registry.query(figures)
    registry.query(lambda tx: tx.execute(delete(registry_blob).where(registry_blob.c.blob_id == _layer())))
    assert findings(entrepot) == [("usage", LAYER), ("usage", "local")]
    entrepot("check", "--repair")
    assert registry.query(figures) == before
    assert findings(entrepot) == []


# --- the engine of tasks ----------------------------------------------------------------------------------------------


def test_a_machine_without_an_engine_is_told_so(entrepot: Command, tmp_path: Path) -> None:
    socket = tmp_path / "none.sock"
    done = entrepot("check", "--engine", "--task-engine", str(socket))
    assert (done.exit_code, done.error) == (1, "")
    assert done.out.startswith(f"engine: none at {socket}: ")
    assert "No such file or directory" in done.out


# --- what is put right ------------------------------------------------------------------------------------------------


@pytest.fixture
async def quarantined(pushed: Manifest, entrepot: Command, settings: Settings) -> str:
    """A blob whose bytes were found to be wrong."""
    damage(file_of(settings, LAYER))
    done = entrepot("check", "--repair")
    assert done.exit_code == 1
    assert done.out.endswith("1 findings, 1 put right\n")
    return LAYER


async def test_a_wrong_byte_is_never_served_once_it_is_known(app: Repository, quarantined: str) -> None:
    answers = [await app.blob(quarantined), await app.blob(quarantined, {"range": "bytes=0-9"})]
    for answer in answers:
        assert (answer.status, answer.code) == (404, "BLOB_UNKNOWN")
        assert answer.json()["errors"][0]["message"] == (
            "the stored bytes were damaged and are set aside: push them again"
        )
    assert not await app.has_blob(quarantined)


async def test_a_damaged_blob_is_no_base_for_mounts_and_manifests(app: Repository, quarantined: str) -> None:
    mount = await app.http.post(f"/v2/other/blobs/uploads/?mount={quarantined}&from=app")
    assert mount.status == 202
    again = await app.put(IMAGE.changed(annotations={"pushed": "again"}), "v2")
    assert (again.status, again.code) == (400, "MANIFEST_BLOB_UNKNOWN")


async def test_a_push_of_its_digest_heals_a_damaged_blob(app: Repository, entrepot: Command, quarantined: str) -> None:
    await app.push_blob(IMAGE.blobs[quarantined])
    assert (await app.blob(quarantined)).body == IMAGE.blobs[quarantined]
    assert findings(entrepot) == []


async def test_a_damaged_blob_is_told_until_it_is_healed_and_again_served_when_its_bytes_are_right(
    app: Repository, entrepot: Command, settings: Settings, quarantined: str
) -> None:
    assert findings(entrepot, "--repair") == [("corrupt", quarantined)]
    file_of(settings, quarantined).write_bytes(IMAGE.blobs[quarantined])
    assert findings(entrepot, "--repair") == [("sound", quarantined)]
    assert (await app.blob(quarantined)).body == IMAGE.blobs[quarantined]


async def test_a_store_that_is_not_there_makes_no_blob_a_damaged_one(
    pushed: Manifest, app: Repository, entrepot: Command, content: Path, tmp_path: Path
) -> None:
    """A disk that is not mounted: every blob is missing, and none is set aside for it."""
    shutil.move(content, tmp_path / "elsewhere")
    assert len(findings(entrepot, "--repair")) == 3
    shutil.rmtree(content)
    shutil.move(tmp_path / "elsewhere", content)
    assert (await app.blob(LAYER)).body == IMAGE.blobs[LAYER]


async def test_extra_bytes_are_retired_and_go_like_those_of_a_deleted_blob(
    pushed: Manifest, entrepot: Command, settings: Settings, content: Path
) -> None:
    extra = stray(settings, content)
    age(content)
    known = extra.relative_to(content).as_posix()
    assert findings(entrepot, "--repair", "--gc-retire-seconds", "1") == [("extra", known)]
    assert extra.exists()

    def gone() -> bool:
        entrepot.succeeds("gc", "run")
        return not extra.exists()

    wait_until(gone, "collection removes it", within=10)
    assert findings(entrepot) == []


def stray(settings: Settings, content: Path) -> Path:
    """Bytes of a blob under a key that the catalog does not name."""
    known = file_of(settings, LAYER)
    copy = known.with_suffix("." + "0" * 32)
    shutil.copy(known, copy)
    return copy


def keys_in(content: Path) -> set[str]:
    return {path.relative_to(content).as_posix() for path in (content / "blobs").rglob("*.*")}
