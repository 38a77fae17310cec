"""The audit log as a file of JSON lines, rotated by size: FILE, then FILE.1 and older ones up to a number."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from entrepot.auditing.export import Row, line_of


@dataclass(frozen=True, slots=True)
class LineFile:
    """``limit``: bytes at which a file is rotated. ``kept``: how many old ones stay."""

    path: Path
    limit: int
    kept: int

    def deliver(self, entries: Sequence[Row]) -> None:
        """Durably."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = b"".join(line_of(entry) + b"\n" for entry in entries)
        if self._size() and self._size() + len(text) > self.limit:
            self._rotate()
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as lines:
            lines.write(text)
            lines.flush()
            os.fsync(lines.fileno())

    def close(self) -> None:
        """Nothing stays open between two batches."""

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def _rotate(self) -> None:
        for number in range(self.kept, 1, -1):
            older = self._old(number - 1)
            if older.exists():
                older.replace(self._old(number))
        if self.kept:
            self.path.replace(self._old(1))
        else:
            self.path.unlink()

    def _old(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
