"""Images of a registry elsewhere come in whole, once, checked, and with what was told on the way."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, select
from tests.content import Manifest, a_docker_image, an_artifact, an_image, an_index, digest_of, some_bytes
from tests.foreign import ForeignRegistry
from tests.integration.registries.imports.conftest import (
    BLOB_LIMIT,
    Bodies,
    Import,
    bodies,
    outbound_to,
    poll,
    pushes,
    result,
)
from tests.integration.working import working
from tests.invariants import assert_counted
from tests.management import Management
from tests.outside import Asked, Authority
from tests.registry import Registry, Repository

from entrepot.app.parts import open_content
from entrepot.db.access_tables import audit_entry
from entrepot.db.management_tables import image_import
from entrepot.db.tables import blob, repository_blob, upload
from entrepot.db.tables import registry as registry_table
from entrepot.remote.copies.model import MANIFESTS_LIMIT
from entrepot.retention.collect import Collector, Site
from entrepot.retention.model import Waits

PAIR = ("somebody", "a-secret-of-theirs")


@pytest.fixture(autouse=True)
def counted(registry: Registry) -> Iterator[None]:
    """Whatever came, or came in part, the figures are those of a recount."""
    yield
    assert_counted(registry.database, open_content(registry.settings))


def at(hub: ForeignRegistry, image: str = "team/app:v1", **members: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    return {"registryUri": hub.place, "sourceImage": image, **members}


def blobs_asked(hub: ForeignRegistry) -> list[str]:
    return [asked.target.rpartition("/")[2] for asked in hub.asked if "/blobs/" in asked.target]


def error_of(ended: Any) -> dict[str, str]:  # noqa: ANN401  an Answer's JSON
    assert ended.status >= 400, ended.body
    return ended.json()["error"]


def count(tx: Connection, table: Any) -> int:  # noqa: ANN401  a table
    return tx.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.mark.parametrize("image", [an_image(layers=3, size=100_000), a_docker_image(), an_artifact()])
async def test_an_image_comes_byte_for_byte(
    hub: ForeignRegistry, bring: Import, app: Repository, image: Manifest
) -> None:
    hub.hold("team/app", image, "v1")
    ended = await bring(at(hub), "app:v1", "app:latest")
    assert (ended.status, ended.json()) == (200, {"status": "Succeeded"})
    for tag in ("v1", "latest"):
        assert (await app.manifest(tag)).body == image.body
    for digest, content in image.blobs.items():
        assert (await app.blob(digest)).body == content


async def test_an_index_comes_with_its_children(hub: ForeignRegistry, bring: Import, app: Repository) -> None:
    children = [an_image(name, architecture=name) for name in ("amd64", "arm64")]
    inner = an_index(children[:1])
    index = an_index([*children, inner])
    for manifest in (*children, inner, index):
        hub.hold("team/app", manifest)
    ended = await bring(at(hub, f"team/app@{index.digest}"), "app:all")
    assert ended.status == 200, ended.body
    for manifest in (*children, inner, index):
        assert (await app.manifest(manifest.digest)).body == manifest.body
    assert await app.tags() == ["all"]


async def test_a_child_that_the_source_never_had_is_left_out(
    hub: ForeignRegistry, bring: Import, app: Repository
) -> None:
    here, lost = an_image("here"), an_image("lost")
    index = an_index([here, lost])
    hub.hold("team/app", here)
    hub.hold("team/app", index, "v1")
    assert (await bring(at(hub), "app:v1")).status == 200
    assert (await app.manifest(lost.digest)).status == 404


async def test_a_blob_comes_once_whatever_the_number_of_targets(
    hub: ForeignRegistry, bring: Import, registry: Registry
) -> None:
    image = an_image()
    hub.hold("team/app", image, "v1")
    ended = await bring(at(hub), "one:v1", "two:v1", untaggedTargetRepositories=["three"])
    assert ended.status == 200, ended.body
    assert sorted(blobs_asked(hub)) == sorted(image.blobs)
    for name in ("one", "two", "three"):
        assert (await registry.repository(name).manifest(image.digest)).body == image.body
    assert await registry.repository("three").tags() == []
    used = registry.query(lambda tx: tx.execute(select(registry_table.c.bytes_used)).scalar_one())
    assert used == sum(map(len, image.blobs.values())) + 3 * len(image.body)


async def test_what_is_here_already_is_not_asked_for(hub: ForeignRegistry, bring: Import, registry: Registry) -> None:
    image, base = an_image(), an_image()
    await registry.repository("base").push(base, "v1")
    hub.hold("team/app", image, "v1")
    assert (await bring(at(hub), "app:v1")).status == 200
    assert blobs_asked(hub) == []


async def test_each_tag_has_an_event_of_its_own(hub: ForeignRegistry, bring: Import, registry: Registry) -> None:
    image = an_image()
    hub.hold("team/app", image, "v1")
    await bring(at(hub), "app:v1", "app:v2")
    assert [(each["digest"], each["tags"]) for each in registry.query(pushes)] == [
        (image.digest, ["v1"]),
        (image.digest, ["v2"]),
    ]


async def test_it_tells_how_it_stands(
    hub: ForeignRegistry, ask: Import, arm: Management, registry: Registry, work: Bodies
) -> None:
    hub.hold("team/app", an_image(), "v1")
    accepted = await ask(at(hub), "app:v1", untaggedTargetRepositories=["plain"])
    assert (accepted.status, accepted.body, accepted["retry-after"]) == (202, b"", "1")
    waiting = await poll(arm, accepted)
    assert (waiting.status, waiting.json()) == (202, {"app:v1": "Pending", "plain": "Pending", "status": "Accepted"})
    with working(registry, work):
        assert (await result(arm, accepted)).status == 200
    status = (await poll(arm, accepted, "azure-asyncoperation")).json()
    assert status["status"] == "Succeeded"
    assert status["properties"]["app:v1"].startswith("Copying: ")


# --- tags that are there ----------------------------------------------------------------------------------------------


async def test_a_taken_tag_refuses_all_of_it_before_anything_is_copied(
    hub: ForeignRegistry, ask: Import, app: Repository, arm: Management
) -> None:
    await app.push(an_image("old"), "v1")
    hub.hold("team/app", an_image("new"), "v1")
    refused = await ask(at(hub), "app:v2", "app:v1")
    assert refused.status == 409
    error = refused.json()["error"]
    assert error["code"] == "Conflict"
    assert error["message"].startswith("Operation registries-")
    assert error["message"].endswith(
        f" failed. Resource {arm.registry()} Tag app:v1 already exists in target registry."
    )
    assert (hub.asked, await app.tags()) == ([], ["v1"])


async def test_force_moves_it(hub: ForeignRegistry, bring: Import, app: Repository) -> None:
    await app.push(an_image("old"), "v1")
    new = an_image("new")
    hub.hold("team/app", new, "v1")
    assert (await bring(at(hub), "app:v1", mode="Force")).status == 200
    assert (await app.manifest("v1")).body == new.body


async def test_a_tag_that_was_pushed_meanwhile_is_kept(
    hub: ForeignRegistry, ask: Import, app: Repository, arm: Management, registry: Registry, work: Bodies
) -> None:
    hub.hold("team/app", an_image("new"), "v1")
    accepted = await ask(at(hub), "app:v1", "app:v2")
    old = an_image("old")
    await app.push(old, "v1")
    with working(registry, work):
        ended = await result(arm, accepted)
    assert (ended.status, error_of(ended)["code"]) == (409, "Conflict")
    assert ((await app.manifest("v1")).body, await app.tags()) == (old.body, ["v1"])


async def test_locks_hold_against_force(
    hub: ForeignRegistry, bring: Import, app: Repository, registry: Registry
) -> None:
    old = an_image("old")
    await app.push(old, "v1")
    locked = await registry.http.send("PATCH", "/acr/v1/app/_tags/v1", None, b'{"writeEnabled":false}')
    assert locked.status == 200, locked.body
    hub.hold("team/app", an_image("new"), "v1")
    error = error_of(await bring(at(hub), "app:v1", "app:v2", mode="Force"))
    assert (error["code"], "tag v1 is locked" in error["message"]) == ("ImageLocked", True)
    assert ((await app.manifest("v1")).body, await app.tags()) == (old.body, ["v1"])


async def test_the_quota_holds(hub: ForeignRegistry, bring: Import, registry: Registry) -> None:
    registry.query(lambda tx: tx.execute(registry_table.update().values(bytes_limit=1000)))
    hub.hold("team/app", an_image(size=5000), "v1")
    error = error_of(await bring(at(hub), "app:v1"))
    assert error["code"] == "QuotaExceeded"
    assert registry.query(lambda tx: count(tx, upload)) == 0
    assert (await registry.repository("app").manifest("v1")).status == 404


# --- secrets ----------------------------------------------------------------------------------------------------------


async def test_credentials_are_kept_sealed_and_only_until_it_has_ended(
    hub: ForeignRegistry, ask: Import, arm: Management, registry: Registry, work: Bodies
) -> None:
    hub.hold("team/app", an_image(), "v1")
    hub.bearer()
    hub.basic = PAIR
    accepted = await ask(at(hub, credentials={"username": PAIR[0], "password": PAIR[1]}), "app:v1")
    rows = registry.query(lambda tx: tx.execute(select(image_import)).all())
    assert len(rows) == 1
    assert rows[0].secret.startswith("v1.")
    assert PAIR[1] not in str(rows)
    with working(registry, work):
        assert (await result(arm, accepted)).status == 200
    assert registry.query(lambda tx: count(tx, image_import)) == 0
    told = str(registry.query(lambda tx: tx.execute(select(audit_entry.c.detail)).all()))
    assert (PAIR[0] in told, PAIR[1] in told) == (True, False)


async def test_those_of_a_failed_import_go_too(hub: ForeignRegistry, bring: Import, registry: Registry, until) -> None:
    hub.basic, hub.challenge = PAIR, 'Basic realm="hub"'
    error = error_of(await bring(at(hub, credentials={"username": PAIR[0], "password": "wrong-secret"}), "app:v1"))
    assert error["code"] == "SourceRegistryFailed"
    assert hub.place in error["message"]
    assert "wrong-secret" not in error["message"]
    assert registry.query(lambda tx: count(tx, image_import)) == 0


# --- sources that fail ------------------------------------------------------------------------------------------------


async def test_an_image_that_is_not_there_is_named(hub: ForeignRegistry, bring: Import) -> None:
    error = error_of(await bring(at(hub, "team/app:nothing"), "app:v1"))
    assert error["code"] == "SourceRegistryFailed"
    assert "team/app nothing" in error["message"]


async def test_other_bytes_than_a_blobs_digest_names_never_come_in(
    hub: ForeignRegistry, bring: Import, registry: Registry
) -> None:
    image = an_image(layers=1)
    hub.hold("team/app", image, "v1")
    for digest, content in image.blobs.items():
        hub.blobs[digest] = bytes(len(content))
    error = error_of(await bring(at(hub), "app:v1"))
    assert "other bytes" in error["message"]
    assert (registry.query(lambda tx: count(tx, blob)), registry.query(lambda tx: count(tx, upload))) == (0, 0)


async def test_a_blob_without_an_end_is_cut_off(hub: ForeignRegistry, bring: Import, registry: Registry) -> None:
    hub.hold("team/app", an_image(layers=1), "v1")

    def endless(asked: Asked) -> Iterable[bytes] | None:
        return _endless(hub) if "/blobs/" in asked.target else None

    hub.wrong = endless
    assert error_of(await bring(at(hub), "app:v1"))["code"] == "SourceRegistryFailed"
    assert registry.query(lambda tx: count(tx, blob)) == 0


def _endless(hub: ForeignRegistry) -> Iterable[bytes]:
    yield b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
    while not hub.server.over.is_set():
        yield bytes(65536)


async def test_a_blob_that_says_to_be_too_large_is_not_begun(hub: ForeignRegistry, bring: Import) -> None:
    image = an_image(layers=1)
    layers = [{**image.document["layers"][0], "size": BLOB_LIMIT + 1}]
    hub.hold("team/app", image.changed(layers=layers), "v1")
    assert f"at most {BLOB_LIMIT}" in error_of(await bring(at(hub), "app:v1"))["message"]


async def test_a_size_that_is_not_the_blobs_is_refused(hub: ForeignRegistry, bring: Import, app: Repository) -> None:
    image = an_image(layers=1)
    hub.hold("team/app", image.changed(layers=[{**image.document["layers"][0], "size": 10}]), "v1")
    assert error_of(await bring(at(hub), "app:v1"))["code"] == "SourceRegistryFailed"
    assert (await app.manifest("v1")).status == 404


async def test_an_index_that_names_itself_goes_round_in_no_circle(
    hub: ForeignRegistry, bring: Import, registry: Registry
) -> None:
    """No index can hold its own digest, so a circle can only be told by an answer with other bytes."""
    outer = an_index()
    inner = an_index([outer])
    outer_again = an_index([inner])
    hub.hold("team/app", outer_again, "v1")
    hub.hold("team/app", inner)
    hub.manifests["team/app", outer.digest] = outer_again
    error = error_of(await bring(at(hub), "app:v1"))
    assert "other bytes" in error["message"]


async def test_too_many_manifests_are_refused(hub: ForeignRegistry, bring: Import, app: Repository) -> None:
    children = [an_image(number, layers=0) for number in range(MANIFESTS_LIMIT)]
    for child in children:
        hub.hold("team/app", child)
    hub.hold("team/app", an_index(children), "v1")
    hub.hold("team/app", an_index(children[1:]), "v2")
    assert error_of(await bring(at(hub), "app:v1"))["code"] == "ImageTooLarge"
    assert (await bring(at(hub, "team/app:v2"), "app:v2")).status == 200
    assert await app.tags() == ["v2"]


async def test_indexes_that_are_nested_without_end_are_refused(hub: ForeignRegistry, bring: Import) -> None:
    index = an_index()
    for _ in range(20):
        hub.hold("team/app", index)
        index = an_index([index])
    hub.hold("team/app", index, "v1")
    assert error_of(await bring(at(hub), "app:v1"))["code"] == "ImageTooLarge"


# --- going on ---------------------------------------------------------------------------------------------------------


async def test_a_source_that_breaks_off_is_asked_for_the_rest(
    hub: ForeignRegistry, bring: Import, app: Repository
) -> None:
    layer = some_bytes(2_500_000)
    image = _image_of(layer)
    hub.hold("team/app", image, "v1")
    broken: list[str] = []

    def breaking(asked: Asked) -> Iterable[bytes] | None:
        if digest_of(layer) not in asked.target or broken:
            return None
        broken.append(asked.headers["range"])
        return [_head(layer), layer[:2_000_000]]

    hub.wrong = breaking
    assert (await bring(at(hub), "app:v1")).status == 200
    assert (await app.blob(digest_of(layer))).body == layer
    ranges = [asked.headers["range"] for asked in hub.asked if digest_of(layer) in asked.target]
    assert ranges[0] == "bytes=0-2499999"
    assert _start(ranges[1]) > 0


async def test_another_worker_goes_on_where_one_stopped(
    hub: ForeignRegistry, ask: Import, app: Repository, arm: Management, registry: Registry, work: Bodies, until
) -> None:
    layer = some_bytes(4_000_000)
    image = _image_of(layer)
    hub.hold("team/app", image, "v1")
    slow: list[str] = []

    def stalling(asked: Asked) -> Iterable[bytes] | None:
        if digest_of(layer) not in asked.target or slow:
            return None
        slow.append(asked.headers["range"])
        return _dripping(hub, layer)

    async def has_begun() -> bool:
        return bool(slow) and (await poll(arm, accepted)).json()["app:v1"] != "Pending"

    hub.wrong = stalling
    accepted = await ask(at(hub), "app:v1")
    with working(registry, work):
        await until(has_begun, within=60.0)
    assert (await poll(arm, accepted)).status == 202
    with working(registry, work):
        assert (await result(arm, accepted)).status == 200
    assert (await app.blob(digest_of(layer))).body == layer
    ranges = [asked.headers["range"] for asked in hub.asked if digest_of(layer) in asked.target]
    assert _start(ranges[-1]) > 0


async def test_what_has_come_stays_however_long_the_rest_takes(
    hub: ForeignRegistry, ask: Import, app: Repository, arm: Management, registry: Registry, ca: Authority
) -> None:
    """Collection is at work meanwhile, at a moment when what waited since its arrival would be too old."""
    layer, grace = some_bytes(30_000_000), timedelta(seconds=1)
    image = _image_of(layer)
    hub.hold("team/app", image, "v1")
    config = next(iter(image.blobs.keys() - {digest_of(layer)}))
    collected: list[bool] = []

    def linked_at(tx: Connection) -> datetime:
        links = select(repository_blob.c.linked_at).join_from(repository_blob, blob).where(blob.c.digest == config)
        return tx.execute(links).scalar_one()

    def slowly() -> Iterable[bytes]:
        yield _head(layer)
        came = registry.query(linked_at)
        for at in range(0, len(layer), 1_500_000):
            yield layer[at : at + 1_500_000]
            if not collected and registry.query(linked_at) > came + grace:
                collect(registry, grace, came + grace * 1.5)
                collected.append(True)
            if not collected:
                hub.server.over.wait(0.2)

    hub.wrong = lambda asked: slowly() if digest_of(layer) in asked.target else None
    accepted = await ask(at(hub), "app:v1")
    with (
        closing(outbound_to(ca.ca_file)) as outbound,
        working(registry, bodies(registry, outbound, grace)),
    ):
        ended = await result(arm, accepted)
    assert (ended.status, collected) == (200, [True])
    assert (await app.blob(config)).status == 200


def collect(registry: Registry, grace: timedelta, now: datetime) -> None:
    """What is due then goes at once."""
    waits = Waits(unlinked=grace, condemned=timedelta(0), retired=timedelta(days=1), upload=timedelta(days=1))
    store = open_content(registry.settings)
    for _ in range(2):
        Collector(Site(registry.database, store, waits, 1000, lambda: now)).collect(lambda: False, lambda _tally: None)


def _image_of(layer: bytes) -> Manifest:
    image = an_image(layers=0)
    described = {"mediaType": "application/octet-stream", "digest": digest_of(layer), "size": len(layer)}
    changed = image.changed(layers=[described])
    return Manifest(changed.body, changed.media_type, {**image.blobs, digest_of(layer): layer})


def _head(layer: bytes) -> bytes:
    length = len(layer)
    return (
        f"HTTP/1.1 206 OK\r\ncontent-range: bytes 0-{length - 1}/{length}\r\ncontent-length: {length}\r\n\r\n".encode()
    )


def _dripping(hub: ForeignRegistry, layer: bytes) -> Iterable[bytes]:
    """Half of it at once, then little by little."""
    yield _head(layer)
    yield layer[:2_500_000]
    for at in range(2_500_000, len(layer), 50_000):
        hub.server.over.wait(0.2)
        yield layer[at : at + 50_000]


def _start(text: str) -> int:
    return int(text.removeprefix("bytes=").partition("-")[0])


# --- referrers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [True, False])
async def test_what_refers_to_an_image_comes_when_asked(
    hub: ForeignRegistry, bring: Import, app: Repository, wanted: bool
) -> None:
    image = an_image()
    signature = an_artifact(subject=image.descriptor())
    hub.hold("team/app", image, "v1")
    hub.hold("team/app", signature)
    # The tag that stands in for the API, as this source has none.
    hub.hold("team/app", an_index([signature]), image.digest.replace(":", "-"))
    assert (await bring(at(hub), "app:v1", includeReferrers=wanted)).status == 200
    found = [each["digest"] for each in await app.referrers(image.digest)]
    assert found == ([signature.digest] if wanted else [])
