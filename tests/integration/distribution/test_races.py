"""Requests at once, on two workers: whoever comes first, what is left is what one order of them would have left.

The order is in the repository's events, which are numbered under the lock that the changes are made under (DESIGN D15).
"""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.content import Manifest, an_image, digest_of, some_bytes
from tests.integration.rows import bytes_used, counts_of, events_of, recounted, recounted_bytes, set_bytes_limit
from tests.invariants import assert_consistent
from tests.registry import Registry, Repository
from tests.wire import Answer

from entrepot.app.parts import open_content
from entrepot.app.upkeep import waits_of
from entrepot.events.outbox import Action
from entrepot.retention.collect import Collector, Site

ONE, TWO = an_image("one"), an_image("two")
ROUNDS = 10


@pytest.fixture
async def workers(start_registry) -> list[Registry]:
    return [await start_registry(), await start_registry()]


@pytest.fixture
async def sides(workers: list[Registry]) -> list[Repository]:
    """The repository app as each worker serves it, with all blobs and both images."""
    sides = [worker.repository("app") for worker in workers]
    for image in (ONE, TWO):
        await sides[0].push(image)
    return sides


async def at_once(*requests: Coroutine[Any, Any, Answer]) -> list[int]:
    return [answer.status for answer in await asyncio.gather(*requests)]


def delete(side: Repository, reference: str) -> Coroutine[Any, Any, Answer]:
    return side.http.delete(side.path(f"manifests/{reference}"))


async def assert_as_the_events_say(registry: Registry) -> None:
    """Replays what happened, in its order, and compares it with what is there."""
    manifests: set[str] = set()
    tags: dict[str, str] = {}
    events = registry.query(lambda tx: events_of(tx, "app"))
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    for event in events:
        body = json.loads(event.body)
        match Action(event.action):
            case Action.PUSH:
                manifests.add(body["digest"])
                tags |= dict.fromkeys(body["tags"], body["digest"])
            case Action.UNTAG:
                assert tags.pop(body["tags"][0]) == body["digest"]
            case Action.DELETE:
                manifests.remove(body["digest"])
                gone = {tag for tag, digest in tags.items() if digest == body["digest"]}
                assert gone == set(body["tags"])
                tags = {tag: digest for tag, digest in tags.items() if tag not in gone}
    app = registry.repository("app")
    assert await app.tags() == sorted(tags)
    for tag, digest in tags.items():
        assert (await app.manifest(tag))["docker-content-digest"] == digest
    for image in (ONE, TWO):
        assert (await app.manifest(image.digest)).status == (200 if image.digest in manifests else 404)
    assert registry.query(lambda tx: counts_of(tx, "app")) == (len(manifests), len(tags))
    assert registry.query(lambda tx: recounted(tx, "app")) == (len(manifests), len(tags))
    assert registry.query(bytes_used) == registry.query(recounted_bytes)
    assert_consistent(registry.database, open_content(registry.settings))


async def test_a_tag_that_is_moved_and_deleted_at_once_is_where_the_last_of_them_left_it(
    workers: list[Registry], sides: list[Repository]
) -> None:
    for _ in range(ROUNDS):
        moves = (sides[0].put(ONE, "v1"), sides[1].put(TWO, "v1"))
        *moved, deleted, again = await at_once(*moves, delete(sides[0], "v1"), delete(sides[1], "v1"))
        assert moved == [201, 201]
        assert {deleted, again} <= {202, 404}
    await assert_as_the_events_say(workers[0])


async def test_a_manifest_that_is_deleted_and_tagged_at_once_is_there_with_its_tag_or_not_at_all(
    workers: list[Registry], sides: list[Repository]
) -> None:
    for _ in range(ROUNDS):
        pushed, deleted = await at_once(sides[0].put(ONE, "v1"), delete(sides[1], ONE.digest))
        assert pushed == 201
        assert deleted in {202, 404}
    await assert_as_the_events_say(workers[0])


