"""Workers that are killed, put to sleep, stopped and replaced: nothing is lost, and nothing is done twice."""

import signal

import pytest
from tests.faults.jobs.conftest import Yard
from tests.faults.jobs.program import DEADLY, NEWER, STUCK, TICKING, WAITING
from tests.integration.jobs.effects import noted

from entrepot.jobs.worker import Ended

BEGIN_AND_END = [("begin", 1), ("end", 2)]


def test_what_a_killed_worker_had_goes_on_in_one_of_a_new_release(yard: Yard) -> None:
    thing = yard.thing()
    first = yard.start("1")
    yard.wake(WAITING, thing)
    yard.until_reached(thing, first)
    first.kill()
    second = yard.start("2")
    yard.open(thing)
    yard.until_finished(WAITING, thing)
    assert yard.did(thing) == BEGIN_AND_END
    assert [by for _, by, _ in yard.database.read(noted, thing)] == [f"{first.pid} 1", f"{second.pid} 2"]
    assert yard.runs(WAITING, thing) == [("SUCCESS", 2)]
    assert second.is_alive()


@pytest.mark.parametrize("point", ("inside", "after"))
def test_a_change_happens_once_wherever_its_worker_dies(yard: Yard, point: str) -> None:
    thing = yard.thing()
    first = yard.start()
    yard.wake(DEADLY, thing, point)
    assert yard.end_of(first) == -signal.SIGKILL
    yard.known_as_dead(first)
    yard.start()
    yard.until_finished(DEADLY, thing, point)
    assert yard.did(thing) == [("change", 2 if point == "inside" else 1), ("end", 2)]


@pytest.mark.parametrize("wakes", ("before-its-successor-ends", "after-its-successor-has-ended"))
def test_a_worker_that_slept_too_long_does_no_harm(yard: Yard, wakes: str) -> None:
    thing = yard.thing()
    sleeper = yard.start()
    yard.wake(WAITING, thing)
    yard.until_reached(thing, sleeper)
    yard.put_to_sleep(sleeper)
    successor = yard.start()
    yard.until_reached(thing, successor)
    if wakes == "before-its-successor-ends":
        yard.send(sleeper, signal.SIGCONT)
        yard.open(thing)
    else:
        yard.open(thing)
        yard.until_finished(WAITING, thing)
        yard.send(sleeper, signal.SIGCONT)
    assert yard.end_of(sleeper) == Ended.REPLACED
    yard.until_finished(WAITING, thing)
    assert yard.did(thing) == BEGIN_AND_END
    assert [by for _, by, _ in yard.database.read(noted, thing)] == [f"{sleeper.pid} 1", f"{successor.pid} 1"]
    assert yard.answers(WAITING, thing) == ["null", f'"{successor.pid}"', "null"]


def test_of_two_workers_only_one_takes_over(yard: Yard) -> None:
    things = [yard.thing() for _ in range(5)]
    first = yard.start()
    for thing in things:
        yard.wake(WAITING, thing)
        yard.until_reached(thing, first)
    yard.start()
    yard.start()
    first.kill()
    for thing in things:
        yard.open(thing)
        yard.until_finished(WAITING, thing)
    assert [yard.did(thing) for thing in things] == [BEGIN_AND_END] * 5
    assert [yard.runs(WAITING, thing) for thing in things] == [[("SUCCESS", 2)]] * 5


def test_two_workers_follow_a_schedule_as_one(yard: Yard) -> None:
    yard.start()
    yard.start()
    yard.until(lambda: len(yard.did("tick")) >= 4, "it ran four times")
    runs = [what for what, _ in yard.did("tick")]
    assert len(runs) == len(set(runs))
    assert all(run.startswith("test.ticking@") and run.endswith(":00") for run in runs)  # one for each full second
    assert len(yard.runs(TICKING)) <= len(runs) + 1


def test_a_worker_that_is_asked_to_stop_hands_back_what_it_has_not_done(yard: Yard) -> None:
    thing = yard.thing()
    first = yard.start()
    yard.wake(WAITING, thing)
    yard.until_reached(thing, first)
    yard.send(first, signal.SIGTERM)
    yard.until(lambda: "worker_stopping" in yard.log(), "the worker is stopping")
    yard.open(thing)  # the step ends in time; the run goes on in the next worker, which need not wait for a death
    assert yard.end_of(first) == Ended.STOPPED
    assert yard.runs(WAITING, thing) == [("ENQUEUED", 1)]
    yard.start()
    yard.until_finished(WAITING, thing)
    assert yard.did(thing) == BEGIN_AND_END


def test_a_worker_that_is_asked_to_stop_does_not_wait_for_a_stuck_step(yard: Yard) -> None:
    thing = yard.thing()
    first = yard.start()
    yard.wake(STUCK, thing)
    yard.until_reached(thing, first)
    yard.send(first, signal.SIGTERM)
    assert yard.end_of(first) == Ended.STOPPED
    assert yard.runs(STUCK, thing) == [("ENQUEUED", 1)]


def test_an_idle_worker_connects_to_nothing_but_its_database(yard: Yard) -> None:
    process = yard.start()
    yard.until(lambda: len(yard.did("tick")) >= 1, "it worked")
    yard.send(process, signal.SIGTERM)
    assert yard.end_of(process) == Ended.STOPPED
    connected = yard.folder / f"connected-{process.pid}"
    assert not connected.exists()


def test_an_old_release_leaves_what_it_does_not_know_to_a_new_one(yard: Yard) -> None:
    thing = yard.thing()
    old = yard.start("1")
    yard.wake(NEWER, thing)
    yard.until(lambda: yard.runs(NEWER, thing) == [("PENDING", 1)], "the old release has claimed it")
    yard.until(lambda: yard.runs(NEWER, thing) != [("PENDING", 1)], "the old release has put it back")
    yard.open(thing)
    yard.start("2")
    yard.send(old, signal.SIGTERM)  # until then it may claim it again, and put it back again
    yard.until_finished(NEWER, thing)
    assert [what for what, _ in yard.did(thing)] == ["begin", "end"]
