"""NCrontab's rules (ACR-TASKS 7.3)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.tasks.schedule import ScheduleInvalid, parse_schedule

# A Thursday.
BASE = datetime(2026, 1, 1, 12, 30, 15, tzinfo=UTC)


def following(text: str, count: int = 1, base: datetime = BASE) -> list[str]:
    schedule, found, moment = parse_schedule(text), [], base
    for _ in range(count):
        after = schedule.after(moment)
        assert after is not None
        moment = after
        found.append(f"{moment:%Y-%m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("* * * * *", ["2026-01-01 12:31", "2026-01-01 12:32"]),
        ("30 12 * * *", ["2026-01-02 12:30", "2026-01-03 12:30"]),
        ("*/20 * * * *", ["2026-01-01 12:40", "2026-01-01 13:00", "2026-01-01 13:20"]),
        ("5/25 13 * * *", ["2026-01-01 13:05", "2026-01-01 13:30", "2026-01-01 13:55", "2026-01-02 13:05"]),
        ("0 9-17/4 * * *", ["2026-01-01 13:00", "2026-01-01 17:00", "2026-01-02 09:00"]),
        ("0 0 1,15 * *", ["2026-01-15 00:00", "2026-02-01 00:00"]),
        ("0 12 * * Mon-Fri", ["2026-01-02 12:00", "2026-01-05 12:00"]),
        ("30 9 * Jan Mon", ["2026-01-05 09:30", "2026-01-12 09:30"]),
        ("0 0 13 * fri", ["2026-02-13 00:00", "2026-03-13 00:00"]),
        ("0 0 31 * *", ["2026-01-31 00:00", "2026-03-31 00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 29 2 0", ["2032-02-29 00:00", "2060-02-29 00:00"]),
        ("0 0 1 M *", ["2026-03-01 00:00"]),
        ("0 0 1 ju *", ["2026-06-01 00:00"]),
        ("0 0 * * S", ["2026-01-04 00:00"]),
        ("0 0 * * 0,sat", ["2026-01-03 00:00", "2026-01-04 00:00"]),
        ("  0   0 1 1 *  ", ["2027-01-01 00:00"]),
    ],
)
def test_the_next_times_are_strictly_later(text: str, times: list[str]) -> None:
    assert following(text, len(times)) == times


def test_times_are_utc_whatever_the_clock_is() -> None:
    there = BASE.astimezone(timezone(timedelta(hours=5)))
    assert following("0 13 * * *", base=there) == ["2026-01-01 13:00"]


def test_a_time_that_never_comes_is_none() -> None:
    assert parse_schedule("0 0 30 2 *").after(BASE) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("* * * *", "is an invalid crontab expression. It must contain 5 components"),
        ("0 * * * * *", "is an invalid crontab expression. It must contain 5 components"),
        ("", "is an invalid crontab expression"),
        ("@daily", "is an invalid crontab expression"),
        ("* " * 200, "is an invalid crontab expression"),
        ("60 * * * *", "'60' is no minute: from 0 to 59"),
        ("* 24 * * *", "'24' is no hour"),
        ("* * 0 * *", "'0' is no day: from 1 to 31"),
        ("* * * 13 *", "'13' is no month"),
        ("* * * * 7", "'7' is no weekday: from 0 to 6 or the beginning of a name such as Sunday"),
        ("* * * x *", "'x' is no month"),
        ("5-1 * * * *", "'5-1' is no minute"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("*/99999999999999999999 * * * *", "is no minute"),
        ("99999999999999999999 * * * *", "is no minute"),
        ("1,,2 * * * *", "'' is no minute"),
        ("? * * * *", "'?' is no minute"),
        ("* * L * *", "'L' is no day"),
        ("* * * * 5#2", "'5#2' is no weekday"),
        ("-1 * * * *", "'-1' is no minute"),
        ("\uff11 * * * *", "is no minute"),
    ],
)
def test_what_is_no_expression_says_which_field(text: str, message: str) -> None:
    with pytest.raises(ScheduleInvalid) as raised:
        parse_schedule(text)
    assert message in str(raised.value)


@given(st.text(alphabet="0123456789*,-/ ajmsun", max_size=30))
def test_any_text_is_a_schedule_or_refused(text: str) -> None:
    try:
        schedule = parse_schedule(text)
    except ScheduleInvalid:
        return
    after = schedule.after(BASE)
    assert after is None or after > BASE
