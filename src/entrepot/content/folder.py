"""The folder store: blob bytes as files of one file system.

``staging/<session>`` holds what an upload sent so far; its size is the session's offset. A commit renames it to
``blobs/<algorithm>/<first two hex digits>/<hex>.<session>``, so a committed file is never opened for writing again.
"""

import errno
import fcntl
import os
import re
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from entrepot.content.model import Piece, StoredKey, check_session
from entrepot.errors import Kind, Problem
from entrepot.oci.digest import ALGORITHMS, Digest

READ_CHUNK: Final = 1024 * 1024
# Up to here reading a file takes no longer than having the web server open and send it.
SMALL: Final = 32 * 1024
WRITE_BACK: Final = 8 * 1024 * 1024
STAGING: Final = "staging"
BLOBS: Final = "blobs"

_KEY: Final = re.compile(
    r"staging/(?P<session>[0-9a-f]{32})|blobs/(?:sha256|sha512)/[0-9a-f]{2}/(?:[0-9a-f]{64}){1,2}\.[0-9a-f]{32}"
)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def _storage_problems() -> Generator[None]:
    """Turn the system's refusals into ours. The caller learns the errno's name and no path."""
    try:
        yield
    except OSError as error:
        kind = Kind.STORAGE_FULL if error.errno in _FULL else Kind.STORAGE_UNAVAILABLE
        name = errno.errorcode.get(error.errno, "EIO") if error.errno is not None else "EIO"
        raise Problem(kind, errno=name) from error


