"""What a look at a repository finds new, and when the next one is."""

from datetime import timedelta

import pytest

from entrepot.tasks.sources.polling import after_failures, new_references
from entrepot.tasks.triggers.sources import Seen

MAIN = "refs/heads/main"
BOTH = ["commit", "pullrequest"]


def request(number: int) -> str:
    return f"refs/pull/{number}/head"


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        (Seen(BOTH, {MAIN: "a"}), Seen(BOTH, {MAIN: "a"}), []),
        (Seen(BOTH, {MAIN: "a"}), Seen(BOTH, {MAIN: "b"}), [MAIN]),
        (Seen(BOTH, {}), Seen(BOTH, {MAIN: "a"}), [MAIN]),
        (Seen(["pullrequest"], {}), Seen(BOTH, {MAIN: "a"}), []),
        (Seen(["commit"], {MAIN: "a"}), Seen(BOTH, {MAIN: "a", request(1): "b", request(2): "c"}), []),
        (Seen(BOTH, {request(4): "a"}), Seen(BOTH, {request(4): "b", request(5): "c"}), [request(4), request(5)]),
        # One that comes back into view because another is gone.
        (Seen(BOTH, {request(4): "a"}), Seen(BOTH, {request(3): "c"}), []),
        (Seen(BOTH, {}), Seen(BOTH, {request(1): "c"}), [request(1)]),
    ],
)
def test_what_is_new(before: Seen, after: Seen, new: list[str]) -> None:
    assert new_references(before, after) == new


def test_looks_that_fail_come_twice_as_late_each_time_within_bounds() -> None:
    minutes = [after_failures(timedelta(minutes=5), failures) / timedelta(minutes=1) for failures in range(1, 12)]
    assert minutes == [10, 20, 40, 80, 160, 320, 320, 320, 320, 320, 320]
    assert after_failures(timedelta(days=1), 9) == timedelta(days=1)
