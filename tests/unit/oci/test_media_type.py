import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.content import FOREIGN_LAYER, OCI_LAYER
from tests.examples import examples

from entrepot.errors import Kind, Problem
from entrepot.oci.media_type import OCI_MANIFEST, is_foreign_layer, parse_media_type


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (OCI_MANIFEST, OCI_MANIFEST),
        (f" {OCI_MANIFEST};charset=utf-8", OCI_MANIFEST),
        ("Text/PLAIN", "text/plain"),
        ("a/b;c=d;e", "a/b"),
    ],
)
def test_a_type_is_bare_and_lower_case(text: str, expected: str) -> None:
    assert parse_media_type(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "/", "a", "a/", "/b", "a/b/c", "a b/c", "a/b c", "é/b", "a/b\0", "a/b\r\nx: y", "a/" + "b" * 300, "*/*"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refusal:
        parse_media_type(text)
    assert refusal.value.kind is Kind.MANIFEST_INVALID


@examples(200)
@given(st.text(max_size=300))
def test_a_type_that_is_taken_can_stand_in_a_header_and_reads_back(text: str) -> None:
    try:
        found = parse_media_type(text)
    except Problem:
        return
    assert found.isascii()
    assert found.isprintable()
    assert len(found) <= 255
    assert parse_media_type(found) == found


def test_no_type_takes_long_to_refuse() -> None:
    started = time.process_time()
    for text in ("a" * 100_000, "a/" * 50_000, "." * 100_000, ";" * 100_000):
        with pytest.raises(Problem):
            parse_media_type(text)
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize(
    ("media_type", "foreign"),
    [(OCI_LAYER, False), (FOREIGN_LAYER, True), ("application/vnd.oci.image.layer.nondistributable.v1.tar", True)],
)
def test_foreign_layers_are_known_by_their_type(media_type: str, foreign: bool) -> None:
    assert is_foreign_layer(media_type) is foreign
