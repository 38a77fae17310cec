import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.arm.filters import Term, any_equals, call_of, equals, parse_filter, starts_with
from entrepot.errors import Kind, Problem

ALLOWED = {
    "name eq": equals("name"),
    "name begins": starts_with("name"),
    "one of names": any_equals("names"),
    "atScope()": call_of("atScope"),
    "assignedTo()": call_of("assignedTo"),
}


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        (None, ()),
        ("  ", ()),
        ("name eq 'a'", [Term("name eq", "a")]),
        ("NAME EQ 'it''s'", [Term("name eq", "it's")]),
        ("startswith(name,'a b')", [Term("name begins", "a b")]),
        ("names/any(c:c eq 'x')", [Term("one of names", "x")]),
        ("atScope()", [Term("atScope()")]),
        ("atScope() and assignedTo('p')", [Term("atScope()"), Term("assignedTo()", "p")]),
        ("name eq 'a and name eq ''b'", [Term("name eq", "a and name eq 'b")]),
    ],
)
def test_what_clients_send_is_read(text: str | None, terms: list[Term]) -> None:
    assert list(parse_filter(text, ALLOWED)) == list(terms)


@pytest.mark.parametrize(
    "text",
    [
        "name eq 'a' or name eq 'b'",
        "name eq 'a",
        "name eq a",
        "other eq 'a'",
        "name eq 'a' and ",
        "names/any(c:d eq 'x')",
        "name eq 'a'name eq 'b'",
        "name eq '" + "a" * 5000 + "'",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Problem) as raised:
        parse_filter(text, ALLOWED)
    assert raised.value.kind is Kind.REQUEST_INVALID


@given(st.text(max_size=30))
def test_every_text_can_be_asked_for(value: str) -> None:
    quoted = value.replace("'", "''")
    assert parse_filter(f"name eq '{quoted}'", ALLOWED) == (Term("name eq", value),)


@given(st.text(alphabet="name eq'()/,:c startwh'and", max_size=60))
def test_no_text_does_anything_but_be_read_or_refused(text: str) -> None:
    try:
        parse_filter(text, ALLOWED)
    except Problem as problem:
        assert problem.kind is Kind.REQUEST_INVALID
