"""Backup and restore between a folder and object stores: a registry moves, and its bytes are those that were pushed."""

from pathlib import Path

import pytest
from tests.content import an_image
from tests.contract.content.backends import Upload, content, open_backend
from tests.contract.content.conftest import Backend
from tests.invariants import assert_clean
from tests.registry import settings_for, started

from entrepot.app.backup import Copied, back_up
from entrepot.app.first_start import prepare
from entrepot.app.restore import restore, stage
from entrepot.oci.digest import Digest
from entrepot.settings import Settings

IMAGE = an_image("moved", size=200_000)
MIB = 2**20


def ignore(_so_far: Copied) -> None:
    """Nobody looks at the progress."""


@pytest.fixture(params=["s3", "azure"])
def bucket(request: pytest.FixtureRequest) -> str:
    """The blob URL of an object store that is empty."""
    served: Backend = request.getfixturevalue(f"{request.param}_backend")
    return served.spec


async def push_to(settings: Settings) -> None:
    prepare(settings)
    async with started(settings) as registry:
        await registry.repository("app").push(IMAGE, "v1")


async def assert_whole(settings: Settings) -> None:
    assert assert_clean(settings).blobs == len(IMAGE.blobs)
    async with started(settings) as registry:
        app = registry.repository("app")
        assert (await app.manifest("v1")).body == IMAGE.body
        for digest, blob in IMAGE.blobs.items():
            assert (await app.blob(digest)).body == blob


async def test_a_registry_moves_from_a_folder_to_an_object_store_and_back(bucket: str, tmp_path: Path) -> None:
    folder, cloud, again = (settings_for(tmp_path / name) for name in ("folder", "cloud", "again"))
    cloud = cloud.model_copy(update={"blob_url": bucket})
    await push_to(folder)
    back_up(folder, tmp_path / "there", ignore)
    restore(cloud, tmp_path / "there", ignore)
    await assert_whole(cloud)
    back_up(cloud, tmp_path / "back", ignore)
    restore(again, tmp_path / "back", ignore)
    await assert_whole(again)


def test_a_blob_larger_than_an_append_may_be_is_restored_in_several(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(content(0, 5 * MIB + 7))
    digest = Digest.of(content(0, 5 * MIB + 7))
    store = open_backend(f"local:{tmp_path}")
    store.append_limit = 2 * MIB
    upload = Upload(store)
    sealed, found = stage(store, upload.session, digest, tmp_path / "blob")
    assert found == digest
    assert [piece.length for piece in sealed] == [2 * MIB, 2 * MIB, MIB + 7]
    pieces = store.commit(upload.session, digest, 5 * MIB + 7, sealed)
    assert b"".join(store.read(pieces, 0, 5 * MIB + 7)) == content(0, 5 * MIB + 7)
