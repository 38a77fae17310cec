"""A machine's folders as the worker has them, while steps do in them whatever they like.

Each name on a path is opened by itself, below a descriptor of the one before: a link that a step puts there leads
nowhere but to what it means in the machine, whenever it comes.
"""

import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path, PurePosixPath
from typing import Final

from entrepot.tasks.engines.model import EngineFailed

# Names of a path, those that its links bring too.
_NAMES: Final = 200
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# It is looked at before it is opened: devices do things when they are, and pipes wait.
_LOOK: Final = os.O_PATH | os.O_NOFOLLOW


class Folders:
    """``places``: the worker's folders by what the machine calls them."""

    def __init__(self, places: Mapping[str, Path]) -> None:
        self._places = {PurePosixPath(name): path for name, path in places.items()}

    def write(self, path: str, content: bytes) -> None:
        """Whoever reads the file finds all of it or none; it is its owner's alone. Raises EngineFailed."""
        place, parts = self._named(path)
        *above, name = parts
        part = f".{secrets.token_hex(8)}.part"
        try:
            with ExitStack() as opened:
                at = _opened(opened, place)
                for each in above:
                    with suppress(FileExistsError):
                        os.mkdir(each, 0o700, dir_fd=at)
                    at = _opened(opened, each, at)
                with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=at), "wb") as file:
                    file.write(content)
                os.replace(part, name, src_dir_fd=at, dst_dir_fd=at)
        except OSError as error:
            raise EngineFailed(f"{path} could not be written: {error.strerror}") from None

    def read(self, path: str, limit: int) -> bytes | None:
        """At most so many bytes of a file's beginning; None where there is no plain file of that name."""
        try:
            with ExitStack() as opened:
                return self._read(opened, path, limit)
        except OSError:
            return None

    def _read(self, opened: ExitStack, path: str, limit: int) -> bytes | None:
        above: list[int] = []
        at, parts = PurePosixPath("/"), list(reversed(_parts(path)))
        for _ in range(_NAMES):
            if not parts:
                break
            part = parts.pop()
            if part == "..":
                above, at = above[:-1], at.parent
                continue
            below = at / part
            if not above:
                # Above the folders themselves there is nothing that a step could change.
                place = self._places.get(below)
                above, at = above if place is None else [_opened(opened, place)], below
                continue
            found = os.lstat(part, dir_fd=above[-1])
            if stat.S_ISLNK(found.st_mode):
                target = os.readlink(part, dir_fd=above[-1])
                if target.startswith("/"):
                    above, at = [], PurePosixPath("/")
                parts += reversed(_parts(target))
            elif parts:
                above, at = [*above, _opened(opened, part, above[-1])], below
            else:
                return _bytes_of(part, above[-1], limit)
        return None

    def _named(self, path: str) -> tuple[Path, tuple[str, ...]]:
        plain = PurePosixPath(path)
        for name, place in self._places.items():
            if plain.is_relative_to(name) and plain != name and ".." not in plain.parts:
                return place, plain.relative_to(name).parts
        raise EngineFailed(f"{path} is not below {' or '.join(map(str, self._places))}")


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


def _opened(opened: ExitStack, name: str | Path, above: int | None = None) -> int:
    descriptor = os.open(name, _FOLDER, dir_fd=above)
    opened.callback(os.close, descriptor)
    return descriptor


def _bytes_of(name: str, folder: int, limit: int) -> bytes | None:
    looked = os.open(name, _LOOK, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(looked).st_mode):
            return None
        with Path(f"/proc/self/fd/{looked}").open("rb") as file:
            return file.read(limit)
    finally:
        os.close(looked)
