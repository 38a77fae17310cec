"""Locks are columns that the core checks (DESIGN D15; semantics: ACR's, "Lock a container image"). ACR sets them on
repositories, manifests and tags.
"""

import pytest
from tests.content import Manifest, an_image
from tests.integration.rows import events_of, set_manifest, set_repository, set_tag
from tests.registry import Registry, Repository
from tests.wire import Answer

IMAGE = an_image("locked")
NEWER = an_image("newer")


@pytest.fixture
async def locked(app: Repository) -> Repository:
    """A repository with an image tagged v1 and the blobs of another."""
    await app.push(IMAGE, "v1")
    for content in NEWER.blobs.values():
        await app.push_blob(content)
    return app


def disallowed(answer: Answer) -> bool:
    return (answer.status, answer.code) == (405, "REGISTRY_DISALLOWED_OPERATION")


async def delete(repository: Repository, reference: str) -> Answer:
    return await repository.http.delete(repository.path(f"manifests/{reference}"))


async def test_a_tag_locked_against_writing_refuses_push_and_delete_but_is_pulled(
    locked: Repository, registry: Registry
) -> None:
    registry.query(lambda tx: set_tag(tx, "v1", write_enabled=False))
    assert disallowed(await locked.put(NEWER, "v1"))
    assert disallowed(await delete(locked, "v1"))
    assert disallowed(await delete(locked, IMAGE.digest))
    assert (await locked.manifest("v1")).body == IMAGE.body


async def test_a_locked_tag_among_several_refuses_the_whole_push(locked: Repository, registry: Registry) -> None:
    registry.query(lambda tx: set_tag(tx, "v1", write_enabled=False))
    assert disallowed(await locked.put(NEWER, NEWER.digest, "fresh", "v1"))
    assert await locked.tags() == ["v1"]
    assert (await locked.manifest(NEWER.digest)).status == 404


async def test_what_a_locked_tag_names_may_be_pushed_under_another_tag(locked: Repository, registry: Registry) -> None:
    registry.query(lambda tx: set_tag(tx, "v1", write_enabled=False))
    assert (await locked.put(IMAGE, "v2")).status == 201


async def test_a_tag_locked_against_deletion_may_be_moved(locked: Repository, registry: Registry) -> None:
    registry.query(lambda tx: set_tag(tx, "v1", delete_enabled=False))
    assert disallowed(await delete(locked, "v1"))
    assert disallowed(await delete(locked, IMAGE.digest))
    assert (await locked.put(NEWER, "v1")).status == 201


@pytest.mark.parametrize("lock", ["write_enabled", "delete_enabled"])
async def test_a_locked_manifest_is_not_deleted_but_its_tag_is(
    locked: Repository, registry: Registry, lock: str
) -> None:
    registry.query(lambda tx: set_manifest(tx, IMAGE.digest, **{lock: False}))
    assert disallowed(await delete(locked, IMAGE.digest))
    assert (await delete(locked, "v1")).status == 202
    assert (await locked.manifest(IMAGE.digest)).body == IMAGE.body


async def test_a_repository_locked_against_writing_refuses_every_change(locked: Repository, registry: Registry) -> None:
    registry.query(lambda tx: set_repository(tx, "app", write_enabled=False))
    assert disallowed(await locked.put(NEWER, "v2"))
    assert disallowed(await locked.put(NEWER))
    assert disallowed(await delete(locked, "v1"))
    assert disallowed(await delete(locked, IMAGE.digest))
    assert (await locked.manifest("v1")).body == IMAGE.body


async def test_a_repository_locked_against_deletion_still_lets_single_images_go(
    locked: Repository, registry: Registry
) -> None:
    registry.query(lambda tx: set_repository(tx, "app", delete_enabled=False))
    assert (await locked.put(NEWER, "v2")).status == 201
    assert (await delete(locked, IMAGE.digest)).status == 202


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("lock", [set_tag, set_manifest, set_repository], ids=["tag", "manifest", "repository"])
async def test_what_is_locked_against_reading_is_not_pulled_but_listed(
    locked: Repository, registry: Registry, lock, method: str
) -> None:
    named = {set_tag: "v1", set_manifest: IMAGE.digest, set_repository: "app"}[lock]
    registry.query(lambda tx: lock(tx, named, read_enabled=False))
    answer = await locked.http.send(method, locked.path("manifests/v1"))
    assert answer.status == 405
    by_digest = await locked.manifest(IMAGE.digest)
    assert by_digest.status == (200 if lock is set_tag else 405)
    assert await locked.tags() == ["v1"]


async def test_what_is_not_to_be_listed_is_pulled_all_the_same(locked: Repository, registry: Registry) -> None:
    registry.query(lambda tx: set_tag(tx, "v1", list_enabled=False))
    assert await locked.tags() == []
    assert (await locked.manifest("v1")).body == IMAGE.body
    registry.query(lambda tx: set_repository(tx, "app", list_enabled=False))
    assert (await registry.http.get("/v2/_catalog")).json()["repositories"] == []


@pytest.mark.parametrize("refused", ["push", "untag", "delete"])
async def test_a_refused_change_leaves_no_event(locked: Repository, registry: Registry, refused: str) -> None:
    registry.query(lambda tx: set_tag(tx, "v1", write_enabled=False))
    before = registry.query(lambda tx: events_of(tx, "app"))
    calls = {
        "push": lambda: locked.put(NEWER, "v1"),
        "untag": lambda: delete(locked, "v1"),
        "delete": lambda: delete(locked, IMAGE.digest),
    }
    assert disallowed(await calls[refused]())
    assert registry.query(lambda tx: events_of(tx, "app")) == before


async def test_a_refusal_names_what_is_locked(locked: Repository, registry: Registry) -> None:
    registry.query(lambda tx: set_tag(tx, "v1", write_enabled=False))
    assert (await locked.put(NEWER, "v1")).detail == {"tag": "v1"}


def test_the_images_of_these_tests_differ() -> None:
    assert isinstance(IMAGE, Manifest)
    assert IMAGE.digest != NEWER.digest
