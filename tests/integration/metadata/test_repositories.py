"""Repositories of /acr/v1. Spec: ACR-REFERENCE 3."""

import asyncio
import json

import pytest
from sqlalchemy import select, update
from tests.content import an_artifact, an_image, an_index, digest_of
from tests.integration.deleting import finish_deletions
from tests.integration.rows import bytes_used, counts_of, multiply_manifest, recounted, recounted_bytes
from tests.invariants import assert_consistent
from tests.registry import FakeClock, Registry, Repository, next_page
from tests.wire import Answer

from entrepot.app.parts import open_content
from entrepot.db.tables import event, manifest, repository
from entrepot.db.tables import registry as registry_table

IMAGE, OTHER = an_image("one"), an_image("two")
OPEN = {"deleteEnabled": True, "writeEnabled": True, "readEnabled": True, "listEnabled": True}


def seen(answer: Answer) -> tuple[int, str | None]:
    return answer.status, answer.code


async def test_a_repository_tells_its_times_counts_and_attributes(app: Repository, clock: FakeClock) -> None:
    await app.push(IMAGE, "v1")
    clock.advance(seconds=1.5)
    await app.push(OTHER, "v1", "v2")
    answer = await app.http.get("/acr/v1/app")
    assert (answer.status, answer["content-type"]) == (200, "application/json; charset=utf-8")
    assert answer.json() == {
        "registry": "localhost:5000",
        "imageName": "app",
        "createdTime": "2024-05-06T07:08:09.0000000Z",
        "lastUpdateTime": "2024-05-06T07:08:10.5000000Z",
        "manifestCount": 2,
        "tagCount": 2,
        "changeableAttributes": OPEN,
    }
    assert answer["docker-distribution-api-version"] == "registry/2.0"


@pytest.mark.parametrize("written", ["team/app", "team%2Fapp", "team%2fapp"])
async def test_a_name_is_read_with_its_slashes_escaped_or_not(registry: Registry, written: str) -> None:
    await registry.repository("team/app").put(an_index(), "v1")
    assert (await registry.http.get(f"/acr/v1/{written}")).json()["imageName"] == "team/app"
    assert (await registry.http.get(f"/acr/v1/{written}/_tags")).json()["imageName"] == "team/app"


async def test_a_challenge_names_the_plain_form(registry: Registry) -> None:
    answer = await registry.nobody.get("/acr/v1/team%2Fapp/_manifests/sha256%3Aaa")
    assert answer.status == 401
    assert answer["www-authenticate"].endswith(',scope="repository:team/app:metadata_read"')
    answer = await registry.nobody.patch("/acr/v1/team%2Fapp", b"{}")
    assert answer["www-authenticate"].endswith(',scope="repository:team/app:metadata_write"')
    answer = await registry.nobody.delete("/acr/v1/team%2Fapp/_tags/v1")
    assert answer["www-authenticate"].endswith(',scope="repository:team/app:delete"')
    answer = await registry.nobody.get("/acr/v1/_catalog")
    assert answer["www-authenticate"].endswith(',scope="registry:catalog:*"')


async def test_a_repository_is_there_from_its_first_manifest_to_its_last(app: Repository) -> None:
    unknown = (404, "NAME_UNKNOWN")
    await app.push_blob(b"not yet a repository")
    assert seen(await app.http.get("/acr/v1/app")) == unknown
    await app.push(IMAGE, "v1")
    assert (await app.http.get("/acr/v1/app")).status == 200
    await app.http.delete(app.path(f"manifests/{IMAGE.digest}"))
    for path in ("", "/_tags", "/_manifests", "/_tags/v1", f"/_manifests/{IMAGE.digest}"):
        assert seen(await app.http.get(f"/acr/v1/app{path}")) == unknown
    assert (await app.http.get("/acr/v1/app")).detail == {"name": "app"}


