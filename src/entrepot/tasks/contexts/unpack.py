"""A tar file into a folder, whoever made it: nothing is written beside the folder, and all is counted.

``tarfile`` reads the headers; what is made of them is made here, one name after the other below a descriptor of the
folder, and no link is ever followed. So this does not depend on what a release of Python's own extraction overlooks.
"""

import os
import stat
import tarfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from entrepot.tasks.contexts.model import Bounds, ContextFailed, Watch
from entrepot.tasks.contexts.packed import unpacked

_PIECE: Final = 256 * 1024
# What the reader of headers may ask for at once: long names, and further properties of a file.
_HEADER_LIMIT: Final = 64 * 1024
# As deep as folders may lie: far deeper than people nest them, and what removes them again walks down as deep.
_DEPTH: Final = 200
_NAME_LENGTH: Final = 3072
_FOLDER_MODE: Final = 0o755
_PERMISSIONS: Final = 0o777
_LAST_SECOND: Final = 2**33
# What tarfile lets through of a header that makes no sense.
_UNREADABLE: Final = (tarfile.TarError, ArithmeticError, LookupError, RecursionError, ValueError)


def unpack(pieces: Iterable[bytes], folder: Path, bounds: Bounds, watch: Watch) -> Bounds:
    """Fill a folder; what its bounds leave for more.

    Files are ours, with the permissions that the archive says and without its owners. A later entry of the same name
    counts. Raises ContextFailed, Canceled; what was written by then stays.
    """
    source = _Source(unpacked(pieces), bounds.unpacked, watch)
    with _opened(folder) as root:
        writer = _Writer(root, bounds.entries)
        for entry in _entries(source):
            writer.write(entry, source)
        writer.finish()
    source.drain()
    return replace(bounds, unpacked=source.left, entries=writer.left)


class _Source:
    """What tarfile reads from: forwards alone, and never more than the bounds say."""

    def __init__(self, pieces: Iterable[bytes], limit: int, watch: Watch) -> None:
        self._pieces = iter(pieces)
        self._left = limit
        self._watch = watch
        self._held = memoryview(b"")
        self._at = 0
        self.last = b""

    @property
    def left(self) -> int:
        """How many bytes of files may still come."""
        return self._left + len(self._held)

    def tell(self) -> int:
        return self._at

    def seek(self, at: int) -> None:
        if at < self._at:
            raise ContextFailed("the archive is broken: an entry has a size that cannot be")
        while self._at < at and self.some(min(at - self._at, _PIECE)):
            pass

    def read(self, size: int) -> bytes:
        """For headers. Fewer bytes at the end."""
        if not 0 <= size <= _HEADER_LIMIT:
            raise ContextFailed(f"an entry of the archive has names or properties of more than {_HEADER_LIMIT} bytes")
        found = bytearray()
        while len(found) < size and (piece := self.some(size - len(found))):
            found += piece
        self.last = bytes(found)
        return self.last

    def some(self, size: int) -> memoryview:
        """At least one byte, at most ``size``; none at the end."""
        while not self._held:
            piece = next(self._pieces, None)
            self._watch.left()
            if piece is None:
                return self._held
            self._left -= len(piece)
            if self._left < 0:
                raise ContextFailed("the archive's files are larger than is allowed for a context")
            self._held = memoryview(piece)
        found, self._held = self._held[:size], self._held[size:]
        self._at += len(found)
        return found

    def drain(self) -> None:
        """To its end: a packed archive has its checksum there."""
        while self.some(_PIECE):
            pass


def _entries(source: _Source) -> Iterator[tarfile.TarInfo]:
    with _told():
        # It wants a file; what it uses of one is here.
        archive = tarfile.TarFile(fileobj=source, encoding="utf-8")  # pyright: ignore[reportArgumentType]  three methods
    while True:
        with _told():
            entry = archive.next()
        if entry is None:
            break
        # It keeps all that it has read, or memory would grow with the archive.
        archive.members.clear()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  not in its stubs
        yield entry
    # At a header that it cannot read, tarfile stops as if the archive ended there.
    if source.last.strip(b"\0"):
        raise ContextFailed("the archive is broken, or is no tar file")


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise ContextFailed("the archive is broken, or is no tar file") from error


