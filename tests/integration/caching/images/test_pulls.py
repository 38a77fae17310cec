"""A pull of a cached repository gets the source's image at once, keeps it, and outlives its source."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable

import pytest
from sqlalchemy import Connection, func, select, update
from tests.content import OCI_LAYER, Manifest, a_docker_image, an_artifact, an_image, an_index, some_bytes
from tests.foreign import ForeignRegistry, foreign_registry
from tests.integration.caching.images.conftest import REGISTRY, Caching, Worker
from tests.management import management
from tests.outside import Asked, Authority, answer
from tests.registry import Registry, Repository
from tests.wire import Client

from entrepot.caching.model import Rule
from entrepot.caching.queries import insert_rule
from entrepot.db.cache_tables import cache_fill
from entrepot.db.tables import registry as registry_table
from entrepot.db.tables import upload

Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


def manifests_asked(hub: ForeignRegistry) -> list[tuple[str, str]]:
    return [(asked.method, asked.target.rpartition("/")[2]) for asked in hub.asked if "/manifests/" in asked.target]


def blobs_asked(hub: ForeignRegistry) -> list[str]:
    return sorted(asked.target.rpartition("/")[2] for asked in hub.asked if "/blobs/" in asked.target)


def on_their_way(registry: Registry) -> int:
    def count(tx: Connection) -> int:
        return tx.execute(select(func.count()).select_from(cache_fill)).scalar_one()

    return registry.query(count)


def away(hub: ForeignRegistry, status: int = 503, **headers: str) -> None:
    def wrong(_asked: Asked) -> Iterable[bytes]:
        return answer(status, b"{}", headers)

    hub.wrong = wrong


@pytest.fixture
def app(registry: Registry) -> Repository:
    return registry.repository("mirror/app")


@pytest.fixture
async def kept(registry: Registry, until: Until) -> Callable[[], Awaitable[None]]:
    """Waits until nothing is on its way."""

    async def nothing() -> bool:
        return not on_their_way(registry)

    return lambda: until(nothing)


async def pull(repository: Repository, image: Manifest, tag: str = "v1") -> None:
    """As clients do it: the manifest, then everything that it names, at once."""
    found = await repository.manifest(tag)
    assert (found.status, found.body, found["content-type"]) == (200, image.body, image.media_type), found.body
    blobs = await asyncio.gather(*(repository.blob(digest) for digest in image.blobs))
    assert [each.body for each in blobs] == list(image.blobs.values())


@pytest.mark.parametrize("image", [an_image(layers=3, size=100_000), a_docker_image(), an_artifact()])
async def test_the_first_pull_passes_through_and_the_next_needs_no_source(
    hub: ForeignRegistry, caching: Caching, worker: Worker, app: Repository, image: Manifest, kept
) -> None:
    hub.hold("team/app", image, "v1")
    caching("mirror/app", "team/app")
    with worker():
        await pull(app, image)
        await kept()
    away(hub)
    await pull(app, image)
    assert await app.tags() == ["v1"]


async def test_a_byte_is_asked_for_once_whatever_the_number_of_clients(
    hub: ForeignRegistry, caching: Caching, worker: Worker, app: Repository, registry: Registry, kept
) -> None:
    image = an_image(layers=3, size=200_000)
    hub.hold("team/app", image, "v1")
    caching("mirror/app", "team/app")
    with worker():
        await asyncio.gather(*(pull(app, image) for _ in range(8)))
        await kept()
    assert blobs_asked(hub) == sorted(image.blobs)
    assert manifests_asked(hub) == [("HEAD", "v1"), ("GET", image.digest)]
    used = registry.query(lambda tx: tx.execute(select(registry_table.c.bytes_used)).scalar_one())
    assert used == sum(map(len, image.blobs.values())) + len(image.body)
    assert registry.query(lambda tx: tx.execute(select(upload.c.id)).all()) == []


async def test_a_large_blob_comes_while_it_is_copied(
    hub: ForeignRegistry, caching: Caching, worker: Worker, app: Repository, kept
) -> None:
    """More than one request's bytes: the first part is read by the client before the last has left the source."""
    image = an_image(layers=1, size=5_000_000)
    layer = max(image.blobs, key=lambda digest: len(image.blobs[digest]))
    hub.hold("team/app", image, "v1")
    caching("mirror/app", "team/app")
    await app.manifest("v1")
    with worker():
        assert (await app.blob(layer)).body == image.blobs[layer]
        await kept()


async def test_the_size_of_a_blob_on_its_way_is_known(hub: ForeignRegistry, caching: Caching, app: Repository) -> None:
    image = an_image(size=1234)
    hub.hold("team/app", image, "v1")
    caching("mirror/app", "team/app")
    await app.manifest("v1")
    for digest, content in image.blobs.items():
        head = await app.http.head(app.path(f"blobs/{digest}"))
        assert (head.status, head["content-length"]) == (200, f"{len(content)}")
    assert (await app.blob(an_image("other").digest)).status == 404


