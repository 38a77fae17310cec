import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.access.condition_texts import CONDITIONS, CONTENT_READ, METADATA_READ, NAMES, OPERATIONS, guarded

from entrepot.access.conditions import REPOSITORY_NAME, Condition, parse_condition, permits
from entrepot.access.patterns import names_operation
from entrepot.access.restrictions import EVERY_OPERATION, gather

NAME = REPOSITORY_NAME
READ = (CONTENT_READ, METADATA_READ)


@pytest.mark.parametrize(
    ("text", "operations", "names", "prefixes"),
    [
        (guarded(READ, "StringEquals 'a'"), READ, {"a"}, set()),
        (guarded(READ, "StringEquals 'A'", "StringEqualsIgnoreCase 'B'"), READ, {"A", "b"}, set()),
        (guarded(READ, "StringStartsWithIgnoreCase 'A/'", "StringStartsWith 'b/'"), READ, set(), {"a/", "b/"}),
        (guarded(READ, "StringLike 'a/*'", "StringLike 'b'"), READ, {"b"}, {"a/"}),
        (guarded(READ, "ForAnyOfAnyValues:StringEquals {'a', 'b'}"), READ, {"a", "b"}, set()),
        (f"{NAME} StringEquals 'a'", EVERY_OPERATION, {"a"}, set()),
        (f"{NAME} StringEquals 'a' OR NOT ActionMatches{{'x'}}", ("x",), {"a"}, set()),
        (f"!(ActionMatches{{'x'}} OR ActionMatches{{'y'}}) OR {NAME} StringEquals 'a'", ("x", "y"), {"a"}, set()),
        ("!(ActionMatches{'x'})", ("x",), set(), set()),
    ],
)
def test_the_common_shape_becomes_sets(
    text: str, operations: tuple[str, ...], names: set[str], prefixes: set[str]
) -> None:
    gathered = gather([text])
    assert gathered.others == []
    ((found, places),) = gathered.restricted.items()
    assert (found, places.names, places.prefixes) == (operations, names, prefixes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ActionMatches{'x'}",
        "!(ActionMatches{'x'}) OR !(ActionMatches{'y'})",
        f"{NAME} StringNotEquals 'a'",
        f"!({NAME} StringEquals 'a')",
        f"{NAME} StringLike '*a'",
        f"{NAME} StringLike 'a?'",
        rf"{NAME} StringLike 'a\*'",
        f"{NAME} ForAllOfAllValues:StringEquals {{'a', 'b'}}",
        f"{NAME} StringEquals 'a' AND {NAME} StringStartsWith 'a'",
        f"{NAME} StringEquals 'a' OR Exists {NAME}",
        f"{NAME} StringEquals 'é'",
        f"{NAME} StringEquals 'a\0'",
        f"{NAME} StringEquals 'a",
        f"{NAME} StringEquals '" + "a" * 9000 + "'",
        "' AND '",
    ],
)
def test_what_is_of_another_shape_is_left_as_it_is(text: str) -> None:
    assert gather([text]) == ({}, [text])


def test_conditions_on_the_same_operations_become_one() -> None:
    gathered = gather(guarded(READ, f"StringEquals 'team{number}'") for number in range(100))
    assert len(gathered.restricted) == 1
    assert "team99" in gathered.restricted[READ]
    assert "team100" not in gathered.restricted[READ]


SIMPLE = st.builds(
    lambda operations, places: guarded(operations, *places),
    st.lists(st.sampled_from([*OPERATIONS, "*", "*/read"]), min_size=1, max_size=3),
    st.lists(
        st.builds(
            "{} '{}'".format,
            st.sampled_from(["StringEquals", "StringEqualsIgnoreCase", "StringStartsWith", "StringLikeIgnoreCase"]),
            st.text("abB/*", max_size=3),
        ),
        min_size=1,
        max_size=3,
    ),
)


@examples(200)
@given(
    st.lists(SIMPLE | CONDITIONS.map(str), max_size=4),
    st.sampled_from([1, 8]),
    st.sampled_from(OPERATIONS),
    st.none() | NAMES,
)
def test_gathered_conditions_permit_what_one_of_them_permits(
    texts: list[str], times: int, operation: str, repository: str | None
) -> None:
    """Few are taken one by one, many by their templates."""
    gathered = gather(texts * times)
    restricted = [
        not any(names_operation(pattern, operation) for pattern in patterns)
        or (repository is not None and repository in places)
        for patterns, places in gathered.restricted.items()
    ]
    others = [permits(parse_condition(text), operation, repository) for text in gathered.others]
    each: list[Condition] = [parse_condition(text) for text in texts]
    assert any(restricted + others) is any(permits(condition, operation, repository) for condition in each)


# --- many at once -----------------------------------------------------------------------------------------------------


def equal_to(name: str) -> str:
    return guarded(READ, f"StringEqualsIgnoreCase '{name}'")


def many(*others: str) -> list[str]:
    """Conditions of one template, and among them some that are not wholly of it."""
    texts = [equal_to(f"Team{number}") for number in range(50)]
    return [*texts[:25], *others, *texts[25:]]


def test_many_conditions_of_one_template_become_one() -> None:
    gathered = gather(many())
    assert gathered.others == []
    ((operations, places),) = gathered.restricted.items()
    assert (operations, places.names) == (READ, {f"team{number}" for number in range(50)})


@pytest.mark.parametrize(
    "text",
    [
        equal_to("").replace("''", "'"),  # what begins it and what ends it share a quote
        equal_to("é"),
        equal_to("a\0b"),
        equal_to("a' 'b"),
        equal_to("a" * 9000),
        equal_to("a").replace("\n)", "\n))"),
        "",
    ],
)
def test_one_among_many_that_cannot_be_of_the_template_is_left_as_it_is(text: str) -> None:
    gathered = gather(many(text))
    assert gathered.others == [text]
    ((_, places),) = gathered.restricted.items()
    assert (len(places.names), places.prefixes) == (50, set())


def test_templates_that_begin_alike_and_have_more_places_are_told_apart() -> None:
    more = [
        guarded(READ, f"StringEqualsIgnoreCase 'a{number}'", f"StringStartsWithIgnoreCase 'b{number}/'")
        for number in range(30)
    ]
    gathered = gather([*many(), *more, *(equal_to(f"x{number}") + " " for number in range(30))])
    ((_, places),) = gathered.restricted.items()
    assert gathered.others == []
    assert len(places.names) == 50 + 30 + 30
    assert places.prefixes == {f"b{number}/" for number in range(30)}
    assert places.lengths == {3, 4}


def test_templates_that_differ_in_what_stands_between_their_places_are_told_apart() -> None:
    equal = [guarded(READ, *[f"StringEqualsIgnoreCase '{at}{number}'" for at in "ab"]) for number in range(30)]
    begin = [text.replace("StringEqualsIgnoreCase 'b", "StringStartsWithIgnoreCase 'b") for text in equal]
    ((_, places),) = gather([*equal, *begin]).restricted.items()
    assert places.names == {f"{at}{number}" for at in "ab" for number in range(30)}
    assert places.prefixes == {f"b{number}" for number in range(30)}


def test_case_counts_where_the_operator_says_so_among_many_too() -> None:
    ((_, places),) = gather(guarded(READ, f"StringEquals 'Team{number}'") for number in range(50)).restricted.items()
    assert places.names == {f"Team{number}" for number in range(50)}
