"""A disk that is full: pushes are refused in so many words, pulls go on, and space is all that it takes to go on."""

import httpx
from tests.content import Manifest, an_image, digest_of, some_bytes
from tests.faults.plain import Repository, told
from tests.faults.serve.seen import processes_of, settled
from tests.faults.storage.volume import Volume
from tests.invariants import assert_clean
from tests.services import Registry, wait_until

FULL = (507, "UNAVAILABLE")


def test_pushes_are_refused_while_pulls_go_on(disk: Volume, server: Registry, app: Repository) -> None:
    image, content = an_image("before", size=300_000), some_bytes(3_000_000, "too much")
    assert app.push(image, "v1").status_code == 201
    before = settled(server)
    disk.fill(leave=1_000_000)
    for push in (app.push_blob, app.push_blob_at_once):
        assert told(push(content)) == FULL
        assert not app.has(f"blobs/{digest_of(content)}")
    assert app.pull("v1").blobs == image.blobs
    disk.free()
    assert app.push_blob(content).status_code == 201
    assert processes_of(server) == before
    assert_clean(disk.path)


def test_an_upload_that_met_the_full_disk_resumes(disk: Volume, server: Registry, app: Repository) -> None:
    content = some_bytes(3_000_000, "resumed")
    location = app.start().headers["location"]
    assert app.http.patch(location, content=content[:1_000_000]).status_code == 202
    disk.fill(leave=500_000)
    assert told(app.http.patch(location, content=content[1_000_000:])) == FULL
    assert app.http.get(location).headers["range"] == "0-999999"
    disk.free()
    assert app.close(location, content, content[1_000_000:]).status_code == 201
    assert app.has(f"blobs/{digest_of(content)}")
    assert_clean(disk.path)


def test_a_catalog_without_space_refuses_every_change_and_answers_every_question(
    disk: Volume, server: Registry, app: Repository
) -> None:
    image = an_image("before")
    assert app.push(image, "v1").status_code == 201
    before = settled(server)
    disk.fill()
    refused = pushed_until_refused(app, image)
    assert told(refused) == FULL
    assert told(app.start()) == FULL
    assert told(app.http.delete(app.path("manifests/v1"))) == FULL
    assert app.pull("v1").blobs == image.blobs
    tags = app.http.get(app.path("tags/list")).json()["tags"]
    disk.free()
    assert app.http.get(app.path("tags/list")).json()["tags"] == tags
    assert app.push(an_image("after"), "v2").status_code == 201
    assert processes_of(server) == before
    assert_clean(disk.path)


def test_collection_goes_on_when_there_is_space_again(disk: Volume, server: Registry, app: Repository) -> None:
    image = an_image("to be collected", size=300_000)
    assert app.push(image, "v1").status_code == 201
    disk.fill()
    pushed_until_refused(app, image)
    disk.free()
    assert app.http.delete(app.path(f"manifests/{image.digest}")).status_code == 202
    wait_until(lambda: not list((disk.path / "content" / "blobs").rglob("*.*")), "the blobs' files are gone")
    assert_clean(disk.path)


def pushed_until_refused(app: Repository, image: Manifest) -> httpx.Response:
    """Tag after tag: the catalog's log has room for a few more."""
    for number in range(2000):
        answer = app.put(image, f"n{number}")
        if answer.status_code != 201:
            assert not app.has(f"manifests/n{number}")
            return answer
    raise AssertionError("a full disk takes everything")
