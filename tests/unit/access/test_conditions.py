import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.access.condition_texts import (
    CATALOG_READ,
    CONDITIONS,
    CONTENT_READ,
    CONTENT_WRITE,
    METADATA_READ,
    NAMES,
    OPERATIONS,
    guarded,
)

from entrepot.access.conditions import (
    CONDITION_LIMIT,
    DEPTH_LIMIT,
    REPOSITORY_NAME,
    TERMS_LIMIT,
    ActionMatches,
    Both,
    Compares,
    Comparison,
    Condition,
    Either,
    Exists,
    Not,
    Quantifier,
    SubOperationMatches,
    parse_condition,
    permits,
)
from entrepot.errors import Kind, Problem

NAME = REPOSITORY_NAME
# From ACR's documentation of repository permissions.
DOCUMENTED = guarded(
    [CONTENT_READ, METADATA_READ], "StringEqualsIgnoreCase 'hello-world'", "StringStartsWithIgnoreCase 'backend/'"
)


@pytest.mark.parametrize(
    ("operation", "repository", "permitted"),
    [
        (CONTENT_READ, "hello-world", True),
        (METADATA_READ, "backend/api", True),
        (CONTENT_READ, "backend", False),
        (CONTENT_READ, "hello-world/more", False),
        (METADATA_READ, "frontend/backend/api", False),
        (CONTENT_WRITE, "frontend", True),
        (CATALOG_READ, None, True),
        (CONTENT_READ, None, False),
    ],
)
@pytest.mark.parametrize("text", [DOCUMENTED, DOCUMENTED.replace("\n", ""), DOCUMENTED.replace("\n", "\r\n\t")])
def test_a_condition_governs_the_operations_that_it_names(
    text: str, operation: str, repository: str | None, permitted: bool
) -> None:
    assert permits(parse_condition(text), operation, repository) is permitted


@pytest.mark.parametrize(
    ("comparison", "held"),
    [
        ("StringEquals 'team/app'", True),
        ("StringEquals 'Team/App'", False),
        ("StringEqualsIgnoreCase 'Team/App'", True),
        ("StringNotEquals 'team/app'", False),
        ("StringNotEquals 'Team/App'", True),
        ("StringNotEqualsIgnoreCase 'Team/App'", False),
        ("StringStartsWith 'team/'", True),
        ("StringStartsWith 'Team/'", False),
        ("StringStartsWith ''", True),
        ("StringStartsWithIgnoreCase 'TEAM'", True),
        ("StringNotStartsWith 'team/'", False),
        ("StringNotStartsWithIgnoreCase 'teams'", True),
        ("StringLike 'team/*'", True),
        ("StringLike '*/app'", True),
        ("StringLike 't??m/*p'", True),
        ("StringLike 'team/?'", False),
        ("StringLike 'team'", False),
        ("StringLike 'TEAM/*'", False),
        (r"StringLike 'team/\*'", False),
        ("StringLikeIgnoreCase 'TEAM/*'", True),
        ("StringNotLike 'team/*'", False),
        ("StringNotLikeIgnoreCase 'other/*'", True),
        ("ForAnyOfAnyValues:StringEquals {'other', 'team/app'}", True),
        ("ForAnyOfAnyValues:StringEquals {'other'}", False),
        ("ForAllOfAnyValues:StringLike {'other','team/*'}", True),
        ("ForAnyOfAllValues:StringStartsWith {'team/', 'te'}", True),
        ("ForAnyOfAllValues:StringStartsWith {'team/', 'other'}", False),
        ("ForAllOfAllValues:StringNotEquals {'other', 'another'}", True),
        ("ForAllOfAllValues:StringNotEquals {'other', 'team/app'}", False),
        ("ForAnyOfAnyValues:StringNotEquals {'other', 'team/app'}", True),
    ],
)
def test_an_operator_compares_the_repository_s_name(comparison: str, held: bool) -> None:
    assert permits(parse_condition(f"{NAME} {comparison}"), CONTENT_READ, "team/app") is held


