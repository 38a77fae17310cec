"""A run's folder on the worker: its socket, its HOME, a link to its source folder, a list of images that it made."""

import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from entrepot.tasks.engines.model import EngineFailed
from entrepot.tasks.removing import remove_tree

_COUNT_SECONDS: Final = 20.0
# Of a folder with more files than can be counted in that time.
_COUNTLESS: Final = 2**62


@dataclass(frozen=True, slots=True)
class Place:
    """A run's folder on the worker, that nobody else may enter."""

    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "docker.sock"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def images(self) -> Path:
        return self.folder / "images"

    def make(self, source: Path) -> None:
        """Raises EngineFailed."""
        try:
            self.folder.mkdir(mode=0o700, parents=True)
            self.home.mkdir()
            self.home.chmod(0o755)  # steps have it whatever user they are
            (self.folder / "source").symlink_to(source.resolve(strict=True))
        except OSError as error:
            raise EngineFailed(f"{self.folder}: {error}") from None

    def size(self) -> int:
        """Bytes of what the run wrote into its folders."""
        folders = [f"{self.folder / 'source'}/", str(self.home)]
        words = ["du", "--summarize", "--total", "--block-size=1", "--one-file-system", "--", *folders]
        try:
            told = subprocess.run(words, capture_output=True, timeout=_COUNT_SECONDS, check=False).stdout
        except subprocess.TimeoutExpired:
            return _COUNTLESS
        *_, total = [b"0", *told.splitlines()]
        return int(total.split()[0])

    def made_images(self) -> list[str]:
        try:
            return self.images.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def remove(self) -> None:
        """The source folder too. Links in it are not followed."""
        with suppress(OSError):
            remove_tree((self.folder / "source").readlink())
        remove_tree(self.folder)


def places(folder: Path) -> dict[str, Place]:
    """By run."""
    return {each.name: Place(each) for each in folder.iterdir()} if folder.is_dir() else {}
