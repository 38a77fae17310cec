import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.content import digest_of
from tests.examples import examples

from entrepot.distribution.conditions import etag, is_current, range_applies
from entrepot.web.request import Request

DIGEST, OTHER = digest_of(b"this"), digest_of(b"other")


async def _never() -> dict[str, object]:
    raise AssertionError


def asking(name: bytes, value: str | None) -> Request:
    headers = [] if value is None else [(name, value.encode("latin-1"))]
    return Request({"method": "GET", "path": "/", "query_string": b"", "headers": headers}, _never, "id")


@pytest.mark.parametrize(
    ("value", "current"),
    [
        (None, False),
        ("", False),
        ("*", True),
        (etag(DIGEST), True),
        (DIGEST, True),
        (f"W/{etag(DIGEST)}", True),
        (f"{etag(OTHER)},{etag(DIGEST)}", True),
        (etag(OTHER), False),
        (etag(DIGEST[:-1]), False),
        (etag(DIGEST.upper()), False),
    ],
)
def test_a_client_holds_the_bytes_whose_digest_it_names(value: str | None, current: bool) -> None:
    assert is_current(asking(b"if-none-match", value), DIGEST) is current


@pytest.mark.parametrize(
    ("value", "applies"),
    [(None, True), (etag(DIGEST), True), (f" {etag(DIGEST)} ", True), (f"W/{etag(DIGEST)}", False), (DIGEST, False)],
)
def test_a_range_counts_only_on_the_bytes_that_the_client_has_begun_with(value: str | None, applies: bool) -> None:
    assert range_applies(asking(b"if-range", value), DIGEST) is applies


@examples(200)
@given(st.text(st.characters(codec="latin-1"), max_size=60))
def test_no_other_text_makes_bytes_current(value: str) -> None:
    if DIGEST not in value and "*" not in value:
        assert not is_current(asking(b"if-none-match", value), DIGEST)
        assert not range_applies(asking(b"if-range", value), DIGEST)
