"""A small file system of its own for a data folder: it can be filled, and made read-only. No fixtures here."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MIB = 1024 * 1024
_PAGE = 4096  # tmpfs gives space page by page


@dataclass(frozen=True)
class Volume:
    """A mounted tmpfs. ``ballast`` is the file that fills it."""

    path: Path

    @property
    def ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes, rounded to pages, for everything else."""
        with self.ballast.open("ab", buffering=0) as ballast:
            for size in (_MIB, _PAGE):
                while _written(ballast.fileno(), bytes(size)):
                    pass
            ballast.truncate(max(0, ballast.tell() - leave))

    def free(self) -> None:
        self.ballast.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Impossible while a file is open for writing."""
        self._remount("ro")
        try:
            yield
        finally:
            self._remount("rw")

    def _remount(self, mode: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{mode}", self.path], check=True)


def _written(file: int, content: bytes) -> bool:
    try:
        return os.write(file, content) == len(content)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False


@contextmanager
def volume(path: Path, size: int) -> Iterator[Volume]:
    """Mounted as long as the block lasts."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", path], check=True)
    try:
        yield Volume(path)
    finally:
        subprocess.run(["umount", path], check=True)