@contextmanager
def _opened(folder: Path) -> Generator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@dataclass(slots=True)
class _Writer:
    """``left``: how many files and folders may still be made."""

    root: int
    left: int
    _modes: dict[tuple[str, ...], int]

    def __init__(self, root: int, entries: int) -> None:
        self.root, self.left, self._modes = root, entries, {}

    def write(self, entry: tarfile.TarInfo, source: _Source) -> None:
        self._count()
        parts = _parts(entry.name)
        try:
            if parts:  # clients have the folder itself in their archives, without a name
                self._make(entry, parts, source)
        except OSError as error:
            raise _refused(entry.name, error.strerror or str(error)) from error

    def _make(self, entry: tarfile.TarInfo, parts: tuple[str, ...], source: _Source) -> None:
        name = parts[-1]
        with self._below(parts[:-1]) as folder:
            if entry.isdir():
                _folder(name, folder)
                self._modes[parts] = entry.mode & _PERMISSIONS
                return
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            if entry.isfile() and not entry.issparse():
                _file(entry, folder, name, source)
            elif entry.issym():
                _expect_inside(entry, parts)
                os.symlink(entry.linkname, name, dir_fd=folder)
            elif entry.islnk():
                self._link(entry, folder, name)
            else:
                raise _refused(entry.name, "it is neither a plain file, a folder nor a link")

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise ContextFailed("the archive has more files and folders than are allowed for a context")

    def _link(self, entry: tarfile.TarInfo, folder: int, name: str) -> None:
        """A second name of a file that came before."""
        *above, last = _parts(entry.linkname) or ("",)
        with self._below(tuple(above)) as there:
            if not last or not _is_file(last, there):
                raise _refused(entry.name, f"it is a link to {entry.linkname!r}, which is no file of the archive")
            os.link(last, name, src_dir_fd=there, dst_dir_fd=folder, follow_symlinks=False)

    @contextmanager
    def _below(self, parts: tuple[str, ...]) -> Generator[int]:
        """The folder of that name, made where it is not there. Raises OSError where a link is on the way."""
        at = os.dup(self.root)
        try:
            for part in parts:
                if _folder(part, at):
                    self._count()
                below = _enter(part, at)
                os.close(at)
                at = below
            yield at
        finally:
            os.close(at)

    def finish(self) -> None:
        """Folders get their permissions at the end, or a file could not be put into some."""
        for parts, mode in self._modes.items():
            with self._below(parts) as folder:
                os.fchmod(folder, mode | 0o700)


def _folder(name: str, above: int) -> bool:
    """Is it new? Raises OSError where something else has the name, a link too."""
    try:
        os.mkdir(name, _FOLDER_MODE, dir_fd=above)
    except FileExistsError:
        os.close(_enter(name, above))
        return False
    return True


def _enter(name: str, folder: int) -> int:
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)


def _is_file(name: str, folder: int) -> bool:
    return stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def _parts(name: str) -> tuple[str, ...]:
    """Below the folder. A slash at the beginning means nothing, as with tar itself."""
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if ".." in parts or "\0" in name:
        raise _refused(name, "its name leads out of the folder")
    if len(parts) > _DEPTH or len(name) > _NAME_LENGTH:
        raise _refused(name, f"it lies deeper than {_DEPTH} folders, or its name is too long")
    return parts


def _expect_inside(entry: tarfile.TarInfo, parts: tuple[str, ...]) -> None:
    """That a link stays in the folder by its own text. One that begins at the root means the root of a container."""
    depth = len(parts) - 1
    for part in entry.linkname.split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0 and not entry.linkname.startswith("/"):
            raise _refused(entry.name, f"it is a link to {entry.linkname!r}, out of the folder")


def _file(entry: tarfile.TarInfo, folder: int, name: str, source: _Source) -> None:
    left = entry.size
    if not 0 <= left <= source.left:
        raise _refused(name, "it is larger than is allowed for a context")
    source.seek(entry.offset_data)
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        while left:
            piece = source.some(min(left, _PIECE))
            if not piece:
                raise ContextFailed("the archive is cut off")
            left -= file.write(piece)
        file.flush()
        os.fchmod(descriptor, (entry.mode & _PERMISSIONS) | 0o400)
        if 0 <= entry.mtime < _LAST_SECOND:
            os.utime(descriptor, (entry.mtime, entry.mtime))


def _refused(name: str, why: str) -> ContextFailed:
    return ContextFailed(f"the archive's entry {name[:200]!r} is refused: {why}")
