"""When a schedule is due, and who counts as dead."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.jobs.model import Cron, Every, Queue, Workflow
from entrepot.jobs.rules import Vigil, first_due, next_due, queues_of

NOW = datetime(2026, 3, 1, 12, 34, 56, tzinfo=UTC)
SEEN = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(1_577_836_800_000, 4_102_444_800_000).map(lambda ms: datetime.fromtimestamp(ms / 1000, UTC))


def test_an_interval_begins_with_its_latest_moment_and_goes_on_from_there() -> None:
    assert first_due(Every(60), NOW) == datetime(2026, 3, 1, 12, 34, tzinfo=UTC)
    assert next_due(Every(60), NOW) == datetime(2026, 3, 1, 12, 35, tzinfo=UTC)


def test_a_cron_schedule_begins_with_its_next_moment() -> None:
    assert first_due(Cron("0 3 * * *"), NOW) == datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
    assert next_due(Cron("0 3 * * *"), NOW) == datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def test_a_wrong_cron_expression_is_an_error() -> None:
    with pytest.raises(ValueError, match="61"):
        next_due(Cron("61 * * * *"), NOW)


@given(moments, st.integers(1, 100_000))
def test_the_next_moment_is_after_now_and_no_further_than_the_interval(now: datetime, seconds: int) -> None:
    due = next_due(Every(seconds), now)
    assert timedelta() < due - now <= timedelta(seconds=seconds)
    assert first_due(Every(seconds), due) == due


@given(st.lists(st.text() | st.integers()), st.lists(st.text() | st.integers()))
def test_different_ids_are_never_taken_for_the_same(some: list[str | int], others: list[str | int]) -> None:
    work = Workflow("work", Queue("queue"))
    assert (work.key(tuple(some)) == work.key(tuple(others))) == (some == others)


@pytest.mark.parametrize(
    "others",
    (
        (Workflow("work", Queue("another")),),
        (Workflow("more", Queue("queue", at_once=9)),),
    ),
    ids=("workflow", "queue"),
)
def test_a_name_that_stands_for_two_things_is_an_error(others: tuple[Workflow, ...]) -> None:
    work = Workflow("work", Queue("queue"))
    assert queues_of((work,)) == {"queue": work.queue}
    with pytest.raises(ValueError, match="declared twice"):
        queues_of((work, *others))


def watched(vigil: Vigil, seen_at: datetime, start: float, end: float) -> dict[str, datetime]:
    """Look once a second, the other worker's row standing still; what the last look says."""
    dead: dict[str, datetime] = {}
    at = start
    while at <= end:
        dead = vigil.look({"other": seen_at}, at)
        at += 1
    return dead


def test_a_worker_whose_row_stands_still_for_too_long_is_dead() -> None:
    vigil = Vigil(10)
    assert watched(vigil, SEEN, 0, 10) == {}
    assert watched(vigil, SEEN, 11, 11) == {"other": SEEN}


def test_a_row_that_changes_lives_whatever_its_clock_says() -> None:
    vigil = Vigil(10)
    watched(vigil, SEEN, 0, 9)
    assert watched(vigil, SEEN - timedelta(days=1), 10, 20) == {}


def test_who_has_slept_himself_knows_nothing_of_the_others() -> None:
    vigil = Vigil(10)
    watched(vigil, SEEN, 0, 9)
    assert watched(vigil, SEEN, 60, 70) == {}
    assert watched(vigil, SEEN, 71, 71) == {"other": SEEN}
