"""Runs that wait, and workers that choose them: order, pools, limits, hand-over. Source: issue 6, sections 1 and 5."""

import asyncio
import os
import signal
from multiprocessing.context import ForkServerProcess
from typing import Any

import pytest
from tests.integration.conftest import Until
from tests.integration.tasks.workers.conftest import ENDS_WITHIN, STEPS, StartWorker, log_of, properties, scheduled
from tests.integration.tasks.workers.program import Record
from tests.management import Management
from tests.registry import Registry

from entrepot.tasks.attempts import TAG
from entrepot.tasks.workers.queries import agents, seen

WITHIN = 60.0
POOL: Any = {"location": "eastus", "properties": {"count": 1}}


async def pool(arm: Management, name: str = "pool1", count: int = 1) -> str:
    path = f"{arm.registry()}/agentPools/{name}"
    made = await arm.put(path, {"location": "eastus", "properties": {"count": count}})
    assert made.status in {200, 201}, made.body
    return path


async def test_twenty_runs_keep_their_order_and_none_runs_twice(
    arm: Management, start_worker: StartWorker, record: Record, until: Until
) -> None:
    for _ in range(20):
        await scheduled(arm)
    record.let_go()
    for _ in range(2):
        start_worker(task_runs=1)

    async def have_ended() -> bool:
        return len(record.runs("end")) >= 20

    await until(have_ended, WITHIN)
    begun = [int(run.partition("-")[0]) for run in record.runs("begin")]
    assert sorted(begun) == sorted(set(begun))
    # Two workers: a run may begin beside the one before it, and before that one's own beginning is written down.
    assert all(abs(begun.index(run) - position) <= 1 for position, run in enumerate(sorted(begun)))
    going = 0
    for word, _, _ in record.lines:
        going += {"begin": 1, "end": -1}.get(word, 0)
        assert going <= 2, record.lines


async def test_a_run_of_a_pool_waits_for_a_worker_of_the_pool_and_says_so(
    arm: Management, start_worker: StartWorker, record: Record, registry: Registry, until: Until
) -> None:
    path = await pool(arm)
    record.let_go()
    start_worker()
    run = await scheduled(arm, agentPoolName="Pool1")
    plain = await scheduled(arm)

    async def has_ended(name: str = run) -> bool:
        return (await properties(arm, name))["status"] == "Succeeded"

    async def says_why() -> bool:
        return "start one with entrepot worker --pool Pool1" in await log_of(arm, run)

    await until(lambda: has_ended(plain), WITHIN)
    await until(says_why, WITHIN)
    told = await properties(arm, run)
    assert (told["status"], told["agentPoolName"]) == ("Queued", "Pool1")
    assert "entrepot worker --pool Pool1" in told["runErrorMessage"]
    assert (await arm.post(f"{path}/listQueueStatus")).json() == {"count": 1}
    start_worker(pool="pool1", task_runs=3)
    await until(has_ended, WITHIN)
    assert (await arm.post(f"{path}/listQueueStatus")).json() == {"count": 0}
    assert {(each.agent.pool, each.agent.at_once) for each in registry.database.read(seen)} == {("", 2), ("pool1", 3)}
    # The waiting stands before what the run says itself.
    log = await log_of(arm, run)
    assert log.index("Waiting for an agent") < log.index("Executing step ID")


async def test_a_pool_of_one_registry_takes_no_runs_of_another(
    arm: Management, start_worker: StartWorker, record: Record, until: Until
) -> None:
    assert (await arm.put(arm.registry("other"), {"location": "eastus", "sku": {"name": "Premium"}})).status == 201
    record.let_go()
    theirs = await scheduled(arm, "other", agentPoolName="pool1")
    ours = await scheduled(arm, agentPoolName="pool1")
    start_worker(pool="local/pool1")

    async def has_ended() -> bool:
        return (await properties(arm, ours))["status"] == "Succeeded"

    async def says_why() -> bool:
        return "--pool pool1" in (await properties(arm, theirs, "other")).get("runErrorMessage", "")

    await until(has_ended, WITHIN)
    await until(says_why, WITHIN)
    assert (await properties(arm, theirs, "other"))["status"] == "Queued"


async def test_a_run_that_needs_labels_waits_for_a_worker_that_has_them_all(
    arm: Management, start_worker: StartWorker, record: Record, until: Until, registry: Registry
) -> None:
    """By its task's tag, or for a quick run by its registry's."""
    record.let_go()
    start_worker(task_labels=("gpu",))
    assert (await arm.patch(arm.registry(), {"tags": {"entrepot.labels": "SSD, gpu"}})).status == 200
    run = await scheduled(arm)
    assert (await arm.patch(arm.registry(), {"tags": {"entrepot.labels": "gpu"}})).status == 200
    plain = await scheduled(arm)

    async def has_ended(name: str = plain) -> bool:
        return (await properties(arm, name))["status"] == "Succeeded"

    async def says_why() -> bool:
        return "workers with the labels gpu,ssd are not there" in await log_of(arm, run)

    await until(has_ended, WITHIN)
    await until(says_why, WITHIN)
    assert "entrepot worker --task-labels gpu,ssd" in (await properties(arm, run))["runErrorMessage"]
    start_worker(task_labels=("gpu", "ssd"))
    await until(lambda: has_ended(run), WITHIN)
    labels = {each.agent.labels for each in registry.database.read(seen)}
    assert labels == {frozenset({"gpu"}), frozenset({"gpu", "ssd"})}


