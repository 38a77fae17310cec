"""A registry's storage limit is a column that every commit checks (DESIGN D15)."""

import asyncio

import pytest
from tests.content import an_image, digest_of, some_bytes
from tests.integration.rows import bytes_used, set_bytes_limit, upload_count
from tests.registry import Registry, Repository
from tests.wire import Answer

CONTENT = some_bytes(1000, "quota")


def full(answer: Answer) -> bool:
    return (answer.status, answer.code) == (405, "REGISTRY_DISALLOWED_OPERATION")


def limit(registry: Registry, room: int) -> None:
    """Leave so many bytes."""
    used = registry.query(bytes_used)
    registry.query(lambda tx: set_bytes_limit(tx, used + room))


def files(registry: Registry) -> int:
    return sum(path.is_file() for path in (registry.settings.data_dir / "content").rglob("*"))


@pytest.mark.parametrize(("room", "status"), [(1000, 201), (999, 405), (0, 405)])
async def test_a_blob_is_taken_while_there_is_room(app: Repository, registry: Registry, room: int, status: int) -> None:
    limit(registry, room)
    answer = await app.http.post(app.path(f"blobs/uploads/?digest={digest_of(CONTENT)}"), CONTENT)
    assert answer.status == status


@pytest.mark.parametrize("way", ["post", "put", "chunks"])
async def test_a_refused_blob_leaves_nothing(app: Repository, registry: Registry, way: str) -> None:
    limit(registry, 999)
    digest = digest_of(CONTENT)
    if way == "post":
        answer = await app.http.post(app.path(f"blobs/uploads/?digest={digest}"), CONTENT)
    else:
        upload = await app.start()
        if way == "chunks":
            await upload.append(CONTENT[:500])
        answer = await upload.close(digest, CONTENT[500:] if way == "chunks" else CONTENT)
        assert (await upload.status()).status == 404
    assert full(answer)
    assert answer.detail == {"used_bytes": 0, "limit_bytes": 999}
    assert not await app.has_blob(digest)
    assert (registry.query(bytes_used), registry.query(upload_count), files(registry)) == (0, 0, 0)


async def test_a_blob_that_the_registry_holds_costs_nothing_again(app: Repository, registry: Registry) -> None:
    await app.push_blob(CONTENT)
    limit(registry, 0)
    await app.push_blob(CONTENT)
    await registry.repository("other").push_blob(CONTENT)
    answer = await registry.http.post(f"/v2/third/blobs/uploads/?mount={digest_of(CONTENT)}&from=app")
    assert answer.status == 201


async def test_a_manifest_counts_too(app: Repository, registry: Registry) -> None:
    image = an_image()
    for content in image.blobs.values():
        await app.push_blob(content)
    limit(registry, len(image.body) - 1)
    assert full(await app.put(image, "v1"))
    assert (await app.manifest(image.digest)).status == 404
    assert (await app.http.get(app.path("tags/list"))).json()["tags"] == []
    limit(registry, len(image.body))
    assert (await app.put(image, "v1")).status == 201


async def test_deleting_makes_room_also_above_the_limit(app: Repository, registry: Registry) -> None:
    digest = await app.push_blob(CONTENT)
    registry.query(lambda tx: set_bytes_limit(tx, 10))
    assert (await app.http.delete(app.path(f"blobs/{digest}"))).status == 202
    assert registry.query(bytes_used) == 0
    await app.push_blob(b"small")


async def test_of_two_pushes_that_together_exceed_the_limit_one_is_refused(start_registry) -> None:
    workers = [await start_registry(), await start_registry()]
    limit(workers[0], 1500)
    contents = [some_bytes(1000, "one"), some_bytes(1000, "other")]
    answers = await asyncio.gather(
        *(
            worker.http.post(f"/v2/app/blobs/uploads/?digest={digest_of(content)}", content)
            for worker, content in zip(workers, contents, strict=True)
        )
    )
    assert sorted(answer.status for answer in answers) == [201, 405]
    assert workers[0].query(bytes_used) == 1000
    assert files(workers[0]) == 1


async def test_a_push_moves_a_tag_although_the_registry_is_full(app: Repository, registry: Registry) -> None:
    image, other = an_image(), an_image("other")
    await app.push(image, "v1")
    await app.push(other)
    limit(registry, 0)
    assert (await app.put(other, "v1")).status == 201