async def test_a_repository_that_was_emptied_begins_anew_with_its_next_manifest(
    app: Repository, clock: FakeClock
) -> None:
    await app.push(IMAGE, "v1")
    await app.http.delete("/acr/v1/app")
    clock.advance(minutes=1)
    await app.push(OTHER, "v1")
    clock.advance(minutes=1)
    await app.push(IMAGE, "v1")
    told = (await app.http.get("/acr/v1/app")).json()
    assert (told["createdTime"], told["lastUpdateTime"]) == (
        "2024-05-06T07:09:09.0000000Z",
        "2024-05-06T07:10:09.0000000Z",
    )


async def test_a_method_that_a_path_does_not_have_is_refused(app: Repository) -> None:
    await app.push(IMAGE, "v1")
    answer = await app.http.delete(f"/acr/v1/app/_manifests/{IMAGE.digest}")
    assert (answer.status, answer["allow"]) == (405, "GET, PATCH")
    assert (await app.http.put("/acr/v1/app", b"{}")).status == 405
    assert (await app.http.head("/acr/v1/app")).status == 200


# --- the catalog ------------------------------------------------------------------------------------------------------

NAMES = ["1", "a", "a-b", "a/b", "b"]


@pytest.fixture
async def filled(registry: Registry) -> Registry:
    for name in reversed(NAMES):
        await registry.repository(name).put(an_index(), "v1")
    return registry


async def test_the_catalog_lists_repositories_in_ascii_order(filled: Registry) -> None:
    answer = await filled.http.get("/acr/v1/_catalog")
    assert (answer.json(), answer.get("link")) == ({"repositories": NAMES}, None)
    assert answer.body.endswith(b"}\n")


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_the_catalog_has_pages(filled: Registry, size: int) -> None:
    found: list[str] = []
    target: str | None = f"/acr/v1/_catalog?n={size}"
    while target is not None:
        answer = await filled.http.get(target)
        found += answer.json()["repositories"]
        target = next_page(answer)
        assert target is None or target.endswith(f"&n={size}&orderby=")
    assert found == NAMES


async def test_a_repository_that_is_not_to_be_listed_is_told_of_who_asks_for_it(filled: Registry) -> None:
    await filled.http.patch("/acr/v1/a%2Fb", b'{"listEnabled":false}')
    for target in ("/acr/v1/_catalog", "/v2/_catalog"):
        assert "a/b" not in (await filled.http.get(target)).json()["repositories"]
    assert (await filled.http.get("/acr/v1/a/b")).json()["changeableAttributes"] == {**OPEN, "listEnabled": False}


# --- deletion ---------------------------------------------------------------------------------------------------------


async def test_a_deleted_repository_goes_with_all_that_it_holds(registry: Registry, clock: FakeClock) -> None:
    app = registry.repository("app")
    await app.push(IMAGE, "v1", "latest")
    await app.push(OTHER)
    index = an_index([IMAGE, OTHER])
    await app.put(index, "multi")
    clock.advance(hours=1)
    answer = await app.http.delete("/acr/v1/app")
    assert answer.status == 202
    assert answer.json() == {
        "manifestsDeleted": sorted([IMAGE.digest, OTHER.digest, index.digest]),
        "tagsDeleted": ["latest", "multi", "v1"],
    }
    assert seen(await app.http.get("/acr/v1/app")) == (404, "NAME_UNKNOWN")
    assert seen(await app.manifest("v1")) == (404, "MANIFEST_UNKNOWN")
    assert (await registry.http.get("/v2/_catalog")).json() == {"repositories": []}
    for _ in range(2):  # before what it held is deleted, and afterwards
        assert registry.query(bytes_used) == registry.query(recounted_bytes)
        assert_consistent(registry.database, open_content(registry.settings))
        finish_deletions(registry)
    assert not registry.query(lambda tx: tx.execute(select(manifest.c.id)).all())


