"""What a tag pointed to before, until when, and who moved it (DESIGN section 4)."""

from tests.content import an_image
from tests.integration.rows import history_of
from tests.registry import Registry, Repository

OLD, NEW = an_image("old"), an_image("new")


def told(registry: Registry) -> list[tuple[str, str]]:
    return [(row.name, row.digest) for row in registry.query(lambda tx: history_of(tx, "app"))]


async def test_a_tag_that_never_moved_has_no_history(app: Repository, registry: Registry) -> None:
    await app.push(OLD, "v1")
    await app.push(OLD, "v1")
    assert told(registry) == []


async def test_a_moved_tag_keeps_what_it_named_and_for_how_long(app: Repository, registry: Registry) -> None:
    pushed = registry.clock.now
    await app.push(OLD, "v1", "v2")
    registry.clock.advance(days=2)
    await app.push(NEW, "v1")
    (row,) = registry.query(lambda tx: history_of(tx, "app"))
    assert (row.name, row.digest, row.since, row.until) == ("v1", OLD.digest, pushed, registry.clock.now)
    assert row.ended_by


async def test_a_deleted_tag_keeps_what_it_named(app: Repository, registry: Registry) -> None:
    await app.push(OLD, "v1")
    await app.http.delete(app.path("manifests/v1"))
    assert told(registry) == [("v1", OLD.digest)]


async def test_a_deleted_manifest_s_tags_keep_what_they_named(app: Repository, registry: Registry) -> None:
    await app.push(OLD, "v1", "v2")
    await app.http.delete(app.path(f"manifests/{OLD.digest}"))
    assert sorted(told(registry)) == [("v1", OLD.digest), ("v2", OLD.digest)]


async def test_a_tag_that_goes_back_and_forth_is_told_step_by_step(app: Repository, registry: Registry) -> None:
    for image in (OLD, NEW, OLD, NEW):
        await app.push(image, "v1")
        registry.clock.advance(minutes=1)
    assert told(registry) == [("v1", OLD.digest), ("v1", NEW.digest), ("v1", OLD.digest)]
    rows = registry.query(lambda tx: history_of(tx, "app"))
    assert [row.until for row in rows[:-1]] == [row.since for row in rows[1:]]


async def test_a_refused_push_leaves_no_history(app: Repository, registry: Registry) -> None:
    await app.push(OLD, "v1")
    assert (await app.put(an_image("blobs are absent"), "v1")).status == 400
    assert told(registry) == []
