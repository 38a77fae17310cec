"""A backup, online and consistent: one state of the catalog, then the blobs that it names.

It is a folder: ``catalog.jsonl``, ``blobs/<algorithm>/<first two hex>/<hex>``, ``tls/``, ``secret.key``,
``bootstrap.json``, and last ``backup.json``, which says that the rest is complete. Collection leaves the bytes alone
meanwhile. A second backup into the same folder copies only the blobs that are new. ``app/restore.py`` is the way back.
"""

import os
import stat
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from entrepot.app import queries
from entrepot.app.certificates import write_durably
from entrepot.app.first_start import BOOTSTRAP_FILE
from entrepot.app.parts import open_content, utc_now
from entrepot.app.secret_key import SECRET_KEY_FILE
from entrepot.app.upkeep import open_existing
from entrepot.content.model import ContentStore, Piece
from entrepot.db.database import Database
from entrepot.db.dump import dump
from entrepot.db.migrate import HEAD
from entrepot.errors import Problem
from entrepot.oci.digest import Digest
from entrepot.settings import Settings

FORMAT: Final = 1
CATALOG: Final = "catalog.jsonl"
COMPLETE: Final = "backup.json"
_PLACES: Final = "places.jsonl"
# A backup that died keeps collection from freeing space no longer than this.
_HOLD: Final = timedelta(hours=24)
_RENEW_AFTER: Final = timedelta(hours=1)


class BackupError(Exception):
    """What stands in the way, for a person."""


@dataclass(slots=True)
class Copied:
    """What a backup or a restore did so far. ``size`` counts the bytes of the blobs that were copied now.

    ``damaged`` are the digests of blobs that could not be copied, because their bytes are gone or have another digest.
    """

    rows: int = 0
    blobs: int = 0
    size: int = 0
    damaged: list[str] = field(default_factory=list[str])


class Complete(msgspec.Struct, rename="camel"):
    """``backup.json``. ``schema`` is the catalog's: an older program cannot read the rows of a newer one."""

    format: int
    schema: str
    created_at: datetime
    rows: int
    catalog_digest: str


Progress = Callable[[Copied], None]


def back_up(settings: Settings, target: Path, progress: Progress) -> Copied:
    """Write a backup into the folder, beside a running server. Raises SettingError, ``Problem``, OSError."""
    with closing(open_existing(settings)) as database, closing(_Hold(database)) as hold:
        store = open_content(settings)
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        (target / COMPLETE).unlink(missing_ok=True)
        complete = database.snapshot(_dump, target)
        copied = Copied(complete.rows)
        for row in _places(target):
            hold.renew()
            if _copy_blob(store, target, row, copied):
                progress(copied)
        (target / _PLACES).unlink()
        copy_files(settings.data_dir, target)
        _sync_folders(target)
        write_durably(target / COMPLETE, msgspec.json.format(msgspec.json.encode(complete)) + b"\n", 0o600)
        return copied


class _Hold:
    """Keeps collection from removing bytes while the backup is at work."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._id = str(uuid.uuid4())
        self._renewed = utc_now()
        database.write(queries.insert_hold, self._id, "backup", self._renewed + _HOLD)

    def renew(self) -> None:
        now = utc_now()
        if self._renewed + _RENEW_AFTER < now:
            self._database.write(queries.extend_hold, self._id, now + _HOLD)
            self._renewed = now

    def close(self) -> None:
        self._database.write(queries.delete_hold, self._id)


def _dump(tx: Connection, target: Path) -> Complete:
    """The catalog, and the places of its blobs as they are in the same state of it."""
    running, rows = Digest.of(b"").hasher(), 0
    with _durable(target / CATALOG) as file:
        for line in dump(tx):
            running.update(line)
            file.write(line)
            rows += 1
    with _durable(target / _PLACES) as file:
        for content in _contents(tx):
            file.write(msgspec.json.encode(content) + b"\n")
    return Complete(FORMAT, HEAD, utc_now(), rows, f"sha256:{running.hexdigest()}")


class _Content(NamedTuple):
    """A blob, or a part of a file that no manifest names: both lie in the backup by their digests."""

    digest: str
    size: int
    pieces: tuple[Piece, ...]


def _contents(tx: Connection) -> Iterator[_Content]:
    last = 0
    while blobs := queries.blobs_after(tx, last):
        yield from (_Content(row.digest, row.size, row.pieces) for row in blobs)
        last = blobs[-1].id
    session = ""
    while blocks := queries.blocks_after(tx, session):
        yield from (_Content(row.digest, row.size, row.pieces) for row in blocks)
        session = blocks[-1].session


def _places(target: Path) -> Iterator[_Content]:
    with (target / _PLACES).open("rb") as places:
        for line in places:
            yield msgspec.json.decode(line, type=_Content)


def _copy_blob(store: ContentStore, target: Path, row: _Content, copied: Copied) -> bool:
    """Copy the blob if the target lacks it. One whose bytes are not right is told, and the others go on."""
    digest = Digest.parse(row.digest)
    path = blob_path(target, digest)
    if path.exists() and path.stat().st_size == row.size:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with _durable(path) as file:
            _copy_bytes(store, row, digest, file)
    except _DamagedError:
        copied.damaged.append(row.digest)
        return False
    copied.blobs += 1
    copied.size += row.size
    return True


class _DamagedError(Exception):
    """The store does not have the blob's bytes."""


def _copy_bytes(store: ContentStore, row: _Content, digest: Digest, file: BinaryIO) -> None:
    running = digest.hasher()
    try:
        for chunk in store.read(row.pieces, 0, row.size):
            running.update(chunk)
            file.write(chunk)
    except Problem:
        store.probe()  # raises when it is the store that does not answer
        raise _DamagedError from None
    if running.hexdigest() != digest.encoded:
        raise _DamagedError


@contextmanager
def _durable(path: Path) -> Generator[BinaryIO]:
    """A file that has its name only once it is whole and on the disk."""
    new = path.with_name(path.name + ".new")
    try:
        with new.open("wb") as file:
            new.chmod(0o600)
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _sync_folders(target: Path) -> None:
    """The names of blobs outlast a power loss too, before ``backup.json`` says that they are there."""
    for path, _, _ in os.walk(target):
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def copy_files(source: Path, target: Path) -> None:
    """Certificates, ``secret.key`` and ``bootstrap.json``: what of a data folder is neither catalog nor content."""
    for file in (*sorted((source / "tls").glob("[!.]*")), source / SECRET_KEY_FILE, source / BOOTSTRAP_FILE):
        if file.is_file():
            copy = target / file.relative_to(source)
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(copy, file.read_bytes(), stat.S_IMODE(file.stat().st_mode))


def blob_path(folder: Path, digest: Digest) -> Path:
    """Where a backup keeps the blob."""
    return folder / "blobs" / digest.algorithm / digest.encoded[:2] / digest.encoded