async def test_a_deletion_is_an_event_and_others_tell_what_went(registry: Registry, clock: FakeClock) -> None:
    app = registry.repository("app")
    await app.push(IMAGE, "v1", "latest")
    await app.push(OTHER)
    clock.advance(hours=1)
    await app.http.delete("/acr/v1/app")
    clock.advance(minutes=1)
    finish_deletions(registry)
    *_, deletion, gone = registry.query(lambda tx: tx.execute(select(event).order_by(event.c.sequence)).all())
    assert [(row.action, row.sequence) for row in (deletion, gone)] == [
        ("delete_repository", 3),
        ("delete_manifests", 4),
    ]
    assert (gone.at, gone.principal, gone.repository_id) == (deletion.at, deletion.principal, deletion.repository_id)
    body, told = json.loads(deletion.body), json.loads(gone.body)
    assert body.pop("request") == told["request"]
    assert told["request"].keys() == {"id", "useragent"}
    assert body == {"manifestCount": 2, "tagCount": 2}
    assert told["manifests"] == [
        {"digest": image.digest, "mediaType": image.media_type, "size": len(image.body), "tags": tags}
        for image, tags in sorted([(IMAGE, ["latest", "v1"]), (OTHER, [])], key=lambda each: each[0].digest)
    ]


async def test_a_large_repository_is_told_in_events_of_a_hundred_and_its_answer_is_cut(
    app: Repository, registry: Registry
) -> None:
    await app.push(IMAGE, "v1")
    registry.query(multiply_manifest, IMAGE.digest, 1099)
    registry.query(lambda tx: tx.execute(update(repository).values(manifest_count=1100)))
    registry.query(
        lambda tx: tx.execute(
            update(registry_table).values(bytes_used=registry_table.c.bytes_used + 1099 * len(IMAGE.body))
        )
    )
    answer = (await app.http.delete("/acr/v1/app")).json()
    assert len(answer["manifestsDeleted"]) == 1000
    assert {**answer, "manifestsDeleted": None} == {
        "manifestsDeleted": None,
        "tagsDeleted": ["v1"],
        "manifestCount": 1100,
        "tagCount": 1,
    }
    finish_deletions(registry, batch=200)
    told = registry.query(
        lambda tx: tx.execute(select(event.c.body).where(event.c.action == "delete_manifests")).scalars().all()
    )
    assert [len(json.loads(body)["manifests"]) for body in told] == [100] * 11
    assert registry.query(bytes_used) == registry.query(recounted_bytes)
    assert_consistent(registry.database, open_content(registry.settings))


@pytest.mark.parametrize("locked", ["manifests/" + IMAGE.digest, "tags/v2"], ids=["manifest", "tag"])
async def test_one_lock_among_many_keeps_all(app: Repository, registry: Registry, locked: str) -> None:
    await app.push(IMAGE, "v1", "v2")
    await app.push(OTHER, "v3")
    await app.http.patch(f"/acr/v1/app/_{locked}", b'{"deleteEnabled":false}')
    assert seen(await app.http.delete("/acr/v1/app")) == (405, "REGISTRY_DISALLOWED_OPERATION")
    assert await app.tags() == ["v1", "v2", "v3"]
    await app.http.patch(f"/acr/v1/app/_{locked}", b'{"deleteEnabled":true}')
    assert (await app.http.delete("/acr/v1/app")).status == 202


async def test_a_repository_is_gone_for_every_reader_before_what_it_held_is_deleted(registry: Registry) -> None:
    app = registry.repository("app")
    await app.push(IMAGE, "v1")
    await app.push(an_artifact(subject=IMAGE.descriptor()))
    assert len(await app.referrers(IMAGE.digest)) == 1
    await app.http.delete("/acr/v1/app")
    for target in ("/v2/_catalog", "/acr/v1/_catalog"):
        assert (await registry.http.get(target)).json() == {"repositories": []}
    for target in ("/acr/v1/app", "/acr/v1/app/_tags", "/acr/v1/app/_manifests", "/v2/app/tags/list"):
        assert seen(await registry.http.get(target)) == (404, "NAME_UNKNOWN")
    for reference in ("v1", IMAGE.digest):
        assert (await app.manifest(reference)).status == 404
    assert await app.referrers(IMAGE.digest) == []
    blob = next(iter(IMAGE.blobs))
    assert not await app.has_blob(blob)
    assert (await app.blob(blob)).status == 404
    for source in ("", "&from=app"):
        answer = await registry.http.post(f"/v2/other/blobs/uploads/?mount={blob}{source}")
        assert answer.status == 202