class FolderAppender:
    """The writer of one staging file, which it holds locked; the kernel lets go of the lock if the process dies."""

    def __init__(self, path: str, file: int, offset: int) -> None:
        self._path = path
        self._file = file
        self._offset = offset
        self._end = offset
        self._written_back = offset

    @property
    def length(self) -> int:
        """How many bytes were written."""
        return self._end - self._offset

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Into the page cache; the commit makes it durable."""
        with _storage_problems():
            written = os.write(self._file, chunk)
            while written < len(chunk):
                written += os.write(self._file, memoryview(chunk)[written:])
            self._end += written
            if self._end - self._written_back >= WRITE_BACK:
                self._write_back()

    def seal(self) -> None:
        """The staged file knows its bytes itself. They survive this process, not yet a power loss."""
        with _storage_problems():
            try:
                self._close()
            except OSError:
                _distrust(self._path)
                raise

    def abandon(self) -> None:
        """Cut the file back. If even that fails, the session is longer than it was: a prefix of what was sent."""
        with suppress(OSError):
            os.ftruncate(self._file, self._offset)
        with suppress(OSError):
            self._close()

    def _write_back(self) -> None:
        """Let the disk begin now instead of at the commit's fsync.

        Linux starts to write dirty pages when it is told that they are not needed, and does not wait; what it has
        not yet written stays cached. A push of 500 MB takes three quarters of the time with it.
        """
        os.posix_fadvise(self._file, self._written_back, self._end - self._written_back, os.POSIX_FADV_DONTNEED)
        self._written_back = self._end

    def _close(self) -> None:
        # Forgotten first: a number closed twice could by then be another thread's file.
        file, self._file = self._file, -1
        os.close(file)


class FolderStore:
    """Blobs under one root folder, which several processes of one machine may share."""

    def __init__(self, root: Path, name: str = "local") -> None:
        self.name = name
        self.append_limit = sys.maxsize
        self._root = str(root.absolute())
        self._lasting_folders: set[str] = set()
        with _storage_problems():
            self._make_lasting(self._root)
            self._make_lasting(self._path(STAGING))
            self._make_lasting(self._path(BLOBS))
            for algorithm in ALGORITHMS:
                self._make_lasting(self._path(f"{BLOBS}/{algorithm}"))

    def staged(self, session: str, _sealed: Sequence[Piece]) -> int:
        """The staging file's size."""
        with _storage_problems():
            return _size(self._staging(session)) or 0

    def staged_pieces(self, session: str, _sealed: Sequence[Piece]) -> tuple[Piece, ...]:
        """The staging file as one piece."""
        length = self.staged(session, _sealed)
        return (Piece(self.name, f"{STAGING}/{session}", length),) if length else ()

    def appender(self, session: str, _sealed: Sequence[Piece], offset: int) -> FolderAppender:
        """Open and lock the staging file."""
        with _storage_problems():
            file = self._locked(session, os.O_APPEND if offset else os.O_APPEND | os.O_CREAT)
            if file is None:
                raise Problem(Kind.UPLOAD_OUT_OF_ORDER, offset=0)
            staged = os.fstat(file).st_size
            if staged != offset:
                os.close(file)
                raise Problem(Kind.UPLOAD_OUT_OF_ORDER, offset=staged)
            return FolderAppender(self._staging(session), file, offset)

    def commit(self, session: str, digest: Digest, length: int, _sealed: Sequence[Piece]) -> tuple[Piece, ...]:
        """fsync(file), rename, fsync(target folder). The staging folder needs none: should a power loss bring the
        old name back, it is a second name of the same bytes, and no session writes to it any more.
        """
        if length == 0:
            self._expect_nothing(session)
            return ()
        key = _key_of(digest, session)
        folder = os.path.dirname(self._path(key))
        with _storage_problems():
            self._make_lasting(folder)
            file = self._locked(session, 0)
            if file is None:
                self._expect_committed(key, length)
            else:
                try:
                    self._settle(file, session, key, length)
                finally:
                    os.close(file)
            _sync_folder(folder)
        return (Piece(self.name, key, length),)

    def committed(self, session: str, digest: Digest) -> tuple[Piece, ...]:
        """The file that an earlier commit renamed, after its fsync; the rename itself may not be durable yet."""
        key = _key_of(digest, session)
        path = self._path(key)
        with _storage_problems():
            length = _size(path)
            if length is None:
                return ()
            _sync_folder(os.path.dirname(path))
        return (Piece(self.name, key, length),)

    def discard(self, session: str, _sealed: Sequence[Piece]) -> None:
        """Unlink the staging file."""
        with _storage_problems(), suppress(FileNotFoundError):
            os.unlink(self._staging(session))

    def read(self, pieces: Sequence[Piece], start: int, stop: int) -> Iterator[bytes]:
        """File after file, each opened when its turn comes."""
        for piece in pieces:
            if start < piece.length and stop > 0:
                yield from self._read_piece(piece, max(start, 0), min(stop, piece.length))
            start -= piece.length
            stop -= piece.length

    def local_path(self, pieces: Sequence[Piece]) -> Path | None:
        """The one piece's file, if it is there in full length; ``read`` tells the caller what is wrong otherwise.

        It is opened once here: to the web server any file that it cannot open is one that is not there.
        """
        if len(pieces) != 1:
            return None
        path = self._checked(pieces[0].key)
        with _storage_problems(), suppress(FileNotFoundError):
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                return Path(path) if os.fstat(file).st_size == pieces[0].length else None
            finally:
                os.close(file)
        return None

    def small(self, pieces: Sequence[Piece]) -> bytes | None:
        """One open, one read: 10 us from the page cache."""
        if len(pieces) != 1 or pieces[0].length > SMALL:
            return None
        path, length = self._checked(pieces[0].key), pieces[0].length
        with _storage_problems(), suppress(FileNotFoundError):
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                content = os.read(file, length + 1)
            finally:
                os.close(file)
            if len(content) == length:
                return content
        return None

    def delete(self, key: str) -> None:
        """Unlink the file. Not made durable: a file that comes back after a power loss is found again by ``walk``."""
        path = self._checked(key)
        with _storage_problems(), suppress(FileNotFoundError):
            os.unlink(path)

    def probe(self) -> None:
        """Look at the staging folder."""
        with _storage_problems():
            os.stat(self._path(STAGING))

    def walk(self) -> Iterator[StoredKey]:
        """Folder by folder. A file that we did not name is not ours and is left out."""
        with _storage_problems():
            yield from self._walk(STAGING)
            for algorithm in _folders(self._path(BLOBS)):
                for fan in _folders(f"{self._path(BLOBS)}/{algorithm}"):
                    yield from self._walk(f"{BLOBS}/{algorithm}/{fan}")

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _staging(self, session: str) -> str:
        return self._path(f"{STAGING}/{check_session(session)}")

    def _checked(self, key: str) -> str:
        """The path of a key of ours. Any other form leads out of the root, or to what is no blob."""
        if _KEY.fullmatch(key) is None:
            raise ValueError("a key of another form than this store gives")
        return self._path(key)

    def _locked(self, session: str, flags: int) -> int | None:
        """The staging file, open and locked; None when there is none. Raises UPLOAD_BUSY."""
        path = self._staging(session)
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between open and lock another process may have committed the file or discarded it.
            if not os.path.samestat(os.fstat(file), os.stat(path)):
                raise BlockingIOError
        except OSError as error:
            os.close(file)
            if isinstance(error, BlockingIOError | FileNotFoundError):
                raise Problem(Kind.UPLOAD_BUSY) from error
            raise
        return file

    def _settle(self, file: int, session: str, key: str, length: int) -> None:
        staged = os.fstat(file).st_size
        if staged != length:
            raise Problem(Kind.UPLOAD_OUT_OF_ORDER, offset=staged)
        try:
            os.fsync(file)
        except OSError:
            _distrust(self._staging(session))
            raise
        os.rename(self._staging(session), self._path(key))

    def _expect_committed(self, key: str, length: int) -> None:
        """An earlier commit renamed the file, which it did after fsync(file): the name tells that the bytes last."""
        if _size(self._path(key)) != length:
            raise Problem(Kind.UPLOAD_OUT_OF_ORDER, offset=0)

    def _expect_nothing(self, session: str) -> None:
        staged = self.staged(session, ())
        if staged:
            raise Problem(Kind.UPLOAD_OUT_OF_ORDER, offset=staged)
        self.discard(session, ())

    def _make_lasting(self, path: str) -> None:
        """Make the folder unless it is there, and make its name durable.

        Once per process also when it is there: whoever made it may have died, or be about to, before his fsync.
        """
        if path in self._lasting_folders:
            return
        parent = os.path.dirname(path)
        if not os.path.isdir(parent):
            self._make_lasting(parent)
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
        _sync_folder(parent)
        self._lasting_folders.add(path)

    def _read_piece(self, piece: Piece, start: int, stop: int) -> Iterator[bytes]:
        path = self._checked(piece.key)
        with _storage_problems():
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if os.fstat(file).st_size < piece.length:
                    raise Problem(Kind.STORAGE_UNAVAILABLE, errno="EIO")
                if stop - start > READ_CHUNK:
                    os.posix_fadvise(file, start, stop - start, os.POSIX_FADV_SEQUENTIAL)
                yield from _chunks(file, start, stop)
            finally:
                os.close(file)

    def _walk(self, folder: str) -> Iterator[StoredKey]:
        with os.scandir(self._path(folder)) as entries:
            for entry in entries:
                key = f"{folder}/{entry.name}"
                match = _KEY.fullmatch(key)
                if match is None:
                    continue
                with suppress(FileNotFoundError):
                    seen = entry.stat(follow_symlinks=False)
                    modified = datetime.fromtimestamp(seen.st_mtime, UTC)
                    yield StoredKey(key, seen.st_size, modified, match["session"])


def _key_of(digest: Digest, session: str) -> str:
    """Where a session's blob is committed: named by what it is, and by whose it is."""
    return f"{BLOBS}/{digest.algorithm}/{digest.encoded[:2]}/{digest.encoded}.{check_session(session)}"


def _distrust(path: str) -> None:
    """Drop a file whose bytes the system could not write. It says so once and forgets them; the next fsync succeeds."""
    with suppress(OSError):
        os.unlink(path)


def _chunks(file: int, start: int, stop: int) -> Iterator[bytes]:
    while start < stop:
        chunk = os.pread(file, min(READ_CHUNK, stop - start), start)
        if not chunk:
            raise Problem(Kind.STORAGE_UNAVAILABLE, errno="EIO")
        yield chunk
        start += len(chunk)


def _size(path: str) -> int | None:
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except FileNotFoundError:
        return None


def _sync_folder(path: str) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _folders(path: str) -> list[str]:
    """The folders in one that holds a few hundred at most."""
    with os.scandir(path) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
