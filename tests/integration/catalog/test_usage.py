"""Usage figures equal the sum of what is stored: blobs once per registry, manifests (DESIGN section 4)."""

import asyncio

import pytest
from tests.content import an_image, an_index, digest_of, some_bytes
from tests.integration.rows import bytes_used, counts_of, recounted, recounted_bytes, recounted_uses
from tests.registry import Registry, Repository

IMAGE = an_image(layers=3)
BLOBS = sum(map(len, IMAGE.blobs.values()))


def agrees(registry: Registry, *names: str) -> int:
    """The bytes used, after they and every count have been found right."""
    assert registry.query(bytes_used) == registry.query(recounted_bytes)
    assert registry.query(recounted_uses)
    for name in names:
        assert registry.query(lambda tx, name=name: counts_of(tx, name) == recounted(tx, name))
    return registry.query(bytes_used)


async def test_an_image_counts_its_blobs_and_its_manifest(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1")
    assert agrees(registry, "app") == BLOBS + len(IMAGE.body)


async def test_a_blob_in_two_repositories_counts_once_and_a_manifest_twice(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1")
    await registry.repository("other").push(IMAGE, "v1", "v2")
    assert agrees(registry, "app", "other") == BLOBS + 2 * len(IMAGE.body)


async def test_a_mount_counts_nothing_and_frees_with_the_last_link(app: Repository, registry: Registry) -> None:
    digest = await app.push_blob(some_bytes(500))
    await registry.http.post(f"/v2/other/blobs/uploads/?mount={digest}&from=app")
    assert agrees(registry) == 500
    await app.http.delete(app.path(f"blobs/{digest}"))
    assert agrees(registry) == 500
    await registry.http.delete(f"/v2/other/blobs/{digest}")
    assert agrees(registry) == 0


@pytest.mark.parametrize("times", [1, 3])
async def test_a_push_again_counts_nothing(app: Repository, registry: Registry, times: int) -> None:
    for _ in range(times):
        await app.push(IMAGE, "v1", "v2")
    assert agrees(registry, "app") == BLOBS + len(IMAGE.body)


async def test_a_deleted_manifest_frees_its_own_bytes(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1")
    await app.http.delete(app.path(f"manifests/{IMAGE.digest}"))
    assert agrees(registry, "app") == BLOBS
    for digest in IMAGE.blobs:
        await app.http.delete(app.path(f"blobs/{digest}"))
    assert agrees(registry, "app") == 0


async def test_unfinished_and_refused_uploads_count_nothing(app: Repository, registry: Registry) -> None:
    upload = await app.start()
    await upload.append(some_bytes(1000))
    await app.http.post(app.path(f"blobs/uploads/?digest={digest_of(b'other')}"), some_bytes(1000))
    assert agrees(registry) == 0


async def test_tags_are_counted_as_they_come_and_go(app: Repository, registry: Registry) -> None:
    other = an_index()
    await app.push(IMAGE, "v1", "v2", "v3")
    await app.push(other, "v3", "v4")
    await app.http.delete(app.path("manifests/v1"))
    agrees(registry, "app")
    assert registry.query(lambda tx: counts_of(tx, "app")) == (2, 3)
    await app.http.delete(app.path(f"manifests/{other.digest}"))
    agrees(registry, "app")
    assert registry.query(lambda tx: counts_of(tx, "app")) == (1, 1)


async def test_changes_at_once_are_all_counted(start_registry) -> None:
    workers = [await start_registry(), await start_registry()]
    images = [an_image(number % 3, layers=2) for number in range(9)]

    async def push(number: int) -> None:
        repository = workers[number % 2].repository(f"app{number % 3}")
        await repository.push(images[number], f"v{number}", "latest")

    await asyncio.gather(*(push(number) for number in range(9)))
    agrees(workers[0], "app0", "app1", "app2")

    async def remove(number: int) -> None:
        repository = workers[number % 2].repository(f"app{number % 3}")
        await repository.http.delete(repository.path(f"manifests/{images[number].digest}"))

    await asyncio.gather(*(remove(number) for number in range(6)))
    agrees(workers[0], "app0", "app1", "app2")


async def test_a_push_and_a_delete_of_its_blob_at_once_never_leave_a_hole(start_registry) -> None:
    """Reachable implies present: whichever comes first, the manifest has its blobs or was refused."""
    workers = [await start_registry(), await start_registry()]
    app, other = (worker.repository("app") for worker in workers)
    for number in range(12):
        image = an_image(f"race {number}", layers=1)
        for content in image.blobs.values():
            await app.push_blob(content)
        layer = image.document["layers"][0]["digest"]
        pushed, deleted = await asyncio.gather(
            app.put(image, f"v{number}"), other.http.delete(other.path(f"blobs/{layer}"))
        )
        assert (pushed.status, deleted.status) in {(201, 405), (400, 202)}
        assert (await app.blob(layer)).status == (200 if pushed.status == 201 else 404)


async def test_pushes_and_deletes_of_one_tag_at_once_end_in_one_of_both_states(start_registry) -> None:
    workers = [await start_registry(), await start_registry()]
    app, other = (worker.repository("app") for worker in workers)
    await app.push(IMAGE, "v1")
    for _ in range(8):
        pushed, deleted = await asyncio.gather(app.put(IMAGE, "v1"), other.http.delete(other.path("manifests/v1")))
        assert pushed.status == 201
        assert deleted.status in {202, 404}
        assert (await app.manifest("v1")).status in {200, 404}
        agrees(workers[0], "app")
