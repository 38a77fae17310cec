"""The body of an answer, unpacked and bounded: a bomb is cut before it unfolds."""

import zlib
from collections.abc import Iterable
from typing import Final

# gzip and zlib, told apart by their first bytes.
_EITHER: Final = zlib.MAX_WBITS | 32
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})


class TooLarge(Exception):
    """The body has more bytes than the call accepts."""


class Unreadable(Exception):
    """The body is in an encoding that was not asked for and that we do not read, or is cut."""


def read_body(pieces: Iterable[bytes], encoding: str, limit: int) -> bytes:
    """The whole body, unpacked. Raises TooLarge, Unreadable.

    We ask for ``identity``; some servers send gzip all the same.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return _plain(pieces, limit)
    if name in _PACKED:
        return _unpacked(pieces, limit)
    raise Unreadable


def _plain(pieces: Iterable[bytes], limit: int) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > limit:
            raise TooLarge
    return bytes(body)


def _unpacked(pieces: Iterable[bytes], limit: int) -> bytes:
    unpacker = zlib.decompressobj(_EITHER)
    body = bytearray()
    piece = b""
    try:
        for piece in pieces:
            # One byte over the limit is enough to know; the rest stays packed.
            body += unpacker.decompress(piece, limit + 1 - len(body))
            if len(body) > limit:
                raise TooLarge
    except zlib.error as error:
        raise Unreadable from error
    if piece and not unpacker.eof:  # an answer such as 304 names an encoding and has no body
        raise Unreadable
    return bytes(body)