async def test_of_an_index_only_what_is_pulled_is_kept(
    hub: ForeignRegistry, caching: Caching, worker: Worker, app: Repository, kept
) -> None:
    one, two = an_image("one", architecture="amd64"), an_image("two", architecture="arm64")
    index = an_index([one, two])
    hub.hold("team/app", one)
    hub.hold("team/app", two)
    hub.hold("team/app", index, "v1")
    caching("mirror/app", "team/app")
    with worker():
        assert (await app.manifest("v1")).body == index.body
        await pull(app, one, one.digest)
        await kept()
    assert blobs_asked(hub) == sorted(one.blobs)
    away(hub)
    assert (await app.manifest("v1")).body == index.body
    await pull(app, one, one.digest)
    assert (await app.manifest(two.digest)).status == 502


async def test_a_tag_that_moved_is_seen_after_a_while_and_not_before(
    hub: ForeignRegistry, caching: Caching, worker: Worker, app: Repository, registry: Registry, kept
) -> None:
    old, new = an_image("old"), an_image("new")
    hub.hold("team/app", old, "v1")
    caching("mirror/app", "team/app")
    with worker():
        await pull(app, old)
        await kept()
        hub.hold("team/app", new, "v1")
        registry.clock.advance(seconds=59)
        await pull(app, old)
        registry.clock.advance(seconds=2)
        await pull(app, new)
        await kept()
    # By its digest the old one stays.
    away(hub)
    await pull(app, old, old.digest)
    assert (await app.manifest("v1")).body == new.body


async def test_a_source_that_is_away_is_told_of_and_asked_once_in_a_while(
    hub: ForeignRegistry, caching: Caching, worker: Worker, app: Repository, registry: Registry, kept
) -> None:
    image = an_image()
    hub.hold("team/app", image, "v1")
    caching("mirror/app", "team/app")
    with worker():
        await pull(app, image)
        await kept()
    away(hub)
    registry.clock.advance(seconds=90)
    before = len(hub.asked)
    old = await app.manifest("v1")
    assert (old.status, old.body, old["age"]) == (200, image.body, "90")
    assert old["warning"].startswith('299 - "the cached image may be old: ')
    assert "answered 503" in old["warning"]
    for _ in range(5):
        found = await app.manifest("v1")
        assert (found.status, found["age"], "warning" in dict(found.headers)) == (200, "90", True)
    assert len(hub.asked) == before + 1
    registry.clock.advance(seconds=70)
    assert (await app.manifest("v1"))["age"] == "160"
    assert len(hub.asked) == before + 2
    hub.wrong = lambda _asked: None
    registry.clock.advance(seconds=70)
    found = await app.manifest("v1")
    assert (found.status, "warning" in dict(found.headers), "age" in dict(found.headers)) == (200, False, False)


async def test_a_tag_that_is_gone_at_the_source_stays_here(
    hub: ForeignRegistry, caching: Caching, worker: Worker, app: Repository, registry: Registry, kept
) -> None:
    image = an_image()
    hub.hold("team/app", image, "v1")
    caching("mirror/app", "team/app")
    with worker():
        await pull(app, image)
        await kept()
    del hub.manifests["team/app", "v1"]
    registry.clock.advance(seconds=90)
    found = await app.manifest("v1")
    assert (found.status, found.body) == (200, image.body)
    assert "has no tag 'v1'" in found["warning"]


async def test_no_more_requests_is_no_missing_image(hub: ForeignRegistry, caching: Caching, app: Repository) -> None:
    caching("mirror/app", "team/app", "hub-rule")
    away(hub, 429, **{"retry-after": "17"})
    refused = await app.manifest("v1")
    assert (refused.status, refused["retry-after"]) == (429, "17")
    assert refused.json()["errors"][0]["code"] == "TOOMANYREQUESTS"
    assert "cache rule 'hub-rule'" in refused.json()["errors"][0]["message"]