async def test_a_tasks_own_labels_go_before_its_registrys(
    arm: Management, start_worker: StartWorker, record: Record, until: Until
) -> None:
    record.let_go()
    assert (await arm.patch(arm.registry(), {"tags": {"entrepot.labels": "gpu"}})).status == 200
    task = {
        "location": "eastus",
        "tags": {"entrepot.labels": ""},
        "properties": {
            "platform": {"os": "linux", "architecture": "amd64"},
            "step": {"type": "EncodedTask", "encodedTaskContent": STEPS},
        },
    }
    assert (await arm.put(f"{arm.registry()}/tasks/anywhere", task)).status == 200
    start_worker()
    asked = {"type": "TaskRunRequest", "taskId": f"{arm.registry()}/tasks/anywhere"}
    run = (await arm.post(f"{arm.registry()}/scheduleRun", asked)).json()["name"]

    async def has_ended() -> bool:
        return (await properties(arm, run))["status"] == "Succeeded"

    await until(has_ended, WITHIN)


@pytest.mark.parametrize("limit", ["registry", "pool"])
async def test_a_limit_holds_runs_back_though_there_are_places(
    arm: Management, start_worker: StartWorker, record: Record, until: Until, limit: str
) -> None:
    await pool(arm, count=1)
    asked = {"agentPoolName": "pool1"} if limit == "pool" else {}
    more = {"pool": "pool1"} if limit == "pool" else {"task_runs_per_registry": 1}
    start_worker(task_runs=4, **more)
    first, second = await scheduled(arm, **asked), await scheduled(arm, **asked)

    async def says_why() -> bool:
        told = (await properties(arm, second)).get("runErrorMessage", "")
        return "as its count" in told if limit == "pool" else "task_runs_per_registry" in told

    async def has_begun() -> bool:
        return (await properties(arm, first))["status"] == "Running"

    await until(says_why, WITHIN)
    await until(has_begun, WITHIN)
    record.let_go()

    async def have_ended() -> bool:
        return record.runs("end") == ["1-1", "2-1"]

    await until(have_ended, WITHIN)


async def test_a_run_that_waits_is_canceled_and_never_begins(
    arm: Management, start_worker: StartWorker, record: Record, until: Until
) -> None:
    start_worker(task_runs=1)
    runs = [await scheduled(arm) for _ in range(3)]

    async def has_begun() -> bool:
        return len(record.runs("begin")) == 1

    await until(has_begun, WITHIN)
    assert (await arm.post(f"{arm.registry()}/runs/{runs[1]}/cancel")).status == 200
    assert (await properties(arm, runs[1]))["status"] == "Canceled"
    record.let_go()

    async def has_ended() -> bool:
        return (await properties(arm, runs[2]))["status"] == "Succeeded"

    await until(has_ended, WITHIN)
    assert record.runs("begin") == ["1-1", "3-1"]


async def test_a_worker_that_is_told_to_stop_lets_its_run_end_and_begins_no_other(
    arm: Management, start_worker: StartWorker, record: Record, registry: Registry, until: Until
) -> None:
    worker = start_worker(task_runs=1, task_drain_seconds=600)
    first, second = await scheduled(arm), await scheduled(arm)

    async def has_begun() -> bool:
        return record.runs("begin") == ["1-1"]

    async def drains() -> bool:
        return [each.drains for each in registry.database.read(agents)] == [True]

    await until(has_begun, WITHIN)
    worker.terminate()
    await until(drains, WITHIN)
    record.let_go()
    worker.join(ENDS_WITHIN)
    assert worker.exitcode == 0
    assert (await properties(arm, first))["status"] == "Succeeded"
    assert (await properties(arm, second))["status"] == "Queued"
    assert registry.database.read(agents) == []


async def test_a_run_that_its_worker_handed_back_has_its_place_before_those_that_wait(
    arm: Management, start_worker: StartWorker, record: Record, until: Until
) -> None:
    first, second = [await scheduled(arm) for _ in range(2)]
    worker = start_worker(task_runs=1)

    async def have_begun(*runs: str) -> bool:
        return record.runs("begin") == list(runs)

    await until(lambda: have_begun("1-1"), WITHIN)
    worker.terminate()
    worker.join(ENDS_WITHIN)
    start_worker(task_runs=1)
    await until(lambda: have_begun("1-1", "1-2"), WITHIN)
    # Whatever would begin beside it has begun by then.
    await asyncio.sleep(1)
    assert (await properties(arm, second))["status"] == "Queued"
    record.let_go()

    async def have_ended() -> bool:
        return [(await properties(arm, run))["status"] for run in (first, second)] == ["Succeeded"] * 2

    await until(have_ended, WITHIN)
    assert [(word, run) for word, run, _ in record.lines if word in {"begin", "end"}] == [
        ("begin", "1-1"),
        ("begin", "1-2"),
        ("end", "1-2"),
        ("begin", "2-1"),
        ("end", "2-1"),
    ]
    # Nobody has canceled it.
    log = await log_of(arm, first)
    assert log.index("the run begins again (attempt 2)") < log.index("was successful after")
    assert "was canceled" not in log


