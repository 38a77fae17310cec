import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples

from entrepot.errors import Kind, Problem
from entrepot.oci.digest import ALGORITHMS, Digest, parse_algorithm

LENGTHS = {"sha256": 64, "sha512": 128}
HEX = st.sampled_from("0123456789abcdef")


@st.composite
def digests(draw: st.DrawFn) -> str:
    algorithm = draw(st.sampled_from(sorted(LENGTHS)))
    length = LENGTHS[algorithm]
    return f"{algorithm}:{draw(st.text(HEX, min_size=length, max_size=length))}"


@examples(50)
@given(digests())
def test_a_digest_reads_back_as_it_was_written(text: str) -> None:
    assert str(Digest.parse(text)) == text


@examples(30)
@given(st.binary(max_size=200), st.sampled_from(sorted(ALGORITHMS)))
def test_the_digest_of_content_is_what_the_standard_library_says(content: bytes, algorithm: str) -> None:
    digest = Digest.of(content, algorithm)
    assert digest == Digest.parse(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")
    running = digest.hasher()
    running.update(content)
    assert running.hexdigest() == digest.encoded


@examples(200)
@given(st.text(max_size=200) | digests().map(lambda text: text[:-1]) | digests().map(lambda text: text + "0"))
def test_whatever_else_is_refused_as_a_digest(text: str) -> None:
    with pytest.raises(Problem) as refusal:
        Digest.parse(text)
    assert refusal.value.kind is Kind.DIGEST_INVALID


@examples(50)
@given(digests(), st.data())
def test_one_changed_character_makes_another_digest_or_none(text: str, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda character: character != text[position]))
    changed = text[:position] + other + text[position + 1 :]
    try:
        assert Digest.parse(changed) != Digest.parse(text)
    except Problem as problem:
        assert problem.kind is Kind.DIGEST_INVALID


@pytest.mark.parametrize("text", ["sha256:" + "0" * 64 + "\n", "\nsha256:" + "0" * 64, "sha256:" + "\u0660" * 64])
def test_a_line_break_or_another_script_s_digit_is_no_hex(text: str) -> None:
    with pytest.raises(Problem):
        Digest.parse(text)


def test_a_refusal_repeats_a_bounded_part_of_what_was_sent() -> None:
    with pytest.raises(Problem) as refusal:
        Digest.parse("sha256:" + "0" * 100_000)
    assert len(str(refusal.value.detail["digest"])) <= 256


@pytest.mark.parametrize("name", ["md5", "SHA256", "", "sha256 ", "sha1", "\0"])
def test_an_unknown_algorithm_is_refused(name: str) -> None:
    with pytest.raises(Problem) as refusal:
        parse_algorithm(name)
    assert refusal.value.kind is Kind.DIGEST_INVALID


@pytest.mark.parametrize("name", LENGTHS)
def test_a_known_algorithm_is_taken(name: str) -> None:
    assert parse_algorithm(name) == name
