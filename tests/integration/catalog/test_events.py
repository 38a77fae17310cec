"""The outbox: one row for each change, in order, in the change's own transaction (DESIGN D15)."""

import asyncio
import json
from typing import Any

import pytest
from tests.content import Manifest, an_artifact, an_image, an_index
from tests.integration.rows import events_of, set_repository
from tests.registry import Registry, Repository

IMAGE = an_image()


async def remove(repository: Repository, reference: str) -> int:
    return (await repository.http.delete(repository.path(f"manifests/{reference}"))).status


def told(registry: Registry, name: str = "app") -> list[tuple[int, str, dict[str, Any]]]:
    return [(row.sequence, row.action, json.loads(row.body)) for row in registry.query(lambda tx: events_of(tx, name))]


async def test_a_push_is_one_event_whatever_it_holds(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1", "v2")
    (event,) = told(registry)
    assert event[:2] == (1, "push")
    request = event[2].pop("request")
    assert request.keys() == {"id", "useragent"}
    assert event[2] == {
        "digest": IMAGE.digest,
        "mediaType": IMAGE.media_type,
        "size": len(IMAGE.body),
        "tags": ["v1", "v2"],
        "subject": None,
        "artifactType": IMAGE.document["config"]["mediaType"],
    }


async def test_an_event_says_who_and_when(app: Repository, registry: Registry) -> None:
    registry.clock.advance(hours=1)
    await app.push(IMAGE, "v1")
    (row,) = registry.query(lambda tx: events_of(tx, "app"))
    assert row.at == registry.clock.now
    assert row.principal
    assert len(row.id) == 32


async def test_each_change_is_one_event_and_the_numbers_have_no_gap(app: Repository, registry: Registry) -> None:
    other = an_image("other")
    await app.push(IMAGE, "v1", "v2")
    await app.push(other, "v1")
    assert await remove(app, "v2") == 202
    assert await remove(app, other.digest) == 202
    await app.put(IMAGE, "v3")
    assert [(number, action) for number, action, _ in told(registry)] == [
        (1, "push"),
        (2, "push"),
        (3, "untag"),
        (4, "delete"),
        (5, "push"),
    ]


async def test_deletes_say_what_went(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1", "v2", "v3")
    await remove(app, "v1")
    await remove(app, IMAGE.digest)
    untag, delete = (body for _, _, body in told(registry)[1:])
    assert (untag["digest"], untag["tags"]) == (IMAGE.digest, ["v1"])
    assert delete["digest"] == IMAGE.digest
    assert delete["mediaType"] == IMAGE.media_type
    assert sorted(delete["tags"]) == ["v2", "v3"]


@pytest.mark.parametrize("make", [an_artifact, an_index])
async def test_a_referrer_s_push_names_its_subject(app: Repository, registry: Registry, make) -> None:
    referrer: Manifest = make(subject=IMAGE.descriptor())
    await app.push(referrer)
    assert told(registry)[0][2]["subject"] == IMAGE.digest


async def test_blobs_uploads_and_pulls_are_no_events(app: Repository, registry: Registry) -> None:
    digest = await app.push_blob(b"content")
    await app.start()
    await registry.http.post(f"/v2/other/blobs/uploads/?mount={digest}&from=app")
    await app.http.delete(app.path(f"blobs/{digest}"))
    assert told(registry) == told(registry, "other") == []


@pytest.mark.parametrize(
    "refused",
    [
        lambda app: app.put(an_image("blobs are absent"), "v1"),
        lambda app: app.put(Manifest(b"{", IMAGE.media_type), "v1"),
        lambda app: app.http.delete(app.path("manifests/absent")),
        lambda app: app.http.delete(app.path(f"manifests/{an_image('absent').digest}")),
    ],
    ids=["absent blobs", "broken manifest", "absent tag", "absent manifest"],
)
async def test_what_is_refused_leaves_neither_an_event_nor_a_gap(app: Repository, registry: Registry, refused) -> None:
    await app.push(IMAGE, "v1")
    assert (await refused(app)).status in {400, 404}
    await app.put(IMAGE, "v2")
    assert [number for number, _, _ in told(registry)] == [1, 2]


async def test_a_locked_repository_s_numbers_have_no_gap_either(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1")
    registry.query(lambda tx: set_repository(tx, "app", write_enabled=False))
    assert (await app.put(IMAGE, "v2")).status == 405
    registry.query(lambda tx: set_repository(tx, "app", write_enabled=True))
    await app.put(IMAGE, "v3")
    assert [number for number, _, _ in told(registry)] == [1, 2]


async def test_repositories_count_apart(app: Repository, registry: Registry) -> None:
    other = registry.repository("other")
    await app.push(IMAGE, "v1")
    await other.push(IMAGE, "v1")
    await other.put(IMAGE, "v2")
    assert [number for number, _, _ in told(registry)] == [1]
    assert [number for number, _, _ in told(registry, "other")] == [1, 2]


async def test_pushes_at_once_are_numbered_without_gap_and_in_the_order_of_the_tag_s_history(start_registry) -> None:
    workers = [await start_registry(), await start_registry()]
    images = [an_image(number) for number in range(8)]
    repositories = [worker.repository("app") for worker in workers]
    for image in images:
        for content in image.blobs.values():
            await repositories[0].push_blob(content)
    answers = await asyncio.gather(*(repositories[number % 2].put(image, "v1") for number, image in enumerate(images)))
    assert {answer.status for answer in answers} == {201}
    events = told(workers[0])
    assert [number for number, _, _ in events] == list(range(1, 9))
    assert (await repositories[0].manifest("v1"))["docker-content-digest"] == events[-1][2]["digest"]
