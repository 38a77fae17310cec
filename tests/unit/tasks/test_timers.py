"""Which time of a timer begins a run, when some have passed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.tasks.schedule import parse_schedule
from entrepot.tasks.triggers.timers import last_of

FIRST = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "late", "last"),
    [
        ("30 9 * * *", timedelta(seconds=20), FIRST),
        ("30 9 * * *", timedelta(hours=23), FIRST),
        ("30 9 * * *", timedelta(days=1), FIRST + timedelta(days=1)),
        ("30 9 * * *", timedelta(days=400, hours=5), FIRST + timedelta(days=400)),
        ("*/10 * * * *", timedelta(minutes=9), FIRST),
        ("*/10 * * * *", timedelta(minutes=59), FIRST + timedelta(minutes=50)),
        ("30 9 * * Mon", timedelta(days=13), FIRST + timedelta(days=7)),
        ("* * * * *", timedelta(days=3650, seconds=59), FIRST + timedelta(days=3650)),
    ],
)
def test_the_last_time_that_has_passed_counts(schedule: str, late: timedelta, last: datetime) -> None:
    assert last_of(parse_schedule(schedule), FIRST, FIRST + late) == last


@given(minutes=st.integers(0, 20_000), step=st.integers(1, 59))
def test_it_is_a_time_up_to_now_and_none_lies_between(minutes: int, step: int) -> None:
    schedule, now = parse_schedule(f"*/{step} * * * *"), FIRST + timedelta(minutes=minutes, seconds=30)
    first = schedule.after(FIRST - timedelta(minutes=1))
    assert first is not None
    if first <= now:
        last, following = last_of(schedule, first, now), schedule.after(now)
        assert first <= last <= now
        assert schedule.after(last) == following
