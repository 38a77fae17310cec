"""What ``acr purge`` takes: durations, filters, the newest."""

from datetime import UTC, datetime, timedelta

import pytest

from entrepot.client.acr.selecting import Wrong, doomed_tags, parse_ago, tag_filters
from entrepot.client.model import Attributes, Tag

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("30d", timedelta(days=30)),
        ("2d3h6m", timedelta(days=2, hours=3, minutes=6)),
        ("1.5h", timedelta(minutes=90)),
        ("0d", timedelta()),
        ("0", timedelta()),
        ("10m30s", timedelta(minutes=10, seconds=30)),
    ],
)
def test_days_stand_before_what_go_takes_for_a_duration(text: str, ago: timedelta) -> None:
    assert parse_ago(text) == (ago, False)


@pytest.mark.parametrize("text", ["999999d", f"{'9' * 40}d", "9999999h", f"1d{'9' * 30}h"])
def test_more_than_150_years_is_150_years(text: str) -> None:
    assert parse_ago(text) == (timedelta(days=150 * 365), True)


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1w", "1d 2h", "1h1d", "1e3h", "--5m", "1d\n"])
def test_what_is_no_duration_is_told(text: str) -> None:
    with pytest.raises(Wrong, match="invalid duration"):
        parse_ago(text)


def test_a_repository_is_named_in_full_and_a_tag_in_part() -> None:
    found = tag_filters(["team/.*:^v1", "team/app:dev$"], ["team/app", "my/team/app", "team/web"])
    assert sorted(found) == ["team/app", "team/web"]
    assert [tag for tag in ("v1.2", "old-v1", "is-dev", "dev2") if found["team/app"].search(tag)] == ["v1.2", "is-dev"]
    assert [tag for tag in ("v1.2", "is-dev") if found["team/web"].search(tag)] == ["v1.2"]


def test_the_colon_of_a_group_parts_nothing() -> None:
    assert tag_filters(["(?:a|b):(?i:X)"], ["a"])["a"].search("x")


@pytest.mark.parametrize("text", ["app", "app:", ":v1", "a:b:c", "app:(", "app:(?=x)", f"app:{'x' * 2000}"])
def test_what_is_no_filter_is_told(text: str) -> None:
    with pytest.raises(Wrong):
        tag_filters([text], ["app"])


def a_tag(name: str, hours: int, *, locked: bool = False) -> Tag:
    moment = (NOON - timedelta(hours=hours)).isoformat()
    return Tag(
        name,
        "sha256:0",
        moment,
        moment,
        Attributes(not locked, write_enabled=True, read_enabled=True, list_enabled=True),
    )


def test_the_newest_that_would_go_stay() -> None:
    tags = [a_tag("v5", 1), a_tag("x", 2), a_tag("v4", 3), a_tag("v3", 4, locked=True), a_tag("v2", 5), a_tag("v1", 6)]
    fits = tag_filters(["app:^v"], ["app"])["app"]
    before = NOON - timedelta(hours=2)
    assert [tag.name for tag in doomed_tags(tags, fits, before, 1, with_locked=False)] == ["v2", "v1"]
    assert [tag.name for tag in doomed_tags(tags, fits, before, 1, with_locked=True)] == ["v3", "v2", "v1"]
