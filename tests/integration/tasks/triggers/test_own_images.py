"""Base images in registries of this deployment: a push of another digest begins one run, and the row says why."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from tests.integration.tasks.rows import forget_principals, lose_step
from tests.integration.tasks.triggers.conftest import BUILDTIME, HOST, RUNTIME, WATCHING, World, base
from tests.registry import OWNER, OWNER_SECRET, Repository
from tests.wire import Client

from entrepot.db.access_tables import principal
from entrepot.tasks.model import BaseImage
from entrepot.tasks.triggers.queries import delete_evaluations

APP = "the-app"


@pytest.fixture
async def app(world: World) -> World:
    """A task that stands on ``base:1``, which is pushed."""
    await world.task(APP)
    digest = await world.push("base", "1")
    world.ended(APP, base("base", digest=digest))
    world.follow()
    return world


async def test_another_digest_begins_a_run_that_says_which_image_it_was(app: World) -> None:
    digest = await app.push("base", "1")
    app.follow()
    (run,) = await app.runs(APP)
    update = run["imageUpdateTrigger"]
    assert run["runType"] == "AutoRun"
    assert run["status"] == "Queued"
    assert set(update) == {"id", "timestamp", "images"}
    assert update["images"] == [{"registry": HOST, "repository": "base", "tag": "1", "digest": digest}]
    (evaluation,) = (await app.why(APP))["evaluations"]
    assert (evaluation["kind"], evaluation["trigger"], evaluation["runId"]) == ("image", "base", run["runId"])
    assert evaluation["key"].startswith(digest)
    assert evaluation["reason"] == f"{HOST}/base:1 is {digest} now."
    assert app.plan(run["runId"]).triggered_by == "Image Update"


async def test_each_change_begins_one_run_however_often_it_is_looked_at(app: World) -> None:
    for number in range(3):
        await app.push("base", "1")
        app.follow()
        app.follow()
        assert len(await app.runs(APP)) == number + 1


async def test_what_does_not_change_the_digest_begins_nothing_and_says_so(app: World) -> None:
    image = app.another()
    await app.push("base", "1", image=image)
    app.follow()
    await app.push("base", "1", image=image)
    app.follow()
    assert len(await app.runs(APP)) == 1
    assert "nothing changed" in (await app.reasons(APP))[0]


async def test_neither_another_tag_nor_another_repository_counts(app: World) -> None:
    await app.push("base", "2")
    await app.push("other", "1")
    app.follow()
    assert await app.runs(APP) == []


async def test_a_push_after_a_delete_counts_only_with_another_digest(app: World) -> None:
    image = app.another()
    await app.push("base", "1", image=image)
    app.follow()
    repository = app.registry.repository("base")
    assert (await repository.http.delete(f"/v2/base/manifests/{image.digest}")).status == 202
    await app.push("base", "1", image=image)
    app.follow()
    assert len(await app.runs(APP)) == 1
    await app.push("base", "1")
    app.follow()
    assert len(await app.runs(APP)) == 2


async def test_a_tag_moved_back_by_its_manifest_is_a_change(app: World) -> None:
    first, second = app.another(), app.another()
    for image in (first, second, first):
        await app.push("base", "1", image=image)
        app.follow()
        app.ended(APP, base("base", digest=image.digest))
    assert len(await app.runs(APP)) == 3


async def test_a_repository_that_is_deleted_and_made_anew_is_followed(app: World) -> None:
    for _ in range(3):
        await app.push("base", "1")
    app.follow()
    before = len(await app.runs(APP))
    assert (await app.registry.http.send("DELETE", "/acr/v1/base", None)).status == 202
    await app.push("base", "1")
    app.follow()
    assert len(await app.runs(APP)) == before + 1


async def test_several_tags_of_one_task_that_get_one_digest_are_one_run_while_it_waits(world: World) -> None:
    await world.task(APP)
    world.ended(APP, base("base", "1", "sha256:" + "0" * 64), base("base", "latest", "sha256:" + "0" * 64))
    digest = await world.push("base", "1", "latest")
    world.follow()
    (run,) = await world.runs(APP)
    assert digest in run["imageUpdateTrigger"]["images"][0]["digest"]
    assert f"the run {run['runId']}, which has not begun yet" in (await world.reasons(APP))[0]


@pytest.mark.parametrize(("trigger", "count"), [("Runtime", 0), ("All", 1)])
async def test_an_image_of_a_build_stage_counts_only_for_all(world: World, trigger: str, count: int) -> None:
    await world.task(APP, baseImageTrigger={**WATCHING, "baseImageTriggerType": trigger})
    await world.push("tools", "1")
    world.ended(APP, base("tools", kind=BUILDTIME))
    await world.push("tools", "1")
    world.follow()
    assert len(await world.runs(APP)) == count
    (reason,) = await world.reasons(APP)
    assert ("only a stage of a build needs it" in reason) == (count == 0)


async def test_a_trigger_that_is_disabled_begins_nothing_until_it_is_enabled(app: World) -> None:
    for properties in ({"status": "Disabled"}, {"trigger": {"baseImageTrigger": {"status": "Disabled"}}}):
        assert (await app.arm.patch(app.path(APP), {"properties": properties})).status == 200
    await app.push("base", "1")
    app.follow()
    assert await app.runs(APP) == []
    assert (await app.why(APP))["baseImageTrigger"] is None
    enabled = {"status": "Enabled", "trigger": {"baseImageTrigger": {"status": "Enabled"}}}
    assert (await app.arm.patch(app.path(APP), {"properties": enabled})).status == 200
    app.follow()
    assert len(await app.runs(APP)) == 1


async def test_what_changes_while_the_first_run_goes_on_begins_another(world: World) -> None:
    await world.task(APP)
    built_on = await world.push("base", "1")
    began = world.registry.clock()
    world.registry.clock.advance(minutes=1)
    await world.push("base", "1")
    world.follow()
    world.ended(APP, base("base", digest=built_on), since=began)
    world.follow()
    assert len(await world.runs(APP)) == 1


async def test_what_a_run_did_not_build_on_though_it_was_there_is_no_change(world: World) -> None:
    await world.task(APP)
    await world.push("base", "1")
    world.registry.clock.advance(minutes=1)
    # As where an engine tells a platform's digest and not the index's.
    world.ended(APP, base("base", digest="sha256:" + "1" * 64))
    world.follow()
    assert await world.runs(APP) == []


async def test_a_base_that_is_restored_with_its_repository_is_looked_at(app: World) -> None:
    softly = {"properties": {"policies": {"softDeletePolicy": {"status": "enabled", "retentionDays": 7}}}}
    assert (await app.arm.patch(app.arm.registry(), softly)).status in {200, 202}
    first = await app.push("base", "1")
    app.follow()
    assert (await app.registry.http.send("DELETE", "/acr/v1/base", None)).status == 202
    await app.push("base", "1")
    app.follow()
    for run in await app.runs(APP):
        app.begun_as(run["runId"], run["runId"])
    answer = await app.registry.http.send("POST", "/acr/v1/_deleted/base?force=true", None)
    assert answer.status == 200, answer.body
    app.follow()
    (last, *_) = await app.runs(APP)
    assert last["imageUpdateTrigger"]["images"][0]["digest"] == first


async def test_a_task_tells_what_it_stands_on_and_nobody_writes_it(app: World) -> None:
    (shown,) = await app.shown(APP)
    assert shown["type"] == "Runtime"
    assert (shown["registry"], shown["repository"], shown["tag"]) == (HOST, "base", "1")
    assert shown["digest"].startswith("sha256:")
    forged = {"properties": {"step": {"type": "EncodedTask", "baseImageDependencies": []}}}
    assert (await app.arm.patch(app.path(APP), forged)).status == 200
    assert await app.shown(APP) == [shown]
    listed = (await app.arm.get(f"{app.arm.registry()}/tasks")).json()["value"]
    assert listed[0]["properties"]["step"]["baseImageDependencies"] == [shown]


async def test_why_tells_what_is_tracked(app: World) -> None:
    digest = await app.push("base", "1")
    app.follow()
    found = await app.why(APP)
    (image,) = found["baseImages"]
    assert found["baseImageTrigger"] == "base"
    assert image["lastDigest"] == digest
    assert image["digest"] != digest
    assert image["isTold"] is True
    assert "nextCheck" not in image
    assert "lastCheck" in image


async def test_what_the_last_successful_run_stands_on_counts(app: World) -> None:
    app.ended(APP, base("other"))
    await app.push("base", "1")
    app.follow()
    assert await app.runs(APP) == []
    await app.push("other", "1")
    app.follow()
    assert len(await app.runs(APP)) == 1


async def test_an_image_named_by_its_digest_is_told_and_never_changes(world: World) -> None:
    await world.task(APP)
    digest = await world.push("base", "1")
    world.ended(APP, BaseImage(BUILDTIME, HOST, "base", None, digest))
    await world.push("base", "1")
    world.follow()
    assert await world.runs(APP) == []
    assert (await world.shown(APP))[0]["digest"] == digest


async def test_a_hundred_and_more_tasks_each_get_their_run(world: World) -> None:
    await world.task(APP)
    world.ended(APP, base("base"))
    world.copy(APP, 129)
    await world.push("base", "1")
    world.follow()
    assert len(await world.arm.names(f"{world.arm.registry()}/runs")) == 130
    assert [len(await world.runs(name)) for name in (APP, "other-0", "other-128")] == [1, 1, 1]


async def test_a_task_that_cannot_be_run_says_so(world: World) -> None:
    await world.task(APP)
    world.registry.query(lose_step)
    world.ended(APP, base("base"))
    await world.push("base", "1")
    world.follow()
    assert await world.runs(APP) == []
    assert "no run could be made" in (await world.reasons(APP))[0]


@pytest.mark.parametrize("has_account", [True, False])
async def test_another_registry_of_the_deployment_tells_those_who_have_an_account_there(
    world: World, *, has_account: bool
) -> None:
    other = "other.entrepot.localhost:5000"
    made = {"location": "eastus", "sku": {"name": "Basic"}}
    assert (await world.arm.put(world.arm.registry("other"), made)).status in {200, 201}
    account = {"userName": {"value": "robot"}, "password": {"value": "the-password"}}
    await world.task(APP, credentials={"customRegistries": {other: account}} if has_account else None)
    there = Repository(Client(world.registry.app, other).signed_in(OWNER, OWNER_SECRET), "base")
    first, second = world.another(), world.another()
    assert (await there.push(first, "1")).status == 201
    world.ended(APP, BaseImage(RUNTIME, other, "base", "1", first.digest))
    world.follow()
    (known,) = (await world.why(APP))["baseImages"]
    assert ("isTold" in known and known["isTold"]) == has_account
    assert (await there.push(second, "1")).status == 201
    world.follow()
    assert len(await world.runs(APP)) == int(has_account)


# --- chains -----------------------------------------------------------------------------------------------------------


def owner_of(world: World) -> str:
    """Who pushes in these tests."""
    return world.registry.database.read(
        lambda tx: tx.execute(select(principal.c.id).where(principal.c.client_id == "the-owner")).scalar_one()
    )


async def run_pushes(world: World, name: str, repository: str) -> str:
    """The last run of the task pushes another image, and ends; its name."""
    run = (await world.runs(name))[0]["runId"]
    world.begun_as(run, owner_of(world))
    await world.push(repository, "1")
    world.follow()
    world.registry.query(forget_principals)
    return run


async def test_a_run_that_pushes_begins_the_next_task_and_a_loop_is_cut(world: World) -> None:
    bases = {"base-os": "upstream", "framework": "os", "the-app": "framework", "again-os": "app"}
    for name, repository in bases.items():
        await world.task(name)
        world.ended(name, base(repository))
    world.ended("base-os", base("upstream"), base("app"))
    await world.push("upstream", "1")
    world.follow()
    await run_pushes(world, "base-os", "os")
    await run_pushes(world, "framework", "framework")
    last = await run_pushes(world, "the-app", "app")
    assert world.plan(last).chain == ("local/base-os", "local/framework")
    # Not of the loop: begun. Of the loop: cut.
    assert len(await world.runs("again-os")) == 1
    assert len(await world.runs("base-os")) == 1
    reason = (await world.reasons("base-os"))[0]
    assert "local/base-os → local/framework → local/the-app → local/base-os" in reason
    assert "The loop is cut" in reason
    # What somebody else pushes there begins it again.
    await world.push("app", "1")
    world.follow()
    assert len(await world.runs("base-os")) == 2


async def test_a_task_that_pushes_its_own_base_runs_once(app: World) -> None:
    await app.push("base", "1")
    app.follow()
    await run_pushes(app, APP, "base")
    assert len(await app.runs(APP)) == 1
    assert "this task's own runs led to that (local/the-app → local/the-app)" in (await app.reasons(APP))[0]


async def test_evaluations_are_kept_for_a_while(app: World) -> None:
    await app.push("base", "1")
    app.follow()
    assert len(await app.reasons(APP)) == 1
    app.registry.database.write(delete_evaluations, app.registry.clock() - timedelta(days=1), 10)
    assert len(await app.reasons(APP)) == 1
    app.registry.database.write(delete_evaluations, app.registry.clock() + timedelta(days=1), 10)
    assert await app.reasons(APP) == []
