"""What a tag pointed to, told on /acr/v1, and the way back."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.content import Manifest, an_image, an_index, digest_of
from tests.integration.rows import add_principal, audit_entries, events_of, history_of, set_manifest, set_tag
from tests.integration.working import working
from tests.registry import Registry, Repository, next_page
from tests.wire import Answer

from entrepot.retention.history import jobs

OLD, NEW, NEWEST = an_image("old"), an_image("new"), an_image("newest")
HISTORY = "/acr/v1/app/_tags/v1/_history"


async def roll_back(app: Repository, manifest: Manifest | str, tag: str = "v1") -> Answer:
    digest = manifest if isinstance(manifest, str) else manifest.digest
    return await app.http.post(f"/acr/v1/{app.name}/_tags/{tag}/_rollback", json.dumps({"digest": digest}).encode())


async def told(app: Repository, query: str = "") -> list[dict[str, Any]]:
    """Every page of it."""
    target: str | None = HISTORY + query
    found: list[dict[str, Any]] = []
    while target is not None:
        answer = await app.http.get(target)
        assert answer.status == 200, answer
        found += answer.json()["history"]
        target = next_page(answer)
    return found


@pytest.fixture
async def moved(app: Repository, registry: Registry) -> Repository:
    """``v1`` was OLD, then NEW, and is NEWEST, a day each."""
    for image in (OLD, NEW, NEWEST):
        await app.push(image, "v1")
        registry.clock.advance(days=1)
    return app


async def test_a_history_tells_what_a_tag_points_to_and_pointed_to_the_newest_first(moved: Repository) -> None:
    answer = (await moved.http.get(HISTORY)).json()
    assert (answer["imageName"], answer["tag"]) == ("app", "v1")
    now, before, first = answer["history"]
    assert [each["digest"] for each in (now, before, first)] == [NEWEST.digest, NEW.digest, OLD.digest]
    assert "untilTime" not in now
    assert "endedBy" not in now
    assert (now["sinceTime"], before["sinceTime"]) == (before["untilTime"], first["untilTime"])
    assert all(each["exists"] for each in (now, before, first))


async def test_a_history_tells_who(registry: Registry, moved: Repository) -> None:
    registry.query(lambda tx: add_principal(tx, "second", "the-second-secret"))
    other = registry.repository("app", registry.nobody.signed_in("second", "the-second-secret"))
    await other.push(OLD, "v1")
    now, before, first, _ = await told(moved)
    assert (now["setBy"], before["endedBy"]) == ("id-second", "id-second")
    assert before["setBy"] == first["endedBy"] != "id-second"


async def test_a_push_to_where_it_points_already_moves_nothing(registry: Registry, moved: Repository) -> None:
    before = await told(moved)
    registry.query(lambda tx: add_principal(tx, "second", "the-second-secret"))
    await registry.repository("app", registry.nobody.signed_in("second", "the-second-secret")).push(NEWEST, "v1")
    assert await told(moved) == before
    await moved.push(OLD, "v1")
    assert (await told(moved))[1] == {
        **before[0],
        "untilTime": (await told(moved))[0]["sinceTime"],
        "endedBy": (await told(moved))[0]["setBy"],
    }


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_pages_go_on_where_the_one_before_ended(moved: Repository, size: int) -> None:
    assert await told(moved, f"?n={size}") == await told(moved)


async def test_nobody_is_told_who(start_registry, moved: Repository) -> None:
    registry = await start_registry(anonymous_pull=True)
    answer = await registry.nobody.get(HISTORY)
    assert answer.status == 200
    assert {name for each in answer.json()["history"] for name in each} == {
        "digest",
        "exists",
        "sinceTime",
        "untilTime",
    }


async def test_a_history_outlives_its_tag(moved: Repository) -> None:
    assert (await moved.http.delete("/acr/v1/app/_tags/v1")).status == 202
    assert [each["digest"] for each in await told(moved)] == [NEWEST.digest, NEW.digest, OLD.digest]


@pytest.mark.parametrize("last", ["x", "-1", "1" * 20, "%00"])
async def test_a_place_that_no_link_said_is_refused(moved: Repository, last: str) -> None:
    assert (await moved.http.get(f"{HISTORY}?last={last}")).status == 400


# --- the way back -----------------------------------------------------------------------------------------------------


async def test_a_tag_goes_back_to_what_it_pointed_to(moved: Repository) -> None:
    answer = await roll_back(moved, OLD)
    assert (answer.status, answer.json()["tag"]["digest"]) == (200, OLD.digest)
    assert (await moved.manifest("v1")).body == OLD.body
    assert [each["digest"] for each in await told(moved)] == [OLD.digest, NEWEST.digest, NEW.digest, OLD.digest]


async def test_going_back_is_a_push_for_whoever_hears_of_pushes(registry: Registry, moved: Repository) -> None:
    await roll_back(moved, OLD)
    first, *_, last = registry.query(lambda tx: events_of(tx, "app"))
    assert last.action == "push"
    same = ("digest", "mediaType", "size", "tags", "subject", "artifactType")
    bodies = [json.loads(each.body) for each in (first, last)]
    assert [bodies[0][name] for name in same] == [bodies[1][name] for name in same]
    assert bodies[1]["request"]["id"]


async def test_going_back_is_written_down_with_before_and_after(registry: Registry, moved: Repository) -> None:
    await roll_back(moved, OLD)
    (entry,) = registry.query(lambda tx: audit_entries(tx, "tag.rollback"))
    assert (entry["target"], entry["detail"]) == ("app:v1", {"before": NEWEST.digest, "after": OLD.digest})


async def test_going_to_where_it_points_already_does_nothing(registry: Registry, moved: Repository) -> None:
    before = registry.query(lambda tx: events_of(tx, "app"))
    assert (await roll_back(moved, NEWEST)).status == 200
    assert registry.query(lambda tx: events_of(tx, "app")) == before


async def test_a_deleted_tag_comes_back(moved: Repository) -> None:
    await moved.http.delete("/acr/v1/app/_tags/v1")
    assert (await roll_back(moved, NEW)).status == 200
    assert (await moved.manifest("v1")).body == NEW.body


async def test_an_index_comes_back(app: Repository) -> None:
    await app.push(OLD)
    index = an_index([OLD])
    await app.put(index, "v1")
    await app.push(NEW, "v1")
    assert (await roll_back(app, index)).status == 200
    assert (await app.manifest("v1")).body == index.body


async def test_a_digest_that_never_was_the_tag_s_is_refused(moved: Repository) -> None:
    other = an_image("other")
    await moved.push(other, "v2")
    for digest in (other.digest, digest_of(b"absent")):
        answer = await roll_back(moved, digest)
        assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")
        assert "never pointed" in answer.json()["errors"][0]["detail"]["reason"]
    assert (await moved.manifest("v1")).body == NEWEST.body


async def test_a_manifest_that_is_gone_is_refused_with_the_time_of_its_deletion(
    registry: Registry, moved: Repository
) -> None:
    at = registry.clock.now
    await moved.http.delete(moved.path(f"manifests/{OLD.digest}"))
    registry.clock.advance(days=1)
    answer = await roll_back(moved, OLD)
    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")
    assert f"deleted (at {at:%Y-%m-%dT%H:%M:%S}" in answer.json()["errors"][0]["detail"]["reason"]
    assert (await told(moved))[-1]["exists"] is False


@pytest.mark.parametrize("locked", ["tag", "manifest", "repository"])
async def test_what_is_locked_stays(registry: Registry, moved: Repository, locked: str) -> None:
    match locked:
        case "tag":
            registry.query(lambda tx: set_tag(tx, "v1", write_enabled=False))
        case "manifest":
            registry.query(lambda tx: set_manifest(tx, OLD.digest, write_enabled=False))
        case _:
            await moved.http.patch("/acr/v1/app", b'{"writeEnabled":false}')
    answer = await roll_back(moved, OLD)
    assert (answer.status, answer.code) == (405, "REGISTRY_DISALLOWED_OPERATION")
    assert (await moved.manifest("v1")).body == NEWEST.body


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "UNSUPPORTED"),
        (b"[]", "UNSUPPORTED"),
        (b'{"digest":1}', "UNSUPPORTED"),
        (b'{"digest":"sha256:%s","more":1}' % (b"0" * 64), "UNSUPPORTED"),
        (b'{"digest":"v1"}', "DIGEST_INVALID"),
        (b'{"digest":"\xff"}', "UNSUPPORTED"),
        (b"[" * 2000, "UNSUPPORTED"),
        (b" " * 5000, "SIZE_INVALID"),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_a_body_that_names_no_digest_is_refused(moved: Repository, body: bytes, code: str) -> None:
    assert (await moved.http.post("/acr/v1/app/_tags/v1/_rollback", body)).code == code


async def test_a_repository_that_holds_nothing_has_no_history(moved: Repository) -> None:
    await moved.http.delete("/acr/v1/app")
    assert (await moved.http.get(HISTORY)).code == "NAME_UNKNOWN"
    assert (await roll_back(moved, OLD)).code == "NAME_UNKNOWN"


# --- its bounds -------------------------------------------------------------------------------------------------------


async def test_old_entries_go_and_of_many_the_oldest(registry: Registry, app: Repository, until, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "ROWS", 2)
    monkeypatch.setattr(jobs, "_BATCH", 1)
    # The job goes by the real time.
    registry.clock.now = datetime.now(UTC) - jobs.KEPT - timedelta(days=2)
    await app.push(OLD, "v1", "v2")
    await app.push(NEW, "v1", "v2")
    registry.clock.now += jobs.KEPT
    for image in (OLD, NEW, OLD, NEW):
        await app.push(image, "v1")
    with working(registry, jobs.WORKFLOWS):

        async def is_pruned() -> bool:
            return len(registry.query(lambda tx: history_of(tx, "app"))) == 2

        await until(is_pruned)
    rows = registry.query(lambda tx: history_of(tx, "app"))
    assert [(row.name, row.digest) for row in rows] == [("v1", NEW.digest), ("v1", OLD.digest)]
