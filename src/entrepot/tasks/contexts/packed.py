"""An archive's bytes, unpacked as they are read: gzip, bzip2, xz or plain, told apart by how they begin."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

from entrepot.tasks.contexts.model import ContextFailed

_PIECE: Final = 256 * 1024
_XZ_MEMORY: Final = 256 * 1024**2
_MAGIC_LENGTH: Final = 6
_ZIP: Final = b"PK\x03\x04"


class _Gzip:
    """With the interface of the other two."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, packed: bytes, limit: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + packed, limit)


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


_Unpacker = _Gzip | bz2.BZ2Decompressor | lzma.LZMADecompressor
_Make = Callable[[], _Unpacker]
_BEGINNINGS: Final[tuple[tuple[bytes, _Make], ...]] = (
    (b"\x1f\x8b", _Gzip),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", _xz),
)


def unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same without the packing, in pieces of bounded size. Raises ContextFailed for one that is cut or broken."""
    rest = iter(pieces)
    first = b""
    for piece in rest:
        first += piece
        if len(first) >= _MAGIC_LENGTH:
            break
    if not first:
        raise ContextFailed("the archive is empty")
    if first.startswith(_ZIP):
        raise ContextFailed("it is a zip file, where a tar file is expected, plain or packed with gzip, bzip2 or xz")
    make = next((make for magic, make in _BEGINNINGS if first.startswith(magic)), None)
    whole = chain((first,), rest)
    return whole if make is None else _members(make, whole)


def _members(make: _Make, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """One after the other: each of the three may be made of several. Zeros between and after them are padding."""
    unpacker = make()
    for piece in pieces:
        rest = piece
        while rest or not (unpacker.eof or unpacker.needs_input):
            if unpacker.eof:
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                unpacker = make()
            yield _next(unpacker, rest)
            rest = unpacker.unused_data if unpacker.eof else b""
    if not unpacker.eof:
        raise ContextFailed("the archive is cut off")


def _next(unpacker: _Unpacker, packed: bytes) -> bytes:
    try:
        return unpacker.decompress(packed, _PIECE)
    except (zlib.error, lzma.LZMAError, OSError) as error:
        raise ContextFailed(f"the archive is broken: {error}") from error
