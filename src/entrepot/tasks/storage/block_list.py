"""The list of blocks that a client commits, and what it calls a block. Spec: Azure Storage, "Put Block List"."""

import base64
import binascii
import re
from typing import Final

from entrepot.catalog.files.model import Listed, Wanted
from entrepot.errors import Kind, Problem

# Of a body: about 120 bytes for each of the 5,000 blocks that a file may have.
LIMIT: Final = 1024 * 1024
_NAME_BYTES: Final = 64
# A name is base64, so nothing in the list needs XML's escapes: what has any is none of ours.
_LIST: Final = re.compile(
    r'\ufeff?\s*(?:<\?xml[\w\s.="\'-]*\?>\s*)?<BlockList\s*(?:/>|>(.*)</BlockList>)\s*', re.DOTALL
)
_ENTRY: Final = re.compile(r"\s*<(Latest|Committed|Uncommitted)>([A-Za-z0-9+/=]{1,88})</\1>\s*")


def block_name(text: str) -> str:
    """A block's id as the query or the list has it: base64 of 1 to 64 bytes. Raises REQUEST_INVALID."""
    try:
        named = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        named = b""
    # One block has one name: bits that base64 leaves unused may not make another.
    if not 1 <= len(named) <= _NAME_BYTES or base64.b64encode(named).decode() != text:
        raise Problem(Kind.REQUEST_INVALID, reason="a block id is base64 of 1 to 64 bytes")
    return text


def parse_block_list(body: bytes) -> list[Wanted]:
    """Raises REQUEST_INVALID for what is no such list."""
    try:
        match = _LIST.fullmatch(body.decode("utf-8"))
    except UnicodeDecodeError:
        match = None
    if match is None:
        raise Problem(Kind.REQUEST_INVALID, reason="the body is no block list")
    return _entries(match[1] or "")


def _entries(text: str) -> list[Wanted]:
    wanted: list[Wanted] = []
    at = 0
    while entry := _ENTRY.match(text, at):
        wanted.append(Wanted(block_name(entry[2]), Listed(entry[1])))
        at = entry.end()
    if text[at:].strip():
        raise Problem(Kind.REQUEST_INVALID, reason="the block list has an entry that is none")
    return wanted