# The third time the other worker waits at another queue of the same pool: nobody of the first one's kind is left.
@pytest.mark.parametrize(("how", "other"), [("told", "pool1"), ("killed", "pool1"), ("killed", "local/pool1")])
async def test_what_a_pools_worker_leaves_another_of_the_pool_begins_again(
    arm: Management, start_worker: StartWorker, record: Record, until: Until, how: str, other: str
) -> None:
    first = start_worker(pool="pool1")
    run = await scheduled(arm, agentPoolName="pool1")

    async def has_begun() -> bool:
        return record.runs("begin") == ["1-1"]

    async def has_begun_again() -> bool:
        return record.runs("begin") == ["1-1", "1-2"]

    await until(has_begun, WITHIN)
    start_worker(pool=other)
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL if how == "killed" else signal.SIGTERM)
    await until(has_begun_again, WITHIN)
    record.let_go()

    async def has_ended() -> bool:
        return (await properties(arm, run))["status"] == "Succeeded"

    await until(has_ended, WITHIN)
    assert record.runs("end") == ["1-2"]


async def lose(worker: ForkServerProcess, run: str, attempt: int, record: Record, until: Until) -> None:
    """Once it runs this attempt."""

    async def has_begun() -> bool:
        return record.runs("begin")[-1:] == [f"{run}-{attempt}"]

    await until(has_begun, WITHIN)
    worker.kill()
    worker.join(ENDS_WITHIN)


async def test_a_run_that_three_workers_were_lost_with_is_an_error(
    arm: Management, start_worker: StartWorker, record: Record, until: Until
) -> None:
    run = await scheduled(arm)
    for attempt in (1, 2, 3):
        await lose(start_worker(), "1", attempt, record, until)
    start_worker()

    async def is_an_error() -> bool:
        return (await properties(arm, run))["status"] == "Error"

    await until(is_an_error, WITHIN)
    assert (await properties(arm, run))["runErrorMessage"] == "3 workers were lost while they ran it"
    assert record.runs("begin") == ["1-1", "1-2", "1-3"]
    log = await log_of(arm, run)
    assert "(attempt 4)" not in log
    assert log.rstrip().endswith("Error: 3 workers were lost while they ran it")


async def tagged_task(arm: Management, value: str) -> str:
    """A run of a task with the tag."""
    path = f"{arm.registry()}/tasks/deploy"
    step = {"type": "EncodedTask", "encodedTaskContent": STEPS}
    made = await arm.put(
        path, {"location": "eastus", "tags": {TAG: value}, "properties": {"platform": {"os": "linux"}, "step": step}}
    )
    assert made.status in {200, 201}, made.body
    answer = await arm.post(f"{arm.registry()}/scheduleRun", {"type": "TaskRunRequest", "taskId": path})
    assert answer.status == 200, answer.body
    return answer.json()["name"]


@pytest.mark.parametrize("of", ["task", "registry"])
async def test_a_run_that_may_begin_once_is_an_error_when_its_worker_is_lost(
    arm: Management, start_worker: StartWorker, record: Record, until: Until, of: str
) -> None:
    if of == "registry":
        assert (await arm.patch(arm.registry(), {"tags": {TAG: "1"}})).status == 200
    run = await tagged_task(arm, "1") if of == "task" else await scheduled(arm)
    await lose(start_worker(), "1", 1, record, until)
    start_worker()

    async def is_an_error() -> bool:
        return (await properties(arm, run))["status"] == "Error"

    await until(is_an_error, WITHIN)
    why = "its worker was lost, and the tag entrepot.attempts lets it begin once"
    assert (await properties(arm, run))["runErrorMessage"] == why
    assert why in await log_of(arm, run)
    assert record.runs("begin") == ["1-1"]
    # What the lost worker left goes all the same.
    assert record.runs("spare") == ["1-1", "1-2"]


async def test_a_run_whose_tag_is_no_number_of_attempts_does_not_begin(
    arm: Management, start_worker: StartWorker, record: Record, until: Until
) -> None:
    run = await tagged_task(arm, "never")
    start_worker()

    async def has_failed() -> bool:
        return (await properties(arm, run))["status"] == "Failed"

    await until(has_failed, WITHIN)
    assert "the tag entrepot.attempts is 'never', and can be 1 to 3" in await log_of(arm, run)
    assert record.runs("begin") == []
