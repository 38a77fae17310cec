"""Token buckets in shared memory: a minute's worth, filled up evenly, forgotten when they are full."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.web.rates import PERIOD, SECOND, Bucket, Buckets

NOW = 1_700_000_000 * SECOND


def bucket(buckets: Buckets, rate: int, name: str = "one", now: int = NOW) -> Bucket:
    found = buckets.find(name, rate, now)
    assert found is not None
    return found


def drawn(buckets: Buckets, one: Bucket, now: int, tries: int) -> int:
    """How many of the tries are let in."""
    return sum(buckets.draw([one], now) is None for _ in range(tries))


@pytest.mark.parametrize("rate", [1, 7, 60, 20_000])
def test_a_minutes_worth_may_come_at_once_and_then_as_many_as_flow_in(rate: int) -> None:
    buckets = Buckets()
    one = bucket(buckets, rate)
    assert drawn(buckets, one, NOW, rate + 5) == rate
    assert drawn(buckets, one, NOW + PERIOD // 2, rate) == rate // 2
    assert drawn(buckets, one, NOW + 10 * PERIOD, rate + 5) == rate


def test_whoever_is_refused_learns_when_the_next_one_is_let_in() -> None:
    buckets = Buckets()
    one = bucket(buckets, 6)
    assert drawn(buckets, one, NOW, 6) == 6
    refused = buckets.draw([one], NOW + 4 * SECOND)
    assert refused is not None
    assert refused is not None
    assert refused[0] == 0
    assert refused[1] == pytest.approx(6 * SECOND, abs=2000)
    assert buckets.draw([one], NOW + 10 * SECOND - 2000) is not None
    assert buckets.draw([one], NOW + 10 * SECOND) is None


def test_nothing_is_taken_from_any_when_one_is_empty() -> None:
    buckets = Buckets()
    large, small = bucket(buckets, 10, "large"), bucket(buckets, 1, "small")
    assert buckets.draw([large, small], NOW) is None
    refused = buckets.draw([large, small], NOW)
    assert (refused and refused[0]) == 1
    assert drawn(buckets, large, NOW, 20) == 9


@given(st.integers(1, 60), st.lists(st.integers(0, 90 * SECOND), max_size=20))
def test_no_minute_lets_in_more_than_twice_the_rate(rate: int, pauses: list[int]) -> None:
    buckets = Buckets(64)
    one = bucket(buckets, rate)
    now, let_in = NOW, []
    for pause in [0, *pauses]:
        now += pause
        let_in += [now] * drawn(buckets, one, now, rate + 1)
    for begin in let_in:
        assert sum(begin <= at < begin + PERIOD for at in let_in) <= 2 * rate


def test_a_clock_that_was_set_back_locks_nobody_out() -> None:
    buckets = Buckets()
    one = bucket(buckets, 5)
    assert drawn(buckets, one, NOW, 5) == 5
    assert drawn(buckets, one, NOW - 3600 * SECOND, 9) == 5


def test_a_place_is_given_on_once_its_bucket_is_full_and_not_before() -> None:
    buckets = Buckets(1)
    one = bucket(buckets, 6, "one")
    assert buckets.find("two", 6, NOW) is None
    buckets.draw([one], NOW)
    assert buckets.find("two", 6, NOW + SECOND) is None
    assert buckets.find("two", 6, NOW + 11 * SECOND) is not None
    with pytest.raises(LookupError):
        buckets.draw([one], NOW + 11 * SECOND)


def test_names_are_apart_however_many_there_are() -> None:
    buckets = Buckets()
    many = [bucket(buckets, 2, f"identity {number}") for number in range(5000)]
    assert len({one.slot for one in many}) == 5000


def test_processes_that_were_forked_draw_from_the_same_buckets() -> None:
    buckets = Buckets()
    one = bucket(buckets, 100)
    for _ in range(3):
        child = os.fork()
        if child == 0:
            os._exit(drawn(buckets, one, NOW, 30))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 30
    assert drawn(buckets, one, NOW, 100) == 10
