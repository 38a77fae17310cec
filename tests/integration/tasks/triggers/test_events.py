"""Pushes that begin runs by pattern: the run knows what was pushed."""

from pathlib import Path

import pytest
from tests.content import an_image, an_index
from tests.integration.tasks.triggers.conftest import HOST, Json, World
from tests.integration.tasks.triggers.test_own_images import APP, run_pushes

from entrepot.tasks.language.reading import Task
from entrepot.tasks.language.rendering import Renderer
from entrepot.tasks.runs.model import Secrets, Steps
from entrepot.tasks.runs.reading import Reader, Reading, read_job


def on(*repositories: str, tags: tuple[str, ...] = ("*",), **more: Json) -> Json:
    return [{"name": "pushed", "repositories": list(repositories), "tags": list(tags), **more}]


async def test_a_push_begins_a_run_that_knows_what_was_pushed(world: World, tmp_path: Path) -> None:
    await world.task(APP, eventTriggers=on("team/*", tags=("v*",)))
    digest = await world.push("team/app", "v1")
    await world.push("team/app", "latest")
    await world.push("other", "v1")
    world.follow()
    (run,) = await world.runs(APP)
    pushed = run["eventTrigger"]
    assert (pushed["eventTriggerName"], pushed["registry"], pushed["repository"]) == ("pushed", HOST, "team/app")
    assert (pushed["tag"], pushed["digest"], run["runType"]) == ("v1", digest, "AutoRun")
    plan = world.plan(run["runId"])
    steps = "version: v1.1.0\nsteps:\n  - cmd: scan {{.Values.event_reference}} {{.Values.event_digest}}\n"
    with_steps = type(plan)(Steps(text=steps), plan.platform, plan.timeout, pushed=plan.pushed)
    job = read_job(with_steps, Secrets(), Reading("ca1", "local", HOST), Reader(Renderer(), {}), tmp_path)
    assert isinstance(job, Task)
    assert job.steps[0].cmd == f"scan {HOST}/team/app:v1 {digest}"
    (evaluation,) = (await world.why(APP))["evaluations"]
    assert (evaluation["kind"], evaluation["trigger"], evaluation["runId"]) == ("event", "pushed", run["runId"])


async def test_each_push_begins_one_run_however_often_it_is_looked_at(world: World) -> None:
    await world.task(APP, eventTriggers=on("*"))
    image = world.another()
    for number in range(3):
        await world.push("app", "v1", image=image)
        world.follow()
        world.follow()
        assert len(await world.runs(APP)) == number + 1


async def test_what_has_no_tag_is_no_push_of_an_artefact(world: World) -> None:
    await world.task(APP, eventTriggers=on("*"))
    image = an_image()
    repository = world.registry.repository("app")
    await world.push("app", image=image)
    assert (await repository.put(image, image.digest)).status == 201
    world.follow()
    assert await world.runs(APP) == []
    assert (await repository.put(an_index([image]), "v1")).status == 201
    world.follow()
    assert len(await world.runs(APP)) == 1


async def test_what_happened_before_the_trigger_was_made_is_not_for_it(world: World) -> None:
    await world.push("app", "v1")
    world.registry.clock.advance(seconds=1)
    await world.task(APP, eventTriggers=on("*"))
    world.follow()
    assert await world.runs(APP) == []


async def test_a_disabled_trigger_begins_nothing(world: World) -> None:
    await world.task(APP, eventTriggers=on("*", status="Disabled"))
    await world.push("app", "v1")
    world.follow()
    assert await world.runs(APP) == []
    assert (await world.why(APP))["eventTriggers"] == []


async def test_a_task_that_pushes_what_it_waits_for_is_cut(world: World) -> None:
    await world.task(APP, eventTriggers=on("app*"))
    await world.push("app", "v1")
    world.follow()
    await run_pushes(world, APP, "app-signed")
    assert len(await world.runs(APP)) == 1
    assert "The loop is cut" in (await world.reasons(APP))[0]


async def test_az_keeps_it_when_it_changes_another_trigger(world: World) -> None:
    await world.task(APP, eventTriggers=on("app", tags=("v*",)))
    timers = {"timerTriggers": [{"name": "t1", "schedule": "0 4 * * *"}]}
    answer = await world.arm.patch(world.path(APP), {"properties": {"trigger": timers}})
    triggers = answer.json()["properties"]["trigger"]
    assert triggers["eventTriggers"] == [
        {"name": "pushed", "repositories": ["app"], "tags": ["v*"], "status": "Enabled"}
    ]
    assert triggers["timerTriggers"]


@pytest.mark.parametrize(
    "triggers", [on("App"), on("a b"), on(""), on(), on("app", tags=("v 1",)), on("app") + on("app"), [{"name": "x"}]]
)
async def test_patterns_that_fit_nothing_are_refused(world: World, triggers: Json) -> None:
    with pytest.raises(AssertionError, match="eventTriggers"):
        await world.task(APP, eventTriggers=triggers)


async def test_a_trigger_that_stays_is_as_old_as_it_was(world: World) -> None:
    await world.task(APP, eventTriggers=on("*"))
    await world.push("app", "v1")
    world.registry.clock.advance(minutes=1)
    await world.task(APP, eventTriggers=on("*"))
    world.follow()
    assert len(await world.runs(APP)) == 1
