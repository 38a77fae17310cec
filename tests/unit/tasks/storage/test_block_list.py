"""Block lists as clients write them, and what is none."""

import base64
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.catalog.files.model import Listed, Wanted
from entrepot.errors import Kind, Problem
from entrepot.tasks.storage.block_list import block_name, parse_block_list

NAMES = st.binary(min_size=1, max_size=64).map(lambda name: base64.b64encode(name).decode())


def refusal(body: bytes) -> Kind:
    with pytest.raises(Problem) as refused:
        parse_block_list(body)
    return refused.value.kind


@given(st.lists(st.tuples(NAMES, st.sampled_from(Listed))))
def test_what_a_client_lists_is_read(entries: list[tuple[str, Listed]]) -> None:
    root = ET.Element("BlockList")
    for name, listed in entries:
        ET.SubElement(root, listed.value).text = name
    for body in (ET.tostring(root), ET.tostring(root, encoding="utf-8", xml_declaration=True)):
        assert parse_block_list(body) == [Wanted(name, listed) for name, listed in entries]


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf<?xml version="1.0"?>\r\n<BlockList>\r\n  <Latest>QQ==</Latest>\r\n</BlockList>\r\n',
        b"<?xml version='1.0' encoding='utf-8'?>\n<BlockList><Latest>QQ==</Latest></BlockList>",
        b"<BlockList><Latest>QQ==</Latest></BlockList>",
    ],
    ids=["dotnet", "python", "go"],
)
def test_every_sdk_writes_it_in_its_own_way(body: bytes) -> None:
    assert parse_block_list(body) == [Wanted("QQ==")]


@pytest.mark.parametrize("body", [b"<BlockList/>", b"<BlockList />", b"<BlockList></BlockList>"])
def test_a_list_may_be_empty(body: bytes) -> None:
    assert parse_block_list(body) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<BlockList>",
        b"<blocklist/>",
        b"\xff\xfe",
        b"<BlockList><Newest>QQ==</Newest></BlockList>",
        b"<BlockList><Latest>QQ==</Committed></BlockList>",
        b"<BlockList><Latest>&#81;Q==</Latest></BlockList>",
        b"<BlockList><Latest></Latest></BlockList>",
        b"<BlockList><Latest>Q</Latest></BlockList>",
        b"<BlockList>QQ==</BlockList>",
        b"<BlockList><Latest>QQ==</Latest>and more</BlockList>",
        b'<!DOCTYPE x [<!ENTITY a "QQ==">]><BlockList><Latest>&a;</Latest></BlockList>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><BlockList><Latest>&a;</Latest></BlockList>',
        b"<BlockList><Latest>../../x</Latest></BlockList>",
        b"<BlockList>" + b"<Latest>" * 50_000 + b"</BlockList>",
        b" " * 500_000 + b"<BlockList",
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_anything_else_is_none(body: bytes) -> None:
    assert refusal(body) is Kind.REQUEST_INVALID


@given(NAMES)
def test_a_block_is_named_by_base64(name: str) -> None:
    assert block_name(name) == name


@pytest.mark.parametrize("name", ["", "=", "QQ", "QR==", "Q Q=", "QQ==\n", "_-==", "ä", "A" * 92, "../../x"])
def test_one_block_has_one_name(name: str) -> None:
    with pytest.raises(Problem) as refused:
        block_name(name)
    assert refused.value.kind is Kind.REQUEST_INVALID
