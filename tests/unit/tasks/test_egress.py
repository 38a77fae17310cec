"""Who says what a run reaches."""

import pytest

from entrepot.tasks.egress import TAG, Egress, EgressUnknown, egress_of


@pytest.mark.parametrize(
    ("setting", "tags", "egress"),
    [
        (Egress.OPEN, [], Egress.OPEN),
        (Egress.OPEN, [{}, {"other": "none"}], Egress.OPEN),
        (Egress.OPEN, [{TAG: "open"}, {TAG: "none"}], Egress.NONE),
        (Egress.OPEN, [{TAG: "none"}, {TAG: "open"}], Egress.NONE),
        (Egress.NONE, [{TAG: "open"}, {TAG: "open"}], Egress.NONE),
    ],
)
def test_anybody_closes_and_nobody_opens(setting: Egress, tags: list[dict[str, str]], egress: Egress) -> None:
    assert egress_of(setting, tags) is egress


@pytest.mark.parametrize("text", ["", "None", "NONE ", "example.com", "off"])
def test_a_word_that_nobody_knows_opens_nothing(text: str) -> None:
    with pytest.raises(EgressUnknown, match="open or none"):
        egress_of(Egress.OPEN, [{TAG: text}])