async def test_a_push_that_was_under_way_ends_well_in_the_repository_that_follows(
    app: Repository, registry: Registry, clock: FakeClock
) -> None:
    await app.push(OTHER, "v1")
    for content in IMAGE.blobs.values():
        await app.push_blob(content)
    upload = await app.start()
    await upload.append(b"half")
    await app.http.delete("/acr/v1/app")
    finish_deletions(registry)
    assert (await app.put(IMAGE, "v2")).status == 201
    assert (await upload.close(digest_of(b"half and half"), b" and half")).status == 201
    assert [(await app.blob(digest)).body for digest in IMAGE.blobs] == list(IMAGE.blobs.values())
    assert (await app.manifest("v1")).status == 404
    assert registry.query(bytes_used) == registry.query(recounted_bytes)
    assert_consistent(registry.database, open_content(registry.settings))
    await app.http.delete("/acr/v1/app")
    clock.advance(hours=1, seconds=1)
    assert (await app.put(IMAGE, "v2")).code == "MANIFEST_BLOB_UNKNOWN"


async def test_a_deletion_beside_pushes_takes_what_was_there_and_nothing_that_came_later(registry: Registry) -> None:
    app = registry.repository("app")
    images = [an_image(f"race-{number}") for number in range(8)]
    gone: list[str] = []

    async def delete() -> None:
        answer = await app.http.delete("/acr/v1/app")
        assert answer.status in {202, 404}, answer.body
        gone.extend(answer.json()["manifestsDeleted"] if answer.status == 202 else ())

    async with asyncio.TaskGroup() as clients:
        for number, image in enumerate(images):
            clients.create_task(app.push(image, f"v{number}"))
            clients.create_task(delete())
    for number, image in enumerate(images):
        expected = 404 if image.digest in gone else 200
        assert (await app.manifest(f"v{number}")).status == expected
        assert (await app.manifest(image.digest)).status == expected
    assert registry.query(lambda tx: counts_of(tx, "app")) == registry.query(lambda tx: recounted(tx, "app"))
    assert registry.query(bytes_used) == registry.query(recounted_bytes)
    assert_consistent(registry.database, open_content(registry.settings))


async def test_a_repository_without_tags_tells_null_for_them(app: Repository) -> None:
    await app.push(IMAGE)
    answer = await app.http.delete("/acr/v1/app")
    assert answer.json() == {"manifestsDeleted": [IMAGE.digest], "tagsDeleted": None}


async def test_what_is_not_there_is_not_deleted_and_not_twice(app: Repository) -> None:
    await app.push(IMAGE)
    answers = [await app.http.delete(f"/acr/v1/{name}") for name in ("absent", "app", "app")]
    assert [answer.status for answer in answers] == [404, 202, 404]


async def test_the_other_repositories_stay(registry: Registry) -> None:
    await registry.repository("app").push(IMAGE, "v1")
    await registry.repository("app/below").push(IMAGE, "v1")
    await registry.http.delete("/acr/v1/app")
    below = registry.repository("app/below")
    assert (await below.manifest("v1")).body == IMAGE.body
    assert [(await below.blob(digest)).status for digest in IMAGE.blobs] == [200] * 3


async def test_a_deleted_repository_can_be_pushed_again_and_has_no_attributes_left(app: Repository) -> None:
    await app.push(IMAGE, "v1")
    await app.http.patch("/acr/v1/app", b'{"listEnabled":false,"readEnabled":false}')
    assert (await app.http.delete("/acr/v1/app")).status == 202
    await app.push(IMAGE, "v1")
    assert (await app.http.get("/acr/v1/app")).json()["changeableAttributes"] == OPEN
    assert (await app.manifest("v1")).body == IMAGE.body