def test_escaped_wildcards_are_characters() -> None:
    condition = parse_condition(rf"{NAME} StringLike 'a\*b\?c\d*'")
    assert permits(condition, CONTENT_READ, r"a*b?c\de")
    assert not permits(condition, CONTENT_READ, r"axb?c\de")


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("ActionMatches{'*'}", ActionMatches("*")),
        (" actionmatches { 'x' } ", ActionMatches("x")),
        ("SubOperationMatches{'Blob.List'}", SubOperationMatches("Blob.List")),
        (f"Exists {NAME}", Exists()),
        (f"NOT Exists {NAME}", Not(Exists())),
        (f"!!exists {NAME.upper()}", Not(Not(Exists()))),
        (f"((Exists {NAME}))", Exists()),
        ("ActionMatches{'a'} && ActionMatches{'b'}", Both((ActionMatches("a"), ActionMatches("b")))),
        ("ActionMatches{'a'} || ActionMatches{'b'}", Either((ActionMatches("a"), ActionMatches("b")))),
        (
            "NOT ActionMatches{'a'} and ActionMatches{'b'} AND ActionMatches{'c'}",
            Both((Not(ActionMatches("a")), ActionMatches("b"), ActionMatches("c"))),
        ),
        (
            "(ActionMatches{'a'} AND ActionMatches{'b'}) OR ActionMatches{'c'}",
            Either((Both((ActionMatches("a"), ActionMatches("b"))), ActionMatches("c"))),
        ),
    ],
)
def test_a_condition_is_read_in_each_spelling_that_azure_documents(text: str, condition: Condition) -> None:
    assert parse_condition(text) == condition


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 1, "attribute"),
        ("()", 2, "attribute"),
        ("ActionMatches{'a'} AND ActionMatches{'b'} OR ActionMatches{'c'}", 43, "brackets"),
        ("ActionMatches{'a'} || ActionMatches{'b'} && ActionMatches{'c'}", 42, "brackets"),
        ("ActionMatches{'a'} ActionMatches{'b'}", 20, "AND, OR or the end"),
        ("(ActionMatches{'a'}", 20, ")"),
        ("ActionMatches('a')", 14, "{"),
        ("ActionMatches{a}", 15, "single quotes"),
        ('ActionMatches{"a"}', 15, "single quotes"),
        ("ActionMatches{'a','b'}", 18, "}"),
        ("ActionMatches{'a'", 18, "}"),
        ("ActionMatches{'a", 15, "single quotes"),
        ("MatchesAction{'a'}", 1, "ActionMatches"),
        (f"{NAME}", len(NAME) + 1, "operator"),
        (f"{NAME} = 'a'", len(NAME) + 2, "operator"),
        (f"{NAME} StringEndsWith 'a'", len(NAME) + 2, "operator"),
        (f"{NAME} GuidEquals 'a'", len(NAME) + 2, "operator"),
        (f"{NAME} ForSomeValues:StringEquals {{'a'}}", len(NAME) + 2, "operator"),
        (f"{NAME} StringEquals {{'a'}}", len(NAME) + 15, "single quotes"),
        (f"{NAME} ForAnyOfAnyValues:StringEquals 'a'", len(NAME) + 33, "{"),
        (f"{NAME} ForAnyOfAnyValues:StringEquals {{}}", len(NAME) + 34, "single quotes"),
        (f"{NAME} ForAnyOfAnyValues:StringEquals {{'a',}}", len(NAME) + 38, "single quotes"),
        (f"{NAME} StringEquals 'a' 'b'", len(NAME) + 19, "AND, OR or the end"),
        (f"{NAME} StringEquals 'a\0'", len(NAME) + 15, "single quotes"),
        (f"'a' StringEquals {NAME}", 1, "attribute"),
        (NAME.replace("@Request", "@Resource") + " StringEquals 'a'", 1, NAME),
        (NAME.replace(":name", ":tag") + " StringEquals 'a'", 1, NAME),
        ("Exists ActionMatches{'a'}", 8, NAME),
        ("@Request[", 1, "attribute"),
        ("ActionMatches{'a'} and-also ActionMatches{'b'}", 23, "ActionMatches"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(text: str, position: int, expected: str) -> None:
    with pytest.raises(Problem) as refusal:
        parse_condition(text)
    assert refusal.value.kind is Kind.CONDITION_INVALID
    assert refusal.value.detail["position"] == position
    assert expected in str(refusal.value.detail["expected"])


def _one_of(count: int) -> str:
    return f"{NAME} ForAnyOfAnyValues:StringEquals {{" + ",".join(["''"] * count) + "}"


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (f"{NAME} StringEquals '{{}}'".replace("{}", "a" * CONDITION_LIMIT), CONDITION_LIMIT),
        (f"{NAME} StringEquals '{{}}'".replace("{}", "é" * (CONDITION_LIMIT // 2)), CONDITION_LIMIT),
        ("(" * (DEPTH_LIMIT + 1) + f"Exists {NAME}" + ")" * (DEPTH_LIMIT + 1), DEPTH_LIMIT),
        ("!" * (DEPTH_LIMIT + 1) + f"Exists {NAME}", DEPTH_LIMIT),
        (_one_of(TERMS_LIMIT + 1), TERMS_LIMIT),
    ],
)
def test_what_is_too_long_too_deep_or_too_much_is_refused(text: str, limit: int) -> None:
    with pytest.raises(Problem) as refusal:
        parse_condition(text)
    assert refusal.value.kind is Kind.CONDITION_INVALID
    assert refusal.value.detail["limit"] == limit


def test_a_condition_at_each_limit_is_read() -> None:
    assert parse_condition("(" * DEPTH_LIMIT + f"Exists {NAME}" + ")" * DEPTH_LIMIT) == Exists()
    assert parse_condition("!" * DEPTH_LIMIT + f"Exists {NAME}")
    values = parse_condition(_one_of(TERMS_LIMIT))
    assert isinstance(values, Compares)
    assert len(values.values) == TERMS_LIMIT
    text = f"{NAME} StringEquals ''"
    assert parse_condition(text[:-1] + "a" * (CONDITION_LIMIT - len(text)) + "'")


def test_a_name_that_is_not_there_is_neither_equal_nor_different() -> None:
    for operator in ("StringEquals", "StringNotEquals"):
        assert not permits(parse_condition(f"{NAME} {operator} 'a'"), CATALOG_READ, None)
        assert not permits(parse_condition(f"!({NAME} {operator} 'a')"), CATALOG_READ, None)
    assert permits(parse_condition(f"NOT Exists {NAME}"), CATALOG_READ, None)
    assert not permits(parse_condition(f"Exists {NAME}"), CATALOG_READ, None)


def test_a_registry_s_operations_have_no_parts() -> None:
    assert not permits(parse_condition("SubOperationMatches{'*'}"), CONTENT_READ, "a")


@examples(150)
@given(CONDITIONS)
def test_a_condition_reads_back_from_its_text(condition: Condition) -> None:
    assert parse_condition(str(condition)) == condition


@examples(200)
@given(CONDITIONS, st.sampled_from(OPERATIONS), st.none() | NAMES)
def test_a_condition_holds_when_its_truth_table_says_so(
    condition: Condition, operation: str, repository: str | None
) -> None:
    assert permits(condition, operation, repository) is (_truth(condition, operation, repository) == 1)


def _truth(condition: Condition, operation: str, repository: str | None) -> float:
    """True is 1, false is 0, unknown lies between: NOT turns around, AND takes the least, OR the most."""
    match condition:
        case Exists():
            return float(repository is not None)
        case Compares():
            return 0.5 if repository is None else float(_compared(condition, repository))
        case Not(term):
            return 1 - _truth(term, operation, repository)
        case Both(terms):
            return min(_truth(term, operation, repository) for term in terms)
        case Either(terms):
            return max(_truth(term, operation, repository) for term in terms)
        case _:
            return float(isinstance(condition, ActionMatches) and _names(condition.pattern, operation))


def _names(pattern: str, operation: str) -> bool:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    return re.fullmatch(expression, operation, re.IGNORECASE) is not None


def _compared(condition: Compares, name: str) -> bool:
    found = [_compared_once(condition, name, value) for value in condition.values]
    every = condition.quantifier in {Quantifier.ALL_OF_ALL, Quantifier.ANY_OF_ALL}
    return False not in found if every else True in found


def _compared_once(condition: Compares, name: str, value: str) -> bool:
    operator = condition.operator
    if operator.ignore_case:
        name, value = name.lower(), value.lower()
    if operator.comparison is Comparison.LIKE:
        return _like(value, name) is not operator.negated
    compared = name == value if operator.comparison is Comparison.EQUALS else name[: len(value)] == value
    return compared is not operator.negated


def _like(pattern: str, text: str) -> bool:
    """By trying each way."""
    match pattern[:2], pattern[:1]:
        case _, "":
            return not text
        case ("\\*" | "\\?") as escaped, _:
            return text[:1] == escaped[1] and _like(pattern[2:], text[1:])
        case _, "*":
            return any(_like(pattern[1:], text[start:]) for start in range(len(text) + 1))
        case _, "?":
            return bool(text) and _like(pattern[1:], text[1:])
        case _, character:
            return text[:1] == character and _like(pattern[1:], text[1:])


PIECES = st.sampled_from(
    [
        *(
            "(",
            ")",
            "{",
            "}",
            ",",
            "!",
            "&&",
            "||",
            "AND",
            "OR",
            "NOT",
            "Exists",
            "ActionMatches",
            "'",
            "''",
            "'a'",
            ":",
        ),
        *(
            NAME,
            "@Request[",
            "StringEquals",
            "ForAnyOfAnyValues:StringLike",
            "SubOperationMatches",
            " ",
            "\n",
            "\0",
            "\\",
        ),
    ]
)


@examples(200)
@given(st.lists(PIECES, max_size=20).map("".join) | st.lists(PIECES, max_size=20).map(" ".join) | st.text(max_size=60))
def test_any_text_is_read_or_refused_with_its_reason(text: str) -> None:
    try:
        condition = parse_condition(text)
    except Problem as problem:
        assert problem.kind is Kind.CONDITION_INVALID
        assert problem.detail.keys() in ({"position", "expected", "found"}, {"reason", "limit"})
    else:
        assert parse_condition(str(condition)) == condition
