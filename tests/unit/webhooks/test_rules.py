"""Scopes, pauses and Retry-After, decided from values."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import Problem
from entrepot.webhooks.rules import Patience, expect_scope, parse_scope, retry_after, secret_bytes

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("scope", "repository", "tags", "expected"),
    [
        ("", "app", (), True),
        ("app", "app", ("latest",), True),
        ("app", "app", ("v1",), False),
        ("app", "app", (), False),
        ("app:*", "app", (), True),
        ("app:*", "team/app", ("v1",), False),
        ("app:v1", "app", ("v2", "v1"), True),
        ("app:v*", "app", ("v1",), True),
        ("app:v*", "app", ("w1",), False),
        ("*", "team/app", ("v1",), True),
        ("team/*:stable", "team/a/b", ("stable",), True),
        ("a.p", "axp", ("latest",), False),
    ],
)
def test_a_scope_covers(scope: str, repository: str, tags: tuple[str, ...], expected: bool) -> None:
    expect_scope(scope)
    assert parse_scope(scope).covers(repository, tags) is expected


def test_a_scope_of_many_stars_is_decided_at_once() -> None:
    scope = parse_scope("a*" * 120 + "b")
    assert not scope.covers("a" * 250, ("latest",))


@given(attempts=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_a_pause_grows_to_its_bound_and_no_further(attempts: int, chance: float) -> None:
    patience = Patience(5.0, 3600.0)
    pause = patience.pause(attempts, chance)
    assert 2.5 <= pause <= 1.5 * 3600
    assert patience.pause(attempts + 1, chance) >= pause


def test_a_pause_doubles_with_each_attempt() -> None:
    patience = Patience(5.0, 3600.0)
    assert [patience.pause(attempts, 0.5) for attempts in range(1, 5)] == [5.0, 10.0, 20.0, 40.0]
    assert patience.pause(11, 0.5) == 3600.0


@pytest.mark.parametrize("attempts", [1, 4, 100])
def test_a_pause_is_spread_over_half_to_one_and_a_half_of_it_by_chance(attempts: int) -> None:
    patience = Patience(5.0, 3600.0)
    middle = patience.pause(attempts, 0.5)
    spread = [patience.pause(attempts, chance) / middle for chance in (0.0, 0.25, 0.75, 1.0)]
    assert spread == [0.5, 0.75, 1.25, 1.5]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("120", 120),
        ("9" * 400, 86400),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("Fri, 01 Jan 9999 00:00:00 GMT", 86400),
    ],
)
def test_retry_after_is_a_number_or_a_date(text: str | None, seconds: float) -> None:
    assert retry_after(text, NOW) == seconds


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_!", "whsec_" + "QUJD" * 7, "whsec_" + "QUJD" * 22, "QUJD" * 10]
)
def test_a_signing_secret_has_24_to_64_bytes(secret: str) -> None:
    with pytest.raises(Problem):
        secret_bytes(secret)
