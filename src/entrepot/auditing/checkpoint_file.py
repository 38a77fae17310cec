"""Checkpoints kept apart from the catalog: a file of JSON lines that is only ever appended to."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from entrepot.events.chain import Checkpoint

FILE: Final = Path("audit", "checkpoints.jsonl")

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Checkpoint).decode


class UnreadableError(Exception):
    """A line of the file is no checkpoint."""


def append(path: Path, checkpoint: Checkpoint) -> None:
    """Durably, in one write. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, _encode(checkpoint) + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


def read(path: Path) -> Iterator[Checkpoint]:
    """Every checkpoint of the file. Raises OSError, UnreadableError."""
    with path.open("rb") as file:
        yield from _parsed(file)


def _parsed(lines: Iterable[bytes]) -> Iterator[Checkpoint]:
    for number, line in enumerate(lines, 1):
        # Power can fail in the middle of the last line.
        if not line.endswith(b"\n"):
            return
        try:
            yield _decode(line)
        except msgspec.MsgspecError:
            raise UnreadableError(f"line {number} is no checkpoint") from None
