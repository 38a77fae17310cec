from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.access.condition_texts import CONDITIONS, CONTENT_READ, CONTENT_WRITE, NAMES, OPERATIONS

from entrepot.access.candidates import Candidates
from entrepot.access.conditions import REPOSITORY_NAME, parse_condition, permits

NAME = REPOSITORY_NAME


@examples(300)
@given(st.lists(CONDITIONS.map(str), max_size=4), st.sampled_from(OPERATIONS), st.none() | NAMES)
def test_candidates_hold_where_one_of_all_conditions_does(
    texts: list[str], operation: str, repository: str | None
) -> None:
    each = [permits(parse_condition(text), operation, repository) for text in texts]
    assert Candidates(operation, texts).hold(repository) is any(each)


def test_conditions_that_cannot_be_read_never_hold() -> None:
    texts = ["", "nonsense", f"{NAME} StringEquals 'app", "' OR '", "é", "a\0b", f"{NAME} StringEquals 'a\0'"]
    assert not Candidates(CONTENT_READ, texts).hold("app")


def test_what_is_not_plain_is_read_as_it_is_written() -> None:
    """The sign for kelvin is a letter k in lower case, and no repository has it."""
    assert Candidates(CONTENT_READ, [f"{NAME} StringEqualsIgnoreCase '\u212a'"]).hold("k")
    assert not Candidates(CONTENT_READ, [f"{NAME} StringEquals '\u212a'"]).hold("k")


def test_a_condition_is_looked_at_for_the_repositories_that_it_names_alone() -> None:
    texts = [
        f"{NAME} StringEquals 'one' AND {NAME} StringNotEquals 'other'",
        f"ActionMatches{{'{CONTENT_WRITE}'}} AND {NAME} StringNotEquals 'two'",
        f"NOT ({NAME} StringNotStartsWith 'three/' OR {NAME} StringEquals 'three/x')",
        f"{NAME} StringLike 'fo?r*'",
    ]
    found = Candidates(CONTENT_READ, texts)
    looked_at = {name: list(found._fitting(name)) for name in ("one", "two", "three/a", "four", None)}
    assert looked_at == {"one": [texts[0]], "two": [], "three/a": [texts[2]], "four": [texts[3]], None: []}
