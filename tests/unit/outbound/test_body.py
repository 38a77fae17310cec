import gzip
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.outbound.body import TooLarge, Unreadable, read_body

pieces = st.lists(st.binary(max_size=100), max_size=10)


@given(pieces, st.sampled_from(["", "identity", " Identity "]))
def test_a_plain_body_is_its_pieces(given_pieces: list[bytes], encoding: str) -> None:
    assert read_body(given_pieces, encoding, 1000) == b"".join(given_pieces)


@given(pieces, st.integers(1, 50), st.sampled_from(["gzip", "x-gzip", "deflate"]))
def test_a_packed_body_is_unpacked_however_it_is_cut(content: list[bytes], size: int, encoding: str) -> None:
    whole = b"".join(content)
    packed = zlib.compress(whole) if encoding == "deflate" else gzip.compress(whole)
    cut = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert read_body(cut, encoding, 1000) == whole


@pytest.mark.parametrize("size", [1000, 1001])
def test_the_limit_itself_is_accepted_and_one_byte_more_is_not(size: int) -> None:
    body = bytes(size)
    for encoding, sent in (("", body), ("gzip", gzip.compress(body))):
        if size == 1000:
            assert read_body([sent], encoding, 1000) == body
        else:
            with pytest.raises(TooLarge):
                read_body([sent], encoding, 1000)


def test_a_bomb_is_cut_when_it_is_over_the_limit_and_the_rest_is_not_read() -> None:
    bomb = gzip.compress(bytes(50_000_000), 1)
    taken = 0

    def slowly() -> Iterator[bytes]:
        nonlocal taken
        for start in range(0, len(bomb), 100):
            taken += 1
            yield bomb[start : start + 100]

    with pytest.raises(TooLarge):
        read_body(slowly(), "gzip", 1000)
    assert taken < 10


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("br", b"anything"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"twice"))),
        ("gzip", b"not gzip"),
        ("gzip", gzip.compress(b"cut short")[:-9]),
    ],
    ids=["unknown", "twice", "not gzip", "cut"],
)
def test_what_cannot_be_unpacked_is_no_body(encoding: str, sent: bytes) -> None:
    with pytest.raises(Unreadable):
        read_body([sent], encoding, 1000)


def test_an_answer_without_a_body_may_name_an_encoding() -> None:
    assert read_body([], "gzip", 1000) == b""
