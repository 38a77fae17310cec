"""Soft delete on the data plane: what was deleted is told, and restored. Spec: ACR-REFERENCE 3.1, 8.5."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.content import Manifest, an_artifact, an_image, an_index, digest_of
from tests.integration.deleting import expire, finish_deletions
from tests.integration.rows import bytes_used, counts_of, recounted, recounted_bytes, set_manifest, set_tag
from tests.invariants import assert_consistent
from tests.registry import FakeClock, Registry, Repository, next_page
from tests.wire import Answer

from entrepot.app.parts import open_content
from entrepot.db.tables import blob, manifest, repository, repository_blob
from entrepot.db.tables import registry as registry_table
from entrepot.oci.digest import Digest
from entrepot.retention.check.check import Check
from entrepot.retention.check.model import Fault
from entrepot.retention.collect import Collector, Site
from entrepot.retention.explain.explain import Question, explain
from entrepot.retention.model import Waits

IMAGE, OTHER = an_image("one"), an_image("two")
DAYS = 7
HOUR = timedelta(hours=1)
WAITS = Waits(unlinked=24 * HOUR, condemned=HOUR, retired=HOUR, upload=24 * HOUR)


@pytest.fixture
def app(registry: Registry) -> Repository:
    """The repository ``app`` of a registry with soft delete."""
    keep(registry)
    return registry.repository("app")


def keep(registry: Registry, **policy: Any) -> None:  # noqa: ANN401  any column's value
    values = {"soft_delete": True, "soft_delete_days": DAYS, **policy}
    registry.query(lambda tx: tx.execute(update(registry_table).values(**values)))


@pytest.fixture(autouse=True)
def sound(registry: Registry):
    """Whatever was deleted and restored, figures are right and nothing is missing."""
    yield
    assert registry.query(bytes_used) == registry.query(recounted_bytes)
    assert_consistent(registry.database, open_content(registry.settings))


async def delete(app: Repository, rest: str = "") -> None:
    """A manifest or a tag of it, or all of it."""
    target = f"/v2/{app.name}/manifests/{rest}" if rest else f"/acr/v1/{app.name}"
    assert (await app.http.delete(target)).status == 202


async def restore(app: Repository, digest: str, tag: str | None = None, force: str = "False") -> Answer:
    """As az sends it."""
    target = f"/acr/v1/_deleted/{app.name}/_manifests/{digest}?force={force}"
    return await app.http.post(target, json.dumps({"tag": tag}).encode())


async def deleted(app: Repository, what: str) -> list[tuple[str, ...]]:
    rows = (await app.http.get(f"/acr/v1/_deleted/{app.name}/_{what}")).json()[what]
    return [tuple(value for name, value in row.items() if name in {"tag", "digest"}) for row in rows]


async def catalog(app: Repository) -> list[str]:
    rows = (await app.http.get("/acr/v1/_deleted/_catalog")).json()["repositories"]
    return [row["repository"] for row in rows]


def site(registry: Registry) -> Site:
    return Site(registry.database, open_content(registry.settings), WAITS, 1_000_000, registry.clock, lambda _: None)


def collect(registry: Registry, hours: float) -> None:
    """Let time pass, and garbage be collected."""
    registry.clock.advance(hours=hours)
    Collector(site(registry)).collect(lambda: False, lambda _: None)


async def is_whole(app: Repository, image: Manifest, reference: str) -> bool:
    """Whether the image is there byte for byte."""
    found = await app.manifest(reference)
    blobs = [(await app.blob(digest)).body for digest in image.blobs]
    return (found.status, found.body, blobs) == (200, image.body, list(image.blobs.values()))


# --- manifests --------------------------------------------------------------------------------------------------------


async def test_a_deleted_manifest_is_there_for_nobody_and_restored_byte_for_byte(
    app: Repository, registry: Registry, clock: FakeClock
) -> None:
    await app.push(IMAGE, "v1", "latest")
    await app.push(OTHER, "other")
    clock.advance(hours=1)
    used = registry.query(bytes_used)
    await delete(app, IMAGE.digest)
    assert registry.query(bytes_used) == used
    for reference in ("v1", IMAGE.digest):
        assert (await app.manifest(reference)).status == 404
    own = IMAGE.blobs.keys() - OTHER.blobs.keys()
    assert own
    for digest in own:
        assert not await app.has_blob(digest)
        assert (await app.blob(digest)).status == 404
        mount = await registry.http.post(f"/v2/else/blobs/uploads/?mount={digest}&from=app")
        assert mount.status == 202
    assert await is_whole(app, OTHER, "other")
    listed = (await app.http.get("/acr/v1/_deleted/app/_manifests")).json()
    assert listed == {
        "manifests": [
            {
                "digest": IMAGE.digest,
                "createdAt": "2024-05-06T07:08:09.0000000Z",
                "deletedAt": "2024-05-06T08:08:09.0000000Z",
            }
        ]
    }
    assert await deleted(app, "tags") == [("latest", IMAGE.digest), ("v1", IMAGE.digest)]
    collect(registry, 100)
    assert (await restore(app, IMAGE.digest, "v1")).json() == {
        "registry": "localhost:5000",
        "imageName": "app",
        "digest": IMAGE.digest,
        "tag": "v1",
    }
    assert await is_whole(app, IMAGE, "v1")
    assert await app.tags() == ["other", "v1"]
    assert await deleted(app, "manifests") == []
    assert await deleted(app, "tags") == [("latest", IMAGE.digest)]
    assert registry.query(lambda tx: (counts_of(tx, "app"), recounted(tx, "app"))) == ((2, 2), (2, 2))


async def test_a_manifest_is_restored_without_a_tag(app: Repository) -> None:
    await app.push(IMAGE, "v1")
    await delete(app, IMAGE.digest)
    assert (await restore(app, IMAGE.digest)).status == 200
    assert await is_whole(app, IMAGE, IMAGE.digest)
    assert await app.tags() == []


async def test_a_push_of_a_deleted_digest_brings_it_back(app: Repository) -> None:
    await app.push(IMAGE, "v1")
    await delete(app, IMAGE.digest)
    assert (await app.put(IMAGE, "v2")).status == 201
    assert await is_whole(app, IMAGE, "v2")
    assert await deleted(app, "manifests") == []


async def test_what_was_not_deleted_is_not_restored(app: Repository) -> None:
    await app.push(IMAGE, "v1")
    await app.push(OTHER, "v2")
    await delete(app, "v1")
    for digest, tag in ((OTHER.digest, "v1"), (IMAGE.digest, "v2"), (IMAGE.digest, None), (digest_of(b"x"), None)):
        assert (await restore(app, digest, tag)).code == "MANIFEST_UNKNOWN"
    assert await app.tags() == ["v2"]


async def test_without_soft_delete_nothing_is_kept(app: Repository, registry: Registry) -> None:
    keep(registry, soft_delete=False)
    await app.push(IMAGE, "v1")
    await delete(app, "v1")
    await delete(app, IMAGE.digest)
    assert await deleted(app, "manifests") == await deleted(app, "tags") == await catalog(app) == []
    assert (await restore(app, IMAGE.digest)).status == 404


async def test_a_blob_of_deleted_and_live_manifests_stays_readable_until_the_last_live_one_goes(
    app: Repository, registry: Registry
) -> None:
    same = IMAGE.changed(annotations={"of": "the same layers"})
    await app.push(IMAGE, "v1")
    await app.push(same, "v2")
    shared = next(iter(IMAGE.blobs))
    await delete(app, IMAGE.digest)
    assert (await app.blob(shared)).status == 200
    keep(registry, soft_delete=False)
    await delete(app, same.digest)
    assert (await app.blob(shared)).status == 404
    collect(registry, 100)
    assert (await restore(app, IMAGE.digest)).status == 200
    assert (await app.blob(shared)).status == 200


async def test_a_blob_that_is_pushed_again_is_there_as_long_as_any_upload(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1")
    await delete(app, IMAGE.digest)
    digest, content = next(iter(IMAGE.blobs.items()))
    await app.push_blob(content)
    assert await app.has_blob(digest)
    collect(registry, 25)
    assert not await app.has_blob(digest)
    assert (await restore(app, IMAGE.digest, "v1")).status == 200
    assert await is_whole(app, IMAGE, "v1")


# --- indexes, referrers -----------------------------------------------------------------------------------------------


async def test_an_index_comes_back_with_its_children(app: Repository) -> None:
    index = an_index([IMAGE, OTHER])
    for image in (IMAGE, OTHER):
        await app.push(image)
    await app.put(index, "multi")
    for digest in (index.digest, IMAGE.digest, OTHER.digest):
        await delete(app, digest)
    assert (await restore(app, index.digest, "multi")).status == 200
    assert (await app.manifest("multi")).body == index.body
    for image in (IMAGE, OTHER):
        assert await is_whole(app, image, image.digest)


async def test_a_referrer_comes_back_after_its_subject(app: Repository) -> None:
    sbom = an_artifact(subject=IMAGE.descriptor())
    await app.push(IMAGE, "v1")
    await app.push(sbom)
    for digest in (sbom.digest, IMAGE.digest):
        await delete(app, digest)
    refused = await restore(app, sbom.digest)
    assert refused.status == 409
    assert IMAGE.digest in refused.json()["errors"][0]["message"]
    for digest in (IMAGE.digest, sbom.digest):
        assert (await restore(app, digest)).status == 200
    assert [found["digest"] for found in await app.referrers(IMAGE.digest)] == [sbom.digest]


# --- tags -------------------------------------------------------------------------------------------------------------


async def test_a_deleted_tag_is_restored_and_its_manifest_was_never_away(app: Repository) -> None:
    await app.push(IMAGE, "v1")
    await delete(app, "v1")
    assert await deleted(app, "manifests") == []
    assert (await restore(app, IMAGE.digest, "v1")).status == 200
    assert await is_whole(app, IMAGE, "v1")
    assert await deleted(app, "tags") == []


async def test_a_tag_that_was_moved_is_history_and_no_deletion(app: Repository) -> None:
    await app.push(IMAGE, "v1")
    await app.push(OTHER, "v1")
    assert await deleted(app, "tags") == []


async def test_of_one_tag_the_newest_is_told_last(app: Repository, clock: FakeClock) -> None:
    for image in (OTHER, IMAGE):
        await app.push(image, "v1")
        await delete(app, "v1")
        clock.advance(minutes=1)
    assert await deleted(app, "tags") == [("v1", OTHER.digest), ("v1", IMAGE.digest)]


async def test_a_tag_that_is_taken_is_replaced_by_force_alone_and_what_it_named_can_be_restored(
    app: Repository,
) -> None:
    await app.push(IMAGE, "v1")
    await delete(app, IMAGE.digest)
    await app.push(OTHER, "v1")
    refused = await restore(app, IMAGE.digest, "v1")
    assert (refused.status, refused.code) == (409, "DENIED")
    assert await is_whole(app, OTHER, "v1")
    assert (await restore(app, IMAGE.digest, "v1", "True")).status == 200
    assert await is_whole(app, IMAGE, "v1")
    assert await deleted(app, "tags") == [("v1", OTHER.digest)]


async def test_force_does_not_replace_what_is_locked(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1")
    await delete(app, IMAGE.digest)
    await app.push(OTHER, "v1")
    registry.query(lambda tx: set_tag(tx, "v1", write_enabled=False))
    assert (await restore(app, IMAGE.digest, "v1", "true")).status == 405
    assert await deleted(app, "manifests") == [(IMAGE.digest,)]


# --- repositories -----------------------------------------------------------------------------------------------------


async def test_a_deleted_repository_is_restored_as_it_was(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1")
    await app.push(OTHER, "v2")
    await app.http.patch("/acr/v1/app", b'{"listEnabled":false}')
    before = (await app.http.get("/acr/v1/app")).json()
    await delete(app)
    finish_deletions(registry)
    collect(registry, 100)
    assert await catalog(app) == ["app"]
    assert (await app.blob(next(iter(IMAGE.blobs)))).status == 404
    assert await deleted(app, "tags") == [("v1", IMAGE.digest), ("v2", OTHER.digest)]
    assert sorted(await deleted(app, "manifests")) == sorted([(IMAGE.digest,), (OTHER.digest,)])
    restored = await registry.http.post("/acr/v1/_deleted/app")
    assert {**restored.json(), "lastUpdateTime": None} == {**before, "lastUpdateTime": None}
    assert await is_whole(app, IMAGE, "v1")
    assert await is_whole(app, OTHER, "v2")
    assert await catalog(app) == []
    assert (await registry.http.post("/acr/v1/_deleted/app")).code == "NAME_UNKNOWN"


async def test_a_manifest_of_a_deleted_repository_comes_into_the_one_that_has_its_name_now(
    app: Repository, registry: Registry, clock: FakeClock
) -> None:
    await app.push(IMAGE, "v1", "latest")
    await app.push(OTHER, "v2")
    await delete(app)
    finish_deletions(registry)
    clock.advance(hours=5)
    third = an_image("three")
    await app.push(third, "v1")
    assert (await restore(app, IMAGE.digest, "latest")).status == 200
    assert await is_whole(app, IMAGE, "latest")
    assert await is_whole(app, third, "v1")
    told = (await app.http.get(f"/acr/v1/app/_manifests/{IMAGE.digest}")).json()["manifest"]
    assert told["createdTime"] == "2024-05-06T07:08:09.0000000Z"
    assert await deleted(app, "manifests") == [(OTHER.digest,)]
    assert await deleted(app, "tags") == [("v1", IMAGE.digest), ("v2", OTHER.digest)]
    assert (await restore(app, OTHER.digest, "v2")).status == 200
    finish_deletions(registry)
    assert registry.query(lambda tx: tx.execute(select(repository.c.id).where(repository.c.is_kept)).all()) == []


async def test_a_repository_whose_name_is_taken_is_restored_by_force_alone_and_replaces_the_other(
    app: Repository, registry: Registry
) -> None:
    await app.push(IMAGE, "v1")
    await delete(app)
    await app.push(OTHER, "v2")
    assert (await registry.http.post("/acr/v1/_deleted/app")).status == 409
    assert await app.tags() == ["v2"]
    assert (await registry.http.post("/acr/v1/_deleted/app?force=true")).status == 200
    assert await app.tags() == ["v1"]
    assert await deleted(app, "tags") == [("v2", OTHER.digest)]
    registry.query(lambda tx: set_manifest(tx, IMAGE.digest, delete_enabled=False))
    assert (await registry.http.post("/acr/v1/_deleted/app?force=true")).status == 405


async def test_a_repository_of_which_each_manifest_was_deleted_is_told_too(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1")
    await delete(app, IMAGE.digest)
    await registry.repository("live").push(IMAGE)
    assert await catalog(app) == ["app"]
    assert (await restore(app, IMAGE.digest, "v1")).status == 200
    assert await catalog(app) == []


# --- the end ----------------------------------------------------------------------------------------------------------


async def test_what_was_deleted_goes_when_its_days_are_over_by_the_policy_of_that_day(
    app: Repository, registry: Registry, clock: FakeClock
) -> None:
    whole = registry.repository("whole")
    await app.push(IMAGE, "v1")
    await app.push(OTHER, "v2")
    await whole.push(IMAGE, "v1")
    await delete(app, IMAGE.digest)
    await delete(app, "v2")
    await delete(whole)
    keep(registry, soft_delete=False)
    clock.advance(days=DAYS, seconds=-1)
    expire(registry)
    assert await catalog(app) == ["whole"]
    assert await deleted(app, "tags") == [("v1", IMAGE.digest), ("v2", OTHER.digest)]
    clock.advance(seconds=1)
    expire(registry)
    assert await catalog(app) == await deleted(app, "manifests") == await deleted(app, "tags") == []
    assert (await restore(app, IMAGE.digest)).status == 404
    digests = registry.query(lambda tx: tx.execute(select(manifest.c.digest)).scalars().all())
    assert digests == [OTHER.digest]
    assert await is_whole(app, OTHER, OTHER.digest)
    for hours in (25, 2, 2):
        collect(registry, hours)
    assert registry.query(bytes_used) == len(OTHER.body) + sum(map(len, OTHER.blobs.values()))


async def test_fewer_days_count_for_what_was_deleted_before(
    app: Repository, registry: Registry, clock: FakeClock
) -> None:
    await app.push(IMAGE, "v1")
    await delete(app, IMAGE.digest)
    clock.advance(days=2)
    expire(registry)
    assert await deleted(app, "manifests") == [(IMAGE.digest,)]
    keep(registry, soft_delete_days=1)
    expire(registry)
    assert await deleted(app, "manifests") == []


async def test_an_explanation_tells_until_when_something_can_be_restored(
    app: Repository, registry: Registry, clock: FakeClock
) -> None:
    await app.push(IMAGE, "v1")
    await delete(app, IMAGE.digest)
    asked = Question(Digest.parse(IMAGE.digest), None, clock.now, WAITS)
    (line,) = registry.database.read(explain, asked)
    assert line.startswith("local/app: manifest kept: deleted at 2024-05-06 07:08:09 UTC")
    assert line.endswith("can be restored until 2024-05-13 07:08:09 UTC")
    blob = Question(Digest.parse(next(iter(IMAGE.blobs))), "app", clock.now, WAITS)
    (line,) = registry.database.read(explain, blob)
    assert f"deleted manifest {IMAGE.digest}" in line


async def test_a_check_finds_a_blob_that_is_hidden_and_needed_and_puts_it_right(
    app: Repository, registry: Registry, clock: FakeClock
) -> None:
    await app.push(IMAGE, "v1")
    digest = next(iter(IMAGE.blobs))
    of_digest = select(blob.c.id).where(blob.c.digest == digest).scalar_subquery()
    hidden = update(repository_blob).where(repository_blob.c.blob_id == of_digest).values(deleted_at=clock.now)
    registry.query(lambda tx: tx.execute(hidden))
    check = Check(site(registry), None)
    (found,) = check.findings()
    assert (found.fault, found.subject) == (Fault.HIDDEN, digest)
    assert check.repair(found)
    assert (await app.blob(digest)).body == IMAGE.blobs[digest]


# --- lists, rights ----------------------------------------------------------------------------------------------------


async def test_lists_have_pages(app: Repository, registry: Registry) -> None:
    images = [an_image(f"image {number}") for number in range(4)]
    for number, image in enumerate(images):
        await app.push(image, f"v{number}")
        await registry.repository(f"r{number}").push(image)
        await delete(registry.repository(f"r{number}"))
        await delete(app, image.digest)
    for target, what in (
        ("/acr/v1/_deleted/_catalog", "repositories"),
        ("/acr/v1/_deleted/app/_manifests", "manifests"),
        ("/acr/v1/_deleted/app/_tags", "tags"),
    ):
        whole = (await registry.http.get(target)).json()[what]
        found: list[dict[str, str]] = []
        page: str | None = f"{target}?n=3"
        while page is not None:
            answer = await registry.http.get(page)
            found += answer.json()[what]
            page = next_page(answer)
        assert found == whole
        assert len(whole) == (5 if what == "repositories" else 4)


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/acr/v1/_deleted/_catalog", "registry:deleted_catalog:*"),
        ("GET", "/acr/v1/_deleted/team/app/_manifests", "repository:team/app:deleted_read"),
        ("GET", "/acr/v1/_deleted/team%2Fapp/_tags", "repository:team/app:deleted_read"),
        ("POST", "/acr/v1/_deleted/app/_manifests/sha256:aa", "repository:app:deleted_read,deleted_restore"),
        ("POST", "/acr/v1/_deleted/app", "repository:app:deleted_read,deleted_restore"),
    ],
)
async def test_each_takes_rights_of_its_own(registry: Registry, method: str, path: str, scope: str) -> None:
    answer = await registry.nobody.send(method, path)
    assert answer.status == 401
    assert answer["www-authenticate"].endswith(f',scope="{scope}"')
    mine = await registry.bearer(scope)
    assert (await mine.send(method, path)).status in {200, 400, 404}
    for other in ("repository:app:pull,push,delete,metadata_read,metadata_write", "registry:catalog:*"):
        assert (await (await registry.bearer(other)).send(method, path)).status == 401


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"tag":1}', b'{"tag":"not a tag"}'])
async def test_a_body_that_cannot_be_read_restores_nothing(app: Repository, body: bytes) -> None:
    await app.push(IMAGE, "v1")
    await delete(app, IMAGE.digest)
    assert (await app.http.post(f"/acr/v1/_deleted/app/_manifests/{IMAGE.digest}", body)).status == 400
    assert (await app.http.post(f"/acr/v1/_deleted/app/_manifests/{IMAGE.digest}?force=perhaps")).status == 400
    assert (await app.manifest(IMAGE.digest)).status == 404
