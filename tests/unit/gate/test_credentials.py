import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples

from entrepot.errors import Kind, Problem
from entrepot.gate.authenticate import parse_basic

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@examples(100)
@given(TEXT.filter(lambda user: ":" not in user), TEXT)
def test_a_credential_reads_back(user: str, password: str) -> None:
    if "\0" in user + password:
        return
    assert parse_basic(base64.b64encode(f"{user}:{password}".encode()).decode()) == (user, password)


@examples(300)
@given(
    st.text(st.characters(codec="latin-1"), max_size=60)
    | st.binary(max_size=40).map(lambda raw: base64.b64encode(raw).decode())
)
def test_anything_else_is_refused_as_a_credential(value: str) -> None:
    try:
        user, password = parse_basic(value)
    except Problem as problem:
        assert problem.kind is Kind.UNAUTHENTICATED
    else:
        assert base64.b64decode(value) == f"{user}:{password}".encode()


@pytest.mark.parametrize("value", ["", "=", "é", "YQ", base64.b64encode(b"no colon").decode()])
def test_a_broken_credential_is_refused(value: str) -> None:
    with pytest.raises(Problem):
        parse_basic(value)
