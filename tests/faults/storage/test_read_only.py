"""A content folder whose disk has become read-only: pushes are refused clearly, pulls go on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.content import an_image, digest_of, some_bytes
from tests.faults.plain import Repository, plain_server, told
from tests.faults.serve.seen import processes_of, settled
from tests.faults.storage.conftest import IMPATIENT
from tests.faults.storage.volume import Volume
from tests.invariants import assert_clean
from tests.services import Registry, wait_until

from entrepot.settings import Settings

UNAVAILABLE = (503, "UNAVAILABLE")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Not on the disk: one with a file that is open for writing, as the catalog's is, cannot be made read-only."""
    return tmp_path / "catalog"


@pytest.fixture
def server(data_dir: Path, disk: Volume) -> Iterator[Registry]:
    data_dir.mkdir()
    with plain_server(data_dir, "--workers", "1", "--blob-url", disk.path.as_uri(), *IMPATIENT) as registry:
        yield registry


@pytest.fixture
def settings(data_dir: Path, disk: Volume) -> Settings:
    return Settings(data_dir=data_dir, blob_url=disk.path.as_uri())


def test_pushes_are_refused_while_pulls_go_on(
    disk: Volume, server: Registry, app: Repository, settings: Settings
) -> None:
    image, content = an_image("before"), some_bytes(3000, "refused")
    assert app.push(image, "v1").status_code == 201
    before = settled(server)
    with disk.read_only():
        refusals = [app.push_blob(content), app.push_blob_at_once(content)]
        assert [told(refused) for refused in refusals] == [UNAVAILABLE] * 2
        assert all("retry-after" in refused.headers for refused in refusals)
        assert not app.has(f"blobs/{digest_of(content)}")
        assert app.pull("v1").blobs == image.blobs
        assert app.put(image, "v2").status_code == 201  # the catalog's disk is well
    assert app.push_blob(content).status_code == 201
    assert app.push(an_image("after"), "v3").status_code == 201
    assert processes_of(server) == before
    assert_clean(settings)


def test_an_upload_that_met_the_read_only_disk_resumes(disk: Volume, app: Repository, settings: Settings) -> None:
    content = some_bytes(3000, "resumed")
    location = app.start().headers["location"]
    assert app.http.patch(location, content=content[:1000]).status_code == 202
    with disk.read_only():
        assert told(app.http.patch(location, content=content[1000:])) == UNAVAILABLE
        assert told(app.close(location, content, content[1000:])) == UNAVAILABLE
        assert app.http.get(location).headers["range"] == "0-999"
    assert app.close(location, content, content[1000:]).status_code == 201
    assert_clean(settings)


def test_collection_goes_on_after_what_it_could_not_remove(
    disk: Volume, server: Registry, app: Repository, settings: Settings
) -> None:
    first, second = an_image("deleted while it lasts"), an_image("deleted afterwards")
    for image in (first, second):
        assert app.push(image, image.digest).status_code == 201
    with disk.read_only():
        assert app.http.delete(app.path(f"manifests/{first.digest}")).status_code == 202
        wait_until(lambda: "key_stuck" in server.said, "the collector has met it")
    assert app.http.delete(app.path(f"manifests/{second.digest}")).status_code == 202
    wait_until(lambda: not any(map(second.blobs.get, kept(disk))), "the second one's files are gone")
    assert_clean(settings)


def kept(disk: Volume) -> list[str]:
    """The digests of which there are files."""
    return [f"sha256:{file.name.partition('.')[0]}" for file in (disk.path / "blobs").rglob("*.*")]