async def test_what_the_source_does_not_have_is_not_found(
    hub: ForeignRegistry, caching: Caching, app: Repository
) -> None:
    caching("mirror/app", "team/app")
    missing = an_image().digest
    for reference in ("v1", missing):
        found = await app.manifest(reference)
        assert (found.status, found.json()["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")


async def test_wrong_bytes_are_never_kept(
    hub: ForeignRegistry, caching: Caching, worker: Worker, app: Repository, registry: Registry, until: Until
) -> None:
    image = an_image(layers=1)
    layer = list(image.blobs)[-1]
    hub.hold("team/app", image, "v1")
    hub.blobs[layer] = bytes(len(hub.blobs[layer]))
    caching("mirror/app", "team/app")
    with worker():
        assert (await app.manifest("v1")).status == 200

        async def failed() -> bool:
            return (await app.blob(layer)).status == 502

        await until(failed)
    told = await app.manifest("v1")
    assert (told.status, told.json()["errors"][0]["code"]) == (502, "UNAVAILABLE")
    assert "gave other bytes" in told.json()["errors"][0]["message"]


async def test_a_fill_that_failed_is_tried_again(
    hub: ForeignRegistry, caching: Caching, worker: Worker, app: Repository, registry: Registry, until: Until, kept
) -> None:
    image = an_image(layers=1)
    layer = list(image.blobs)[-1]
    hub.hold("team/app", image, "v1")
    content = hub.blobs.pop(layer)
    caching("mirror/app", "team/app")
    with worker():
        await app.manifest("v1")

        async def failed() -> bool:
            return (await app.manifest("v1")).status == 502

        await until(failed)
        hub.blobs[layer] = content
        registry.clock.advance(days=4000)
        await pull(app, image)
        await kept()


async def test_a_wildcard_is_for_every_repository_below_it(
    hub: ForeignRegistry, caching: Caching, worker: Worker, registry: Registry, kept
) -> None:
    image = an_image()
    hub.hold("team/deep/app", image, "v1")
    caching("hub/*", "*")
    with worker():
        await pull(registry.repository("hub/team/deep/app"), image)
        await kept()
    assert (await registry.repository("team/deep/app").manifest("v1")).status == 404


async def test_what_was_pushed_under_a_wildcard_is_never_asked_for_elsewhere(
    hub: ForeignRegistry, caching: Caching, registry: Registry
) -> None:
    """A name that somebody takes at the source must not take the place of one's own (dependency confusion)."""
    own, taken = an_image("own"), an_image("taken")
    caching("*", "*")
    ours = registry.repository("team/app")
    assert (await ours.push(own, "v1")).status == 201
    hub.hold("team/app", taken, "v1", "v2")
    assert (await ours.manifest("v1")).body == own.body
    assert (await ours.manifest("v2")).status == 404
    assert hub.asked == []


async def test_nobody_pushes_into_what_a_source_fills(
    hub: ForeignRegistry, caching: Caching, worker: Worker, registry: Registry, app: Repository, kept
) -> None:
    image = an_image()
    hub.hold("team/app", image, "v1")
    caching("mirror/app", "team/app", "hub-rule")
    for refused in (
        await app.put(image, "v1"),
        await app.http.post(app.path("blobs/uploads/")),
    ):
        assert (refused.status, refused.json()["errors"][0]["code"]) == (405, "REGISTRY_DISALLOWED_OPERATION")
        assert "cache rule 'hub-rule'" in refused.json()["errors"][0]["detail"]["reason"]


async def test_a_locked_tag_stays_what_it_is(
    hub: ForeignRegistry, caching: Caching, worker: Worker, registry: Registry, app: Repository, kept
) -> None:
    old, new = an_image("old"), an_image("new")
    hub.hold("team/app", old, "v1", "v2")
    caching("mirror/app", "team/app")
    with worker():
        await pull(app, old)
        await kept()
        locked = await app.http.patch("/acr/v1/mirror/app/_tags/v1", b'{"writeEnabled": false}')
        assert locked.status == 200, locked.body
        hub.hold("team/app", new, "v1")
        registry.clock.advance(seconds=90)
        await pull(app, old)
    assert ("HEAD", "v1") in manifests_asked(hub)


async def test_whoever_may_not_pull_reaches_no_source(
    hub: ForeignRegistry, caching: Caching, registry: Registry
) -> None:
    hub.hold("team/app", an_image(), "v1")
    caching("mirror/app", "team/app")
    nobody = Repository(registry.nobody, "mirror/app")
    assert (await nobody.manifest("v1")).status == 401
    assert hub.asked == []


async def test_a_source_that_names_a_blob_of_another_repository_does_not_get_it_read(
    hub: ForeignRegistry, caching: Caching, worker: Worker, registry: Registry, until: Until
) -> None:
    """A manifest may name any digest. Where whoever pulls may not read it here, its bytes come from the source."""
    caching("mirror/app", "team/app")
    secret = some_bytes(5000, "secret")
    digest = await registry.repository("secret").push_blob(secret)
    image = an_image(layers=0)
    layer = {"mediaType": OCI_LAYER, "digest": digest, "size": len(secret)}
    hub.hold("team/app", image.changed(layers=[layer]), "v1")
    theirs = Repository(await _reader(registry, "mirror/app"), "mirror/app")
    with worker():
        assert (await theirs.manifest("v1")).status == 200

        async def failed() -> bool:
            return (await theirs.manifest("v1")).status == 502

        await until(failed)
    assert (await theirs.blob(digest)).status == 502


async def _reader(registry: Registry, repository: str) -> Client:
    """A token that reads this repository."""
    arm = await management(registry)
    scope = f"{arm.registry()}/scopeMaps/readers"
    actions = {"properties": {"actions": [f"repositories/{repository}/content/read"]}}
    assert (await arm.put(scope, actions)).status == 201
    token = f"{arm.registry()}/tokens/reader"
    assert (await arm.put(token, {"properties": {"scopeMapId": scope, "status": "enabled"}})).status == 201
    made = await arm.post(f"{arm.registry()}/generateCredentials", {"tokenId": token})
    password = made.json()["passwords"][0]["value"]
    return registry.nobody.signed_in("reader", password)


async def test_a_cached_image_that_was_deleted_is_restored_without_its_source(
    hub: ForeignRegistry, caching: Caching, worker: Worker, registry: Registry, app: Repository, kept
) -> None:
    """ACR has soft delete or cache rules, not both."""
    image = an_image()
    hub.hold("team/app", image, "v1")
    arm = await management(registry)
    softly = {"properties": {"policies": {"softDeletePolicy": {"status": "enabled"}}}}
    assert (await arm.patch(arm.registry(), softly)).status == 200
    caching("mirror/app", "team/app")
    with worker():
        await pull(app, image)
        await kept()
    away(hub)
    assert (await app.http.delete(app.path(f"manifests/{image.digest}"))).status == 202
    assert (await app.manifest(image.digest)).status == 502
    restoring = f"/acr/v1/_deleted/mirror/app/_manifests/{image.digest}"
    assert (await app.http.post(restoring, b'{"tag": "v1"}')).status == 200
    await pull(app, image)


async def test_a_cached_image_that_was_deleted_comes_again(
    hub: ForeignRegistry, caching: Caching, worker: Worker, app: Repository, kept
) -> None:
    image = an_image()
    hub.hold("team/app", image, "v1")
    caching("mirror/app", "team/app")
    with worker():
        await pull(app, image)
        await kept()
        assert (await app.http.delete(app.path(f"manifests/{image.digest}"))).status == 202
        await pull(app, image)
        await kept()
    assert await app.tags() == ["v1"]


async def test_an_image_that_does_not_fit_says_so(
    hub: ForeignRegistry, caching: Caching, worker: Worker, registry: Registry, app: Repository, until: Until
) -> None:
    image = an_image(layers=1, size=1_000_000)
    hub.hold("team/app", image, "v1")
    registry.query(lambda tx: tx.execute(update(registry_table).values(bytes_limit=500_000)))
    caching("mirror/app", "team/app")
    with worker():
        assert (await app.manifest("v1")).status == 200

        async def failed() -> bool:
            return (await app.manifest("v1")).status == 405

        await until(failed)
    assert "storage limit" in (await app.manifest("v1")).json()["errors"][0]["message"]
    assert registry.query(lambda tx: tx.execute(select(registry_table.c.bytes_used)).scalar_one()) < 500_000


async def test_rules_that_lead_back_here_ask_nobody(hub: ForeignRegistry, caching: Caching, app: Repository) -> None:
    """A source may be this registry by another name, or a cache of it."""
    caching("mirror/app", "team/app")
    assert (await app.manifest("v1")).status == 404
    (asked,) = hub.asked
    again = await app.manifest("v2", {"cdn-loop": f"another, {asked.headers['cdn-loop']}"})
    assert (again.status, len(hub.asked)) == (404, 1)
    await app.manifest("v2", {"cdn-loop": "another"})
    assert hub.asked[-1].headers["cdn-loop"] == f"another, {asked.headers['cdn-loop']}"


async def test_a_silent_source_keeps_no_other_up(
    hub: ForeignRegistry, ca: Authority, caching: Caching, registry: Registry, app: Repository
) -> None:
    released = threading.Event()

    def silent(_asked: Asked) -> Iterable[bytes]:
        released.wait(30)
        return answer(404)

    image = an_image()
    with foreign_registry(ca) as other:
        other.hold("team/app", image, "v1")
        rule = Rule(0, REGISTRY, "other", other.place, f"{other.place}/team/app", "other/app")
        registry.query(insert_rule, rule, registry.clock())
        caching("mirror/app", "team/app")
        hub.wrong = silent
        waiting = [asyncio.create_task(app.manifest(f"v{number}")) for number in range(40)]
        await asyncio.sleep(0.2)
        found = await asyncio.wait_for(registry.repository("other/app").manifest("v1"), 10)
        released.set()
        assert found.body == image.body
        assert {(await each).status for each in waiting} == {404}
