import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples

from entrepot.errors import Kind, Problem
from entrepot.web.ranges import ByteRange, parse_ranges

POSITIONS = st.integers(0, 300)


@examples(200)
@given(POSITIONS, POSITIONS, st.integers(0, 200))
def test_a_range_is_the_bytes_that_python_would_cut(first: int, last: int, length: int) -> None:
    content = bytes(length)
    try:
        ranges = parse_ranges(f"bytes={first}-{last}", length)
    except Problem as problem:
        assert problem.kind is Kind.RANGE_INVALID
        assert first >= length or last < first
    else:
        assert ranges == [found := ByteRange(first, min(last + 1, length))]
        assert content[first : last + 1] == content[found.start : found.stop]


@examples(100)
@given(st.integers(0, 300), st.integers(0, 200))
def test_a_suffix_is_the_last_bytes_that_there_are(suffix: int, length: int) -> None:
    try:
        ranges = parse_ranges(f"bytes=-{suffix}", length)
    except Problem:
        assert suffix == 0 or length == 0
    else:
        assert ranges == [ByteRange(max(length - suffix, 0), length)]


@examples(500)
@given(
    st.text(st.sampled_from("bytes=-,0123456789 \t"), max_size=40).map(lambda text: "bytes=" + text)
    | st.text(st.characters(codec="latin-1"), max_size=60),
    st.integers(0, 2**40),
)
def test_whatever_is_asked_is_met_within_the_content_or_ignored_or_refused(header: str, length: int) -> None:
    try:
        ranges = parse_ranges(header, length)
    except Problem as problem:
        assert problem.kind is Kind.RANGE_INVALID
        return
    if ranges is not None:
        assert ranges
        assert all(0 <= found.start < found.stop <= length for found in ranges)
        assert sum(found.stop - found.start for found in ranges) <= max(2 * length, 1)


def test_a_range_says_where_it_lies() -> None:
    assert ByteRange(0, 10).content_range(100) == "bytes 0-9/100"


@pytest.mark.parametrize(
    "header", ["bytes=" + "0-0," * 100_000, "bytes=" + "9" * 1_000_000, "bytes=" + "-" * 1_000_000]
)
def test_no_header_takes_long_to_read(header: str) -> None:
    started = time.process_time()
    try:
        parse_ranges(header, 1000)
    except Problem as problem:
        assert problem.kind is Kind.RANGE_INVALID
    assert time.process_time() - started < 0.5
