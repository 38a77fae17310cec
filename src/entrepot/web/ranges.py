"""Range requests on bytes. Spec: RFC 9110 section 14; If-Range 13.1.5."""

import re
from dataclasses import dataclass
from typing import Final

from entrepot.errors import Kind, Problem

RANGES_LIMIT: Final = 16
_SPEC: Final = re.compile(r"(\d{0,19})-(\d{0,19})")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes [start, stop)."""

    start: int
    stop: int

    def content_range(self, length: int) -> str:
        return f"bytes {self.start}-{self.stop - 1}/{length}"


def parse_ranges(header: str, length: int) -> list[ByteRange] | None:
    """The ranges that can be met, in the order asked; None when the header is to be ignored.

    A unit other than bytes or a form that the specification does not know is ignored, as it demands. A range whose
    end lies before its start, too many ranges, and ranges of which none can be met raise RANGE_INVALID.
    """
    unit, equals, text = header.partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return None
    specs = [spec.strip() for spec in text.split(",") if spec.strip()]
    if not specs or len(specs) > RANGES_LIMIT:
        raise Problem(Kind.RANGE_INVALID, length=length, limit=RANGES_LIMIT)
    found: list[ByteRange] = []
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None or spec == "-":
            return None
        satisfiable = _resolve(match[1], match[2], length)
        if satisfiable is not None:
            found.append(satisfiable)
    if not found:
        raise Problem(Kind.RANGE_INVALID, length=length)
    return found


def _resolve(first: str, last: str, length: int) -> ByteRange | None:
    if not first:
        suffix = min(int(last), length)
        return ByteRange(length - suffix, length) if suffix else None
    start = int(first)
    stop = min(int(last) + 1, length) if last else length
    return ByteRange(start, stop) if start < stop else None
