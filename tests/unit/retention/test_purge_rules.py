"""What a purge rule may say: ages that do not overflow, names in time linear, schedules."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import Kind, Problem
from entrepot.retention.purging.durations import LONGEST, parse_duration
from entrepot.retention.purging.model import Selection
from entrepot.retention.purging.patterns import parse_filter
from entrepot.retention.purging.rules import next_run, terms_of

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P30D", timedelta(days=30)),
        ("P2W", timedelta(weeks=2)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("PT36H", timedelta(hours=36)),
        ("P0D", timedelta()),
        ("2d3h6m", timedelta(days=2, hours=3, minutes=6)),
        ("0d", timedelta()),
        ("90m", timedelta(minutes=90)),
        ("1d30s", timedelta(days=1, seconds=30)),
        ("54750d", LONGEST),
    ],
)
def test_a_duration_is_read_in_both_forms(text: str, expected: timedelta) -> None:
    assert parse_duration(text, "olderThan") == expected


@pytest.mark.parametrize(
    "text",
    [
        # acr-cli issues 83 and 560: these became moments in the future, and everything was older.
        "999999d",
        "106752d",
        "213504d",
        "9223372036854775807d",
        "P999999D",
        "P999999999W",
        "999999999h999999999m",
        "54751d",
        # A time in the future.
        "-1d",
        "-P1D",
        "P-1D",
        "+1d",
        "1d-1h",
        # Not what anybody means.
        "",
        "P",
        "PT",
        "P1DT",
        "d",
        "1",
        "P1Y",
        "P1M",
        "1.5h",
        "1h1d",
        "1d 2h",
        " 1d",
        "1d\n",
        "1e3d",
        "٣d",
        "1w",
        "P" + "9" * 10_000 + "D",
    ],
    ids=lambda text: repr(text)[:24],
)
def test_a_duration_that_overflows_is_negative_or_none_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_duration(text, "olderThan")
    assert (refused.value.kind, refused.value.detail["target"]) == (Kind.RESOURCE_INVALID, "olderThan")


@given(st.text(max_size=20) | st.from_regex(r"[0-9]{1,12}[dhms][0-9]{0,12}[dhms]?", fullmatch=True))
def test_whatever_is_read_lies_in_the_past_and_not_too_far(text: str) -> None:
    try:
        found = parse_duration(text, "olderThan")
    except Problem:
        return
    assert timedelta() <= found <= LONGEST
    assert NOW - found <= NOW


def matches(text: str, repository: str, tag: str) -> bool:
    found = parse_filter(text, "filters[0]")
    return bool(found.repository.fullmatch(repository) and found.tag.fullmatch(tag))


@pytest.mark.parametrize(
    ("text", "repository", "tag", "expected"),
    [
        ("app:v.*", "app", "v1", True),
        ("app:v.*", "app", "xv1", False),
        ("app:v", "app", "v1", False),
        ("app:^v.*$", "app", "v1", True),
        ("app|web:.*", "app-web", "v1", False),
        ("app|web:.*", "web", "v1", True),
        ("app:v1|v2", "app", "v12", False),
        ("(?:app|web)/.*:(?i:DEV)-[0-9]+", "web/x", "dev-12", True),
        (".*:.*", "a/b/c", "latest", True),
    ],
)
def test_a_filter_fits_whole_names(text: str, repository: str, tag: str, expected: bool) -> None:
    assert matches(text, repository, tag) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "app",
        ":",
        "app:",
        ":v1",
        "a:b:c",
        "app:(",
        "app:[",
        "app:*",
        "app:(?=v)",
        "app:(?<!v)1",
        r"app:(v)\1",
        "app:a{1001}",
        "app:((a{100}){100}){100}",
        r"app:(?i)[\pL\pN\pS]{900}",
        "app:" + "a" * 257,
        "app:\0",
        "app:\n",
        "app:é",
        "app:\ud800",
    ],
    ids=lambda text: repr(text)[:24],
)
def test_a_filter_that_cannot_be_read_in_bounds_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_filter(text, "filters[0]")
    assert (refused.value.kind, refused.value.detail["target"]) == (Kind.RESOURCE_INVALID, "filters[0]")
    assert len(str(refused.value.detail["reason"])) < 300


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a|aa)+b", "(.*a){20}b", "(a*)*b", "([a-zA-Z]+)*b"])
def test_no_expression_takes_longer_than_the_name_is_long(pattern: str) -> None:
    """Python's own needs more than a lifetime for these."""
    found = parse_filter(f".*:{pattern}", "filters[0]")
    started = time.process_time()
    for _ in range(100):
        assert not found.tag.fullmatch("a" * 128)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("schedule", ["0 3 * * *", "*/5 0-6 1,15 * mon-fri", "0 0 29 2 *", "59 23 31 DEC SUN"])
def test_a_schedule_has_a_next_time(schedule: str) -> None:
    due = next_run(schedule, NOW)
    assert due is not None
    assert due > NOW


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "0 0 31 2 *",
        "@daily",
        "R * * * *",
        "0  3 * * *",
        "0 3 * * * ",
        "* * * * 5#3",
        "*/0 * * * *",
        "0,0," * 40 + "0 * * * *",
        "0 3 * * *\n",
    ],
)
def test_a_schedule_that_is_none_is_refused(schedule: str) -> None:
    with pytest.raises(Problem) as refused:
        next_run(schedule, NOW)
    assert refused.value.detail["target"] == "properties.schedule"


@pytest.mark.parametrize(
    ("selection", "target"),
    [
        (Selection(older_than="P1D"), "properties.filters"),
        (Selection(filters=[".*:.*"]), "properties.olderThan"),
        (Selection(filters=[".*:.*"], older_than="999999d"), "properties.olderThan"),
        (Selection(filters=[".*:.*"], older_than="P1D", last_pulled_before="-1d"), "properties.lastPulledBefore"),
        (Selection(filters=[".*:.*", "("], older_than="P1D"), "properties.filters[1]"),
        (Selection(untagged_only=True, keep=1), "properties.keep"),
    ],
)
def test_a_selection_that_says_too_little_or_too_much_is_refused(selection: Selection, target: str) -> None:
    with pytest.raises(Problem) as refused:
        terms_of(selection, NOW)
    assert refused.value.detail["target"] == target


def test_untagged_only_needs_neither_a_filter_nor_an_age() -> None:
    assert terms_of(Selection(untagged_only=True), NOW).filters_of("any/thing") == ()
    assert terms_of(Selection(untagged_only=True, filters=["app:.*"]), NOW).filters_of("any/thing") is None
