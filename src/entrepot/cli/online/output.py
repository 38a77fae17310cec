"""What a command prints: a table for a person, JSON for a program. Columns have one order; JSON is the API's."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")
Columns = Sequence[tuple[str, Callable[[T], object]]]
# Widths are found for so many rows at a time: a list may have millions.
_BATCH: Final = 1000
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024


class Form(StrEnum):
    TABLE = "table"
    JSON = "json"


def form_asked(asked: str | None) -> Form:
    """Without a wish a table on a terminal, JSON into a pipe."""
    if asked is not None:
        return Form(asked)
    return Form.TABLE if sys.stdout.isatty() else Form.JSON


def show_list(form: Form, found: Iterable[T], columns: Columns[T]) -> None:
    """JSON: an array with one document in each line."""
    lines = _table(found, columns) if form is Form.TABLE else _array(found)
    for line in lines:
        print(line)


def show_one(form: Form, found: T, columns: Columns[T]) -> None:
    """A table of one document stands on end: a line for each column."""
    if form is Form.JSON:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    width = max(len(title) for title, _ in columns)
    for title, value in columns:
        print(f"{title:<{width}}  {plain(value(found))}".rstrip())


def plain(value: object) -> str:
    """What somebody wrote must not command a terminal."""
    text = "" if value is None else str(value)
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def size(count: int) -> str:
    """Bytes for a person: ``1.5 MiB``."""
    steps = min(max(count.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{count} B" if steps == 0 else f"{count / _STEP**steps:.1f} {_UNITS[steps]}"


def moment(text: str | None) -> str:
    """``2026-11-26 19:25:07``, in UTC, of a time as the APIs write it."""
    return "" if text is None else text[:19].replace("T", " ")


def yes_or_no(value: bool) -> str:  # noqa: FBT001  it is what is shown
    return "yes" if value else "no"


def _table(found: Iterable[T], columns: Columns[T]) -> Iterator[str]:
    rows = iter(found)
    titles, widths = [title for title, _ in columns], [len(title) for title, _ in columns]
    is_first = True
    while True:
        batch = [[plain(value(row)) for _, value in columns] for row in islice(rows, _BATCH)]
        if is_first:
            batch.insert(0, titles)
            is_first = False
        if not batch:
            return
        widths = [max(width, *map(len, column)) for width, column in zip(widths, zip(*batch, strict=True), strict=True)]
        for cells in batch:
            yield "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _array(found: Iterable[object]) -> Iterator[str]:
    before = None
    for each in found:
        yield "[" if before is None else f"{before},"
        before = msgspec.json.encode(each).decode()
    if before is None:
        yield "[]"
    else:
        yield before
        yield "]"