async def test_several_tags_of_several_pushes_at_once_end_in_one_order(
    workers: list[Registry], sides: list[Repository]
) -> None:
    """Each push holds all its tags at once; in whatever order they name them, none waits for the other for ever."""
    tags = [f"v{number}" for number in range(20)]
    for _ in range(ROUNDS):
        pushes = (sides[0].put(ONE, None, *tags), sides[1].put(TWO, None, *reversed(tags)))
        assert await at_once(*pushes) == [201, 201]
        assert len({(await sides[0].manifest(tag))["docker-content-digest"] for tag in tags}) == 1
    await assert_as_the_events_say(workers[0])


async def test_one_image_pushed_by_many_at_once_is_there_once(workers: list[Registry]) -> None:
    async def push(worker: Registry) -> Answer:
        return await worker.repository("app").push(ONE, "v1")

    assert await at_once(*(push(worker) for worker in workers * 4)) == [201] * 8
    assert workers[0].query(bytes_used) == len(ONE.body) + sum(map(len, ONE.blobs.values()))
    await assert_as_the_events_say(workers[0])


async def test_of_a_digest_uploaded_by_many_at_once_one_copy_stays(workers: list[Registry]) -> None:
    content = some_bytes(100_000)
    digests = await asyncio.gather(*(worker.repository("app").push_blob(content) for worker in workers * 4))
    assert set(digests) == {digest_of(content)}
    registry = workers[0]
    store, waits = open_content(registry.settings), waits_of(registry.settings)
    Collector(Site(registry.database, store, waits, 1000, registry.clock)).collect(lambda: False, lambda _: None)
    assert [stored.length for stored in store.walk()] == [len(content)]
    assert (await registry.repository("app").blob(digests[0])).body == content
    assert registry.query(bytes_used) == len(content)
    assert_consistent(registry.database, store)


async def test_of_manifests_that_together_exceed_the_limit_only_those_that_fit_are_taken(
    workers: list[Registry], sides: list[Repository]
) -> None:
    def also(number: int) -> Manifest:
        return ONE.changed(annotations={"number": str(number)})

    used, size = workers[0].query(bytes_used), len(also(0).body)
    workers[0].query(lambda tx: set_bytes_limit(tx, used + 3 * size))
    statuses = await at_once(*(sides[number % 2].put(also(number)) for number in range(10)))
    assert sorted(statuses) == [201] * 3 + [405] * 7
    assert workers[0].query(bytes_used) == workers[0].query(recounted_bytes) == used + 3 * size


async def test_a_blob_that_is_deleted_while_a_manifest_names_it_is_there_or_the_manifest_is_not(
    workers: list[Registry], sides: list[Repository]
) -> None:
    app, layer = sides[0], list(ONE.blobs)[-1]
    for _ in range(ROUNDS):
        await delete(app, ONE.digest)
        await app.push_blob(ONE.blobs[layer])
        gone, pushed = await at_once(sides[1].http.delete(app.path(f"blobs/{layer}")), app.put(ONE, "v1"))
        assert (gone, pushed) in {(202, 400), (405, 201)}
        assert await app.has_blob(layer) is (pushed == 201)
    await assert_as_the_events_say(workers[0])


async def test_a_mount_and_a_delete_of_its_source_at_once_give_the_blob_or_ask_for_it(
    workers: list[Registry], sides: list[Repository]
) -> None:
    content = b"needed by no manifest"
    digest = digest_of(content)
    other = workers[1].repository("other")
    for _ in range(ROUNDS):
        await sides[0].push_blob(content)
        mount = other.http.post(other.path(f"blobs/uploads/?mount={digest}&from=app"))
        mounted, gone = await at_once(mount, sides[0].http.delete(sides[0].path(f"blobs/{digest}")))
        assert gone == 202
        assert mounted in {201, 202}
        assert await other.has_blob(digest) is (mounted == 201)
        await other.http.delete(other.path(f"blobs/{digest}"))
    assert workers[0].query(bytes_used) == workers[0].query(recounted_bytes)
