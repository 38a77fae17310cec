"""How often a run may begin: who says it, and how it is read."""

import pytest

from entrepot.tasks.attempts import MOST, TAG, AttemptsUnknown, attempts_of


@pytest.mark.parametrize(
    ("tags", "attempts"),
    [
        ([{}, {"other": "1"}], MOST),
        ([{TAG: "1"}, {}], 1),
        ([{TAG: "1"}, {TAG: " 3 "}], 3),
        ([{TAG: "no"}, {TAG: "2"}], 2),
    ],
    ids=["nobody", "the registry", "the task over it", "the task over what is none"],
)
def test_the_task_says_it_or_else_its_registry(tags: list[dict[str, str]], attempts: int) -> None:
    assert attempts_of(tags) == attempts


@pytest.mark.parametrize("text", ["0", "4", "-1", "1.0", "once", "", "٣", "03"])
def test_what_is_no_number_of_attempts_is_told(text: str) -> None:
    with pytest.raises(AttemptsUnknown, match=r"the tag entrepot\.attempts is '.*', and can be 1 to 3"):
        attempts_of([{TAG: text}])
