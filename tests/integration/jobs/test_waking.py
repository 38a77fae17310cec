"""Waking: in the caller's transaction, and many wakes of one thing making one run."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, select
from tests.integration.jobs.conftest import Office
from tests.integration.jobs.effects import RUNS, dbos, finished, is_asked, note, noted, statuses
from tests.integration.jobs.workflows import LIMITED, OTHER_WORK, WORK
from tests.services import wait_until


class Regretted(Exception):
    """Rolls a test's transaction back."""


def test_a_wake_that_is_rolled_back_never_runs(office: Office) -> None:
    regretted, kept = office.thing(), office.thing()

    def wake_and_regret(tx: Connection) -> None:
        office.jobs.wake(tx, WORK, regretted)
        raise Regretted

    with pytest.raises(Regretted):
        office.database.write(wake_and_regret)
    office.wake(WORK, kept)
    office.wait_for(kept)
    assert office.attempts_at(regretted) == []
    assert office.database.read(statuses, WORK.key((regretted,))) == []


def test_a_wake_and_the_change_that_causes_it_are_seen_together(office: Office) -> None:
    thing = office.thing()
    office.bodies[thing] = lambda run: run.once("copy", lambda tx: note(tx, thing, f"saw {len(noted(tx, thing))}"))

    def change_and_wake(tx: Connection) -> None:
        note(tx, thing, "change")
        office.jobs.wake(tx, WORK, thing)

    office.database.write(change_and_wake)
    wait_until(lambda: office.database.read(finished, WORK.key((thing,))), "it ran")
    assert [what for what, _, _ in office.database.read(noted, thing)] == ["change", "saw 1"]


def test_two_hundred_wakes_of_one_transaction_all_run(office: Office) -> None:
    things = [office.thing() for _ in range(200)]

    def wake_all(tx: Connection) -> None:
        for thing in things:
            office.jobs.wake(tx, WORK, thing)

    office.database.write(wake_all)
    wait_until(lambda: all(office.attempts_at(thing) == [1] for thing in things), "all ran once", within=100)


def test_many_wakes_of_one_thing_make_one_run(office: Office) -> None:
    thing = office.thing()

    def wake_often(tx: Connection) -> None:
        for _ in range(50):
            office.jobs.wake(tx, WORK, thing)

    office.database.write(wake_often)
    wait_until(lambda: office.database.read(finished, WORK.key((thing,))), "it ran")
    assert office.database.read(statuses, WORK.key((thing,))) == [("SUCCESS", 1)]


def test_the_same_thing_is_woken_for_each_workflow_by_itself(office: Office) -> None:
    thing = office.thing()
    office.wake(WORK, thing)
    office.wake(OTHER_WORK, thing)
    office.wait_for(thing, times=2)


def test_a_wake_during_a_run_makes_another_that_does_not_overlap(office: Office) -> None:
    begun, go, going, most = threading.Event(), threading.Event(), [0], [0]
    thing = office.thing()

    def wait(_: object) -> None:
        going[0] += 1
        most[0] = max(most[0], going[0])
        begun.set()
        go.wait(10)
        going[0] -= 1

    office.bodies[thing] = wait
    office.wake(WORK, thing)
    assert begun.wait(10)
    for _ in range(5):
        office.wake(WORK, thing)
    other = office.thing()
    office.wake(WORK, other)
    office.wait_for(other)  # the queue goes on, and the second run waits for the first
    assert office.attempts_at(thing) == [1]
    go.set()
    wait_until(lambda: office.database.read(finished, WORK.key((thing,))), "both ran")
    assert office.attempts_at(thing) == [1, 1]
    assert most == [1]


def test_wakes_of_one_thing_at_one_moment_all_come_before_a_run_that_begins_later(office: Office) -> None:
    thing = office.thing()
    seen: list[int] = []
    office.bodies[thing] = lambda run: seen.append(run.read(lambda tx: len(noted(tx, thing))))

    def change_and_wake(tx: Connection, number: int) -> None:
        note(tx, thing, str(number))
        office.jobs.wake(tx, WORK, thing)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: office.database.write(change_and_wake, number), range(120)))
    wait_until(lambda: office.database.read(finished, WORK.key((thing,))), "all ran")
    assert seen[-1] == 120
    assert len(seen) < 60


def test_a_queue_begins_no_more_than_its_rate(office: Office) -> None:
    things = [office.thing() for _ in range(4)]
    for thing in things:
        office.wake(LIMITED, thing)
    wait_until(lambda: all(office.attempts_at(thing) == [1] for thing in things), "all ran")
    keys = [LIMITED.key((thing,)) for thing in things]
    chosen = select(RUNS.c.started_at_epoch_ms).where(RUNS.c.queue_partition_key.in_(keys))
    first, _, third, _ = sorted(office.database.read(lambda tx: dbos(tx, chosen).scalars().all()))
    assert LIMITED.queue.rate is not None
    assert third - first >= LIMITED.queue.rate.seconds * 1000


def test_what_is_due_without_anything_to_do_does_not_run(office: Office) -> None:
    time.sleep(2.2)
    assert office.ticks == 0
    office.database.write(note, office.thing(), "asked")
    wait_until(lambda: office.ticks > 0, "it ran")
    wait_until(lambda: not office.database.read(is_asked, datetime.now(UTC)), "it answered")
    before = office.ticks
    time.sleep(2.2)
    assert office.ticks == before
