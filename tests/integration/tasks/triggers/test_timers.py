"""Timers of tasks and the runs that they begin: each time of a timer one, and none while the task is disabled."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.integration.tasks.triggers.conftest import Json, World

APP = "the-app"
# The clock of tests begins at 07:08:09.
EVERY, EACH_TEN = "* * * * *", "*/10 * * * *"


def timers(**schedules: str) -> Json:
    return [{"name": name, "schedule": schedule} for name, schedule in schedules.items()]


def fire(world: World) -> int:
    """Whatever is due, as one worker does it; how many."""
    fired = 0
    while world.registry.database.write(world.triggers.fire_timer, world.registry.clock()):
        fired += 1
    return fired


async def ticks(world: World) -> list[tuple[str, str]]:
    """Of the task's runs, the newest first."""
    found = [run["timerTrigger"] for run in await world.runs(APP)]
    return [(each["timerTriggerName"], each["scheduleOccurrence"]) for each in found]


async def test_two_timers_of_a_task_that_are_due_in_one_minute_begin_a_run_each(world: World) -> None:
    await world.task(APP, timerTriggers=timers(often=EVERY, tenth="10 7 * * *", later="11 7 * * *"))
    world.registry.clock.advance(seconds=30)
    assert fire(world) == 0
    world.registry.clock.advance(minutes=1, seconds=30)
    assert fire(world) == 2
    at = "2024-05-06T07:10:00+00:00"
    assert sorted(await ticks(world)) == [("often", at), ("tenth", at)]
    runs = await world.runs(APP)
    assert {(run["runType"], run["status"], run["task"]) for run in runs} == {("AutoRun", "Queued", APP)}
    found = (await world.why(APP))["evaluations"]
    assert {(each["kind"], each["trigger"], each["key"]) for each in found} == {
        ("timer", "often", "2024-05-06T07:10Z"),
        ("timer", "tenth", "2024-05-06T07:10Z"),
    }
    assert {each["runId"] for each in found} == {run["runId"] for run in runs}


async def test_times_that_passed_while_a_task_was_disabled_are_not_made_up_for(world: World) -> None:
    await world.task(APP, timerTriggers=timers(t1=EACH_TEN))
    await set_status(world, "Disabled")
    world.registry.clock.advance(minutes=45)
    assert fire(world) == 0
    await set_status(world, "Enabled")
    assert fire(world) == 0
    world.registry.clock.advance(minutes=10)
    assert fire(world) == 1
    assert await ticks(world) == [("t1", "2024-05-06T08:00:00+00:00")]
    assert "left out" not in (await world.reasons(APP))[0]


async def set_status(world: World, status: str) -> None:
    answer = await world.arm.patch(world.path(APP), {"properties": {"status": status}})
    assert answer.json()["properties"]["status"] == status


async def test_two_workers_that_look_at_once_begin_one_run_for_each_time(world: World) -> None:
    names = ("t1", "t2", "t3")
    schedules = dict(zip(names, (EVERY, "*/1 * * * *", "0-59 * * * *"), strict=True))
    await world.task(APP, timerTriggers=timers(**schedules))
    minutes, together = 8, Barrier(2)

    def look(_worker: int) -> int:
        together.wait(timeout=30)
        return fire(world)

    with ThreadPoolExecutor(2) as workers:
        for _ in range(minutes):
            world.registry.clock.advance(minutes=1)
            assert sum(workers.map(look, range(2))) == len(names)
    counted = Counter(await ticks(world))
    assert set(counted.values()) == {1}
    assert len(counted) == minutes * len(names)
