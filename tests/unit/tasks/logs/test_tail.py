"""The end of a log that is too long: nothing of a secret is in it, wherever it was cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.tasks.logs.masking import Masker
from entrepot.tasks.logs.tail import LENGTH, Tail

SECRET = "correct-horse-battery-staple"


def tail_of(*pieces: bytes, secret: str = SECRET) -> tuple[bytes, int]:
    masker, tail = Masker([secret]), Tail()
    for piece in pieces:
        tail.add(piece, masker.longest)
    return tail.shown(masker)


def test_what_fits_is_shown_as_it_came() -> None:
    assert tail_of(b"one\n", b"", b"two\n") == (b"one\ntwo\n", 0)
    assert tail_of() == (b"", 0)


def test_of_more_the_last_part_is_shown() -> None:
    shown, left_out = tail_of(*[b"x" * 1000] * 1000, b"the end")
    assert shown.endswith(b"xthe end")
    assert (len(shown), left_out) == (LENGTH, 1_000_007 - LENGTH)


@given(st.integers(1, 60_000), st.integers(0, len(SECRET)))
def test_a_secret_that_is_cut_is_not_shown_from_its_middle(length: int, before: int) -> None:
    text = b"-" * before + SECRET.encode() * 6000
    shown, _ = tail_of(*(text[at : at + length] for at in range(0, len(text), length)))
    assert set(shown) <= set(b"*")


@pytest.mark.parametrize("at", range(1, len(SECRET)))
def test_a_secret_over_two_pieces_is_masked(at: int) -> None:
    shown, _ = tail_of(b"a" * 10 + SECRET[:at].encode(), SECRET[at:].encode() + b"b")
    assert shown == b"a" * 10 + b"***b"


def test_little_is_kept_of_much() -> None:
    tail = Tail()
    for _ in range(10_000):
        tail.add(b"y\n" * 8192, 100)
    assert tail._kept < LENGTH + 100 + 16_384
