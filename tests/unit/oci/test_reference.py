import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples

from entrepot.errors import Kind, Problem
from entrepot.oci.digest import Digest
from entrepot.oci.reference import parse_reference, parse_repository, parse_tag

# As the specification writes them.
NAME = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
TAG = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"


@examples(100)
@given(st.from_regex(NAME, fullmatch=True, alphabet=st.characters(codec="ascii")))
def test_every_name_of_the_specification_up_to_255_characters_is_taken(name: str) -> None:
    if len(name) <= 255:
        assert parse_repository(name) == name


@examples(300)
@given(st.text(st.sampled_from("aA0._-/:@%é\0 \n"), max_size=12) | st.text(max_size=30))
def test_a_name_is_taken_when_the_specification_s_own_expression_takes_it(name: str) -> None:
    try:
        parse_repository(name)
        taken = True
    except Problem as problem:
        assert problem.kind is Kind.NAME_INVALID
        taken = False
    assert taken == (re.fullmatch(NAME, name) is not None)


@examples(300)
@given(st.text(st.sampled_from("aA0._-/:@%é\0 \n"), max_size=12) | st.text(max_size=30))
def test_a_tag_is_taken_when_the_specification_s_own_expression_takes_it(name: str) -> None:
    try:
        assert parse_tag(name) == name
        taken = True
    except Problem as problem:
        assert problem.kind is Kind.TAG_INVALID
        taken = False
    assert taken == (re.fullmatch(TAG, name) is not None)


@examples(300)
@given(st.text(max_size=200))
def test_a_reference_is_a_tag_or_a_digest_or_refused(text: str) -> None:
    try:
        reference = parse_reference(text)
    except Problem as problem:
        assert problem.kind is (Kind.DIGEST_INVALID if ":" in text else Kind.TAG_INVALID)
    else:
        assert isinstance(reference, Digest) == (":" in text)
        assert str(reference) == text


@pytest.mark.parametrize(
    "name",
    [
        "a" * 255 + "!",
        "a-" * 127 + "!",
        "a_" * 127,
        "-" * 255,
        "a/" * 127,
        "a" * 1_000_000,
        "_" * 1_000_000,
        "a.-" * 80,
    ],
    ids=lambda name: f"{name[:4]} {len(name)}",
)
@pytest.mark.parametrize("parse", [parse_repository, parse_tag], ids=["name", "tag"])
def test_no_name_takes_long_to_refuse(parse, name: str) -> None:
    started = time.process_time()
    with pytest.raises(Problem) as refusal:
        parse(name)
    assert time.process_time() - started < 0.1
    assert all(len(str(value)) <= 256 for value in refusal.value.detail.values())


@pytest.mark.parametrize("length", [1, 128])
def test_a_tag_is_as_long_as_the_specification_says(length: int) -> None:
    assert parse_tag("a" * length)
    with pytest.raises(Problem):
        parse_tag("a" * 129)


def test_a_name_is_as_long_as_clients_take() -> None:
    assert parse_repository("a" * 255)
    with pytest.raises(Problem):
        parse_repository("a" * 256)
