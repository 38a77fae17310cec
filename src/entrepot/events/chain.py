"""The chain over the audit log: each entry's hash covers the entry and the hash before it.

So an entry that is changed, taken out, put in or moved no longer fits what follows. A checkpoint, signed and also kept
outside the catalog, fixes where the chain was at a moment: that shows a cut end, and a chain that was computed anew.
"""

import hashlib
from datetime import datetime
from typing import Final, NamedTuple, Protocol

import msgspec

GENESIS: Final = "0" * 64


class Numbered(msgspec.Struct, frozen=True):
    """An entry with its number. ``at`` is in microseconds since 1970. The members' order is that of the encoding."""

    action: str
    address: str
    at: int
    credential: str
    detail: str
    id: int
    method: str
    principal: str
    registry: str
    request_id: str
    result: str
    sequence: int
    target: str
    user_agent: str


class Link(NamedTuple):
    """A chained entry as it is kept."""

    entry: Numbered
    hash: str | None


class Tip(NamedTuple):
    """Where the chain is: the number and the hash of its last entry."""

    sequence: int
    hash: str


START: Final = Tip(0, GENESIS)


class Checkpoint(msgspec.Struct, frozen=True):
    """Where the chain was at a moment. ``signature`` is a JWS over the rest, by the key ``kid``.

    ``is_beginning``: older entries were pruned since, and the chain begins after this one.
    """

    sequence: int
    at: datetime
    hash: str
    kid: str
    signature: str
    is_beginning: bool = False


class Notary(Protocol):
    """Signs checkpoints, and knows what it signed."""

    def sign(self, tip: Tip, at: datetime, *, is_beginning: bool) -> Checkpoint: ...
    def is_genuine(self, checkpoint: Checkpoint) -> bool: ...


_encode: Final = msgspec.json.Encoder(order="sorted").encode


def hash_of(before: str, entry: Numbered) -> str:
    """SHA-256 in hex over the hash before, a line feed, and the entry as JSON with sorted members."""
    return hashlib.sha256(before.encode() + b"\n" + _encode(entry)).hexdigest()
