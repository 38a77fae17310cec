"""Secrets in a stream: masked however they are cut, written or encoded, and nothing else is."""

import base64
import itertools
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.tasks.logs.masking import MASK, SHORTEST, Masker

SECRET = "s3cr3t/va+lue"


def masked(chunks: list[bytes], *secrets: str) -> bytes:
    masker = Masker(secrets)
    return b"".join(masker.mask(chunk) for chunk in chunks) + masker.end()


@given(st.lists(st.integers(0, 60), max_size=6))
def test_a_secret_is_masked_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    text = f"before {SECRET} between {SECRET}{SECRET} after".encode()
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    chunks = [text[start:stop] for start, stop in itertools.pairwise(edges)]
    assert masked(chunks, SECRET) == b"before *** between ****** after"


def test_a_secret_that_is_told_later_is_masked_from_then_on() -> None:
    masker = Masker(["first-secret"])
    shown = masker.mask(b"later-secret first-")
    masker.add(["later-secret"])
    assert shown + masker.mask(b"secret later-secret.") + masker.end() == b"later-secret *** ***."


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("after", ["", "z", "yz", "xyz"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_is_masked_in_base64_wherever_it_stands(
    before: str, after: str, encode: Callable[[bytes], bytes]
) -> None:
    encoded = encode(f"{before}{SECRET}{after}".encode())
    shown = masked([encoded[:7], encoded[7:]], SECRET)
    assert MASK in shown
    # What is left tells of the neighbours, and of less than two characters of the secret at each end.
    left = len(shown.replace(MASK, b""))
    assert left <= len(before) * 2 + len(after) * 2 + 8


@pytest.mark.parametrize("encode", [lambda text: quote(text, safe=""), quote_plus])
def test_a_secret_is_masked_as_an_address_has_it(encode: Callable[[str], str]) -> None:
    secret = "correct horse/battery+staple"
    assert masked([f"POST /build?buildargs=%7B%22K%22%3A%22{encode(secret)}%22%7D".encode()], secret) == (
        b"POST /build?buildargs=%7B%22K%22%3A%22***%22%7D"
    )


def test_each_line_of_a_secret_of_several_lines_is_masked() -> None:
    assert masked([b"x first line\r\ny second line\r\n"], "first line\nsecond line") == b"x ***\r\ny ***\r\n"


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    assert masked([b"password1234 password"], "password", "password1234") == b"*** ***"


def test_what_is_too_short_to_be_a_secret_is_left() -> None:
    text = b"a cat sat"
    assert masked([text], "a" * (SHORTEST - 1), "cat", "") == text


@given(st.lists(st.binary(max_size=20)))
def test_what_holds_no_secret_is_shown_whole(chunks: list[bytes]) -> None:
    assert masked(chunks, SECRET * 3) == b"".join(chunks)
