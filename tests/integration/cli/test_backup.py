"""`entrepot backup` and `entrepot restore`, on what a registry holds."""

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from tests.content import Manifest, an_artifact, an_image, an_index
from tests.integration.cli.conftest import Command, file_of
from tests.invariants import assert_clean
from tests.registry import Registry, Repository, settings_for, started

from entrepot.app.backup import blob_path
from entrepot.app.first_start import prepare
from entrepot.oci.digest import Digest
from entrepot.settings import SettingError, Settings

IMAGE = an_image("backed up")
LAYER = IMAGE.document["layers"][0]["digest"]


@pytest.fixture
async def pushed(app: Repository) -> Manifest:
    await app.push(IMAGE, "v1", "latest")
    return IMAGE


@pytest.fixture
def backup(tmp_path: Path, pushed: Manifest, entrepot: Command) -> Path:
    entrepot.succeeds("backup", tmp_path / "backup")
    return tmp_path / "backup"


@pytest.fixture(params=["sqlite", "postgres"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Where nothing was ever served: a new data folder, with a new database if need be."""
    if request.param == "sqlite":
        return settings_for(tmp_path / "restored")
    return settings_for(tmp_path / "restored", database_url=SecretStr(request.getfixturevalue("empty_database")))


@pytest.fixture
def new(tmp_path: Path) -> Settings:
    """The same for tests to which the database does not matter."""
    return settings_for(tmp_path / "restored")


def damage(file: Path) -> None:
    """As many bytes, one of them another."""
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)


# --- there and back ---------------------------------------------------------------------------------------------------


async def test_a_registry_is_restored_whole_into_either_database(
    registry: Registry, app: Repository, entrepot: Command, elsewhere: Settings, tmp_path: Path
) -> None:
    index = an_index([IMAGE, an_image("untagged")])
    artifact = an_artifact(subject=IMAGE.descriptor())
    for manifest, tags in ((IMAGE, ("v1", "latest")), (an_image("untagged"), ()), (index, ("all",)), (artifact, ())):
        await app.push(manifest, *tags)
    entrepot.succeeds("backup", tmp_path / "backup")
    entrepot.on(elsewhere).succeeds("restore", tmp_path / "backup")
    assert_clean(elsewhere)
    async with started(elsewhere) as restored:
        there = restored.repository("app")
        assert await there.tags() == await app.tags() == ["all", "latest", "v1"]
        assert await there.referrers(IMAGE.digest) == await app.referrers(IMAGE.digest)
        for manifest in (IMAGE, an_image("untagged"), index, artifact):
            assert (await there.manifest(manifest.digest)).body == manifest.body
            for digest, content in manifest.blobs.items():
                assert (await there.blob(digest)).body == content


async def test_a_restored_registry_takes_pushes_and_deletes(
    backup: Path, entrepot: Command, elsewhere: Settings
) -> None:
    entrepot.on(elsewhere).succeeds("restore", backup)
    async with started(elsewhere) as restored:
        there = restored.repository("app")
        await there.push(an_image("new"), "v2")
        await restored.repository("other").push(IMAGE, "v1")
        assert (await restored.http.delete(there.path(f"manifests/{IMAGE.digest}"))).status == 202
        assert await there.tags() == ["v2"]
    assert_clean(elsewhere)


async def test_postgresql_knows_what_it_was_given(
    backup: Path, entrepot: Command, tmp_path: Path, empty_database: str
) -> None:
    """Without statistics it sorts a whole list for each page."""
    new = settings_for(tmp_path / "restored", database_url=SecretStr(empty_database))
    entrepot.on(new).succeeds("restore", backup)
    async with started(new) as restored:
        rows = text("SELECT reltuples FROM pg_class WHERE relname = 'manifest'")
        assert restored.query(lambda tx: tx.execute(rows).scalar_one()) == 1  # -1: nothing is known


async def test_an_upload_that_was_not_finished_is_in_no_backup(
    registry: Registry, app: Repository, entrepot: Command, new: Settings, tmp_path: Path
) -> None:
    upload = await app.start()
    await upload.append(b"the first half")
    entrepot.succeeds("backup", tmp_path / "backup")
    entrepot.on(new).succeeds("restore", tmp_path / "backup")
    async with started(new) as restored:
        assert (await restored.http.get(upload.location)).code == "BLOB_UPLOAD_UNKNOWN"
    assert await upload.offset() == len(b"the first half")


async def test_certificates_and_the_owners_credentials_go_along_and_stay_private(
    pushed: Manifest, entrepot: Command, settings: Settings, new: Settings, tmp_path: Path
) -> None:
    prepare(settings)
    (settings.data_dir / "tls").mkdir()
    (settings.data_dir / "tls" / "ca.key").write_bytes(b"key")
    (settings.data_dir / "tls" / "ca.key").chmod(0o600)
    entrepot.succeeds("backup", tmp_path / "backup")
    entrepot.on(new).succeeds("restore", tmp_path / "backup")
    for name in ("tls/ca.key", "bootstrap.json"):
        restored = new.data_dir / name
        assert restored.read_bytes() == (settings.data_dir / name).read_bytes()
        assert stat.S_IMODE(restored.stat().st_mode) == 0o600
    assert [path for path in (tmp_path / "backup").rglob("*") if path.stat().st_mode & 0o077 and path.is_file()] == []


async def test_a_second_backup_into_the_folder_copies_only_what_is_new(
    backup: Path, app: Repository, entrepot: Command
) -> None:
    image = an_image("later")
    await app.push(image, "v2")
    told = entrepot.succeeds("backup", backup)
    new_bytes = sum(map(len, image.blobs.values()))
    assert told.endswith(f" {len(image.blobs)} blobs, {new_bytes} bytes\n")


# --- what is refused --------------------------------------------------------------------------------------------------


async def test_nothing_is_restored_over_a_registry(
    backup: Path, entrepot: Command, everything: Callable[[], object]
) -> None:
    before = everything()
    done = entrepot("restore", backup)
    assert done.exit_code == 1
    assert done.error == "entrepot restore: the catalog is not empty: restore into a new data folder or database\n"
    assert everything() == before


def cut_off(backup: Path) -> None:
    (backup / "backup.json").unlink()


def damage_the_catalog(backup: Path) -> None:
    damage(backup / "catalog.jsonl")


def lose_the_catalog(backup: Path) -> None:
    (backup / "catalog.jsonl").unlink()


def from_the_future(backup: Path, **changes: object) -> None:
    told = json.loads((backup / "backup.json").read_bytes())
    (backup / "backup.json").write_text(json.dumps(told | changes))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (cut_off, "holds no complete backup: backup.json is missing or damaged"),
        (lambda backup: (backup / "backup.json").write_text("{"), "holds no complete backup"),
        (damage_the_catalog, "catalog.jsonl is damaged: its digest differs from backup.json"),
        (lose_the_catalog, "catalog.jsonl is missing"),
        (lambda backup: from_the_future(backup, format=2), "is a backup of format 2; this program reads 1"),
        (lambda backup: from_the_future(backup, schema="9999"), "is of a newer program: its catalog has schema 9999"),
    ],
    ids=["cut-off", "half-written", "damaged-catalog", "lost-catalog", "newer-format", "newer-schema"],
)
async def test_a_broken_backup_is_refused_before_anything_is_made(
    backup: Path, entrepot: Command, new: Settings, harm: Callable[[Path], None], reason: str
) -> None:
    harm(backup)
    done = entrepot.on(new)("restore", backup)
    assert done.exit_code == 1
    assert done.error.startswith("entrepot restore: ")
    assert reason in done.error
    assert not new.data_dir.exists()


async def test_a_backup_that_cannot_begin_leaves_the_one_before_whole(
    backup: Path, entrepot: Command, new: Settings
) -> None:
    done = entrepot.on(new)("backup", backup)
    assert (done.exit_code, done.error) == (1, f"entrepot backup: --data-dir: {new.data_dir} holds no registry\n")
    assert not new.data_dir.exists()
    entrepot.on(new).succeeds("restore", backup)


async def test_a_backup_that_cannot_be_written_says_where(pushed: Manifest, entrepot: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = entrepot("backup", tmp_path / "file" / "backup")
    assert (done.exit_code, done.error) == (1, f"entrepot backup: {tmp_path}/file/backup: Not a directory\n")


# --- damaged blobs, and a restore that was cut ------------------------------------------------------------------------


@pytest.mark.parametrize("harm", [damage, Path.unlink], ids=["damaged", "lost"])
async def test_a_blob_that_the_backup_has_not_is_told_and_a_push_heals_it(
    backup: Path, entrepot: Command, new: Settings, harm: Callable[[Path], None]
) -> None:
    harm(blob_path(backup, Digest.parse(LAYER)))
    done = entrepot.on(new)("restore", backup)
    assert done.exit_code == 1
    assert LAYER in done.error
    async with started(new) as restored:
        there = restored.repository("app")
        assert (await there.blob(LAYER)).code == "BLOB_UNKNOWN"
        await there.push(IMAGE, "v1")
        assert (await there.blob(LAYER)).body == IMAGE.blobs[LAYER]
    assert_clean(new)


@pytest.mark.parametrize("harm", [damage, Path.unlink], ids=["damaged", "lost"])
async def test_a_blob_that_the_store_has_not_is_told_and_the_rest_is_backed_up(
    pushed: Manifest, entrepot: Command, settings: Settings, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    harm(file_of(settings, LAYER))
    done = entrepot("backup", tmp_path / "backup")
    assert done.exit_code == 1
    assert LAYER in done.error
    assert f" {len(IMAGE.blobs) - 1} blobs, " in done.out
    assert not blob_path(tmp_path / "backup", Digest.parse(LAYER)).exists()


async def test_no_server_starts_on_half_a_restore_and_the_same_command_goes_on(
    backup: Path, entrepot: Command, elsewhere: Settings
) -> None:
    unreadable = blob_path(backup, Digest.parse(LAYER))
    content = unreadable.read_bytes()
    unreadable.unlink()
    unreadable.mkdir()
    command = entrepot.on(elsewhere)
    assert command("restore", backup).error == f"entrepot restore: {unreadable}: Is a directory\n"
    with pytest.raises(SettingError, match="a restore into it has not ended"):
        prepare(elsewhere)
    unreadable.rmdir()
    unreadable.write_bytes(content)
    assert f" {len(IMAGE.blobs) - 1} blobs, " in command.succeeds("restore", backup), "the config was there already"
    prepare(elsewhere)
    assert_clean(elsewhere)


async def test_another_backup_does_not_go_on_with_half_a_restore(
    backup: Path, app: Repository, entrepot: Command, new: Settings, tmp_path: Path
) -> None:
    shutil.rmtree(backup / "blobs")
    (backup / "blobs").touch()
    entrepot.on(new)("restore", backup)
    await app.push(an_image("later"), "v2")
    entrepot.succeeds("backup", tmp_path / "another")
    done = entrepot.on(new)("restore", tmp_path / "another")
    assert "the catalog is not empty" in done.error
