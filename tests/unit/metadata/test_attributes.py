import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.catalog.properties.model import AttributeChange
from entrepot.errors import Kind, Problem
from entrepot.metadata.attributes import parse_change


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"{}", AttributeChange()),
        (b'{"writeEnabled":false}', AttributeChange(write_enabled=False)),
        (b'{"deleteEnabled":true,"readEnabled":null}', AttributeChange(delete_enabled=True)),
        (b'{"listEnabled":"false","readEnabled":"True"}', AttributeChange(list_enabled=False, read_enabled=True)),
        (
            b'{"deleteEnabled":false,"writeEnabled":false,"readEnabled":false,"listEnabled":false}',
            AttributeChange(delete_enabled=False, write_enabled=False, read_enabled=False, list_enabled=False),
        ),
    ],
)
def test_a_body_names_the_attributes_to_be_set_and_no_others(body: bytes, wanted: AttributeChange) -> None:
    assert parse_change(body) == wanted


def test_only_what_is_named_has_a_value() -> None:
    assert AttributeChange(write_enabled=False, list_enabled=True).values() == {
        "write_enabled": False,
        "list_enabled": True,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"true",
        b'"writeEnabled"',
        b"{",
        b'{"writeEnabled":}',
        b'{"writeEnabled":0}',
        b'{"writeEnabled":1}',
        b'{"writeEnabled":1.0}',
        b'{"writeEnabled":"yes"}',
        b'{"writeEnabled":""}',
        b'{"writeEnabled":" true"}',
        b'{"writeEnabled":[true]}',
        b'{"writeEnabled":{"value":true}}',
        b'{"writeenabled":true}',
        b'{"writeEnable":false}',
        b'{"write_enabled":false}',
        b'{"quarantineState":"Passed"}',
        b'{"writeEnabled":true,"tags":[]}',
        b'{"writeEnabled":true}{"writeEnabled":false}',
        b"\xef\xbb\xbf{}",
        b'{"writeEnabled":"\xff"}',
        b'{"\xff":true}',
        b"\x00",
        b"[" * 16_000,
        b'{"writeEnabled":' * 1_000,
    ],
    ids=lambda body: repr(body)[:40],
)
def test_a_body_that_could_be_misread_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as raised:
        parse_change(body)
    assert raised.value.kind is Kind.REQUEST_INVALID
    assert len(json.dumps(raised.value.detail)) < 512


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        assert isinstance(parse_change(body), AttributeChange)
    except Problem as problem:
        assert problem.kind is Kind.REQUEST_INVALID
