"""A registry from a backup: into an empty data folder or database, of either kind, and any content store.

The catalog comes in one transaction, with a mark that the restore is under way: until the last blob is there no server
starts on it, and the same command goes on where it was cut.
"""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.app import queries
from entrepot.app.backup import (
    CATALOG,
    COMPLETE,
    FORMAT,
    BackupError,
    Complete,
    Copied,
    Progress,
    blob_path,
    copy_files,
)
from entrepot.app.parts import open_catalog, open_content, utc_now
from entrepot.catalog.blobs.queries import insert_pieces
from entrepot.catalog.files.blocks import remove_file
from entrepot.catalog.model import BlobId
from entrepot.content.model import Appender, ContentStore, Piece
from entrepot.db.database import Database
from entrepot.db.dump import load
from entrepot.db.migrate import HEAD, migrate
from entrepot.jobs.engine import migrate as migrate_jobs
from entrepot.oci.digest import Digest
from entrepot.settings import Settings

_CHUNK: Final = 1024 * 1024
_HOLD: Final = timedelta(days=1)


def restore(settings: Settings, source: Path, progress: Progress) -> Copied:
    """Make catalog and content from a backup. Raises BackupError, SettingError, ``Problem``, OSError.

    A blob that the backup lacks, or has with other bytes, is corrupt in the restored registry: unknown to whoever asks,
    until it is pushed again.
    """
    complete = _read_complete(source)
    _check_catalog(source, complete)
    database, store = open_catalog(settings), open_content(settings)
    try:
        migrate(database)
        migrate_jobs(database)
        mark = str(uuid.uuid5(uuid.NAMESPACE_OID, complete.catalog_digest))
        database.write(_load, source, mark)
        copied = Copied(complete.rows)
        for row in _absent(database):
            _restore_blob(database, store, source, row, copied)
            progress(copied)
        database.write(queries.drop_waiting_blocks)
        for block in _absent_blocks(database):
            _restore_block(database, store, source, block, copied)
            progress(copied)
        copy_files(source, settings.data_dir)
        database.write(queries.delete_hold, mark)
        return copied
    finally:
        database.close()


def _read_complete(source: Path) -> Complete:
    try:
        complete = msgspec.json.decode((source / COMPLETE).read_bytes(), type=Complete)
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(f"{source} holds no complete backup: {COMPLETE} is missing or damaged") from error
    if complete.format != FORMAT:
        raise BackupError(f"{source} is a backup of format {complete.format}; this program reads {FORMAT}")
    if complete.schema > HEAD:
        raise BackupError(f"{source} is of a newer program: its catalog has schema {complete.schema}, this one {HEAD}")
    return complete


def _check_catalog(source: Path, complete: Complete) -> None:
    running = Digest.parse(complete.catalog_digest).hasher()
    try:
        with (source / CATALOG).open("rb") as file:
            while chunk := file.read(_CHUNK):
                running.update(chunk)
    except FileNotFoundError as error:
        raise BackupError(f"{source / CATALOG} is missing") from error
    if f"sha256:{running.hexdigest()}" != complete.catalog_digest:
        raise BackupError(f"{source / CATALOG} is damaged: its digest differs from {COMPLETE}")


def _load(tx: Connection, source: Path, mark: str) -> None:
    """The rows, unless an earlier restore of this backup brought them already."""
    if mark in queries.restores(tx):
        return
    if not queries.is_empty(tx):
        raise BackupError("the catalog is not empty: restore into a new data folder or database")
    with (source / CATALOG).open("rb") as lines:
        load(tx, lines)
    queries.insert_hold(tx, mark, queries.RESTORING, utc_now() + _HOLD)


def _absent(database: Database) -> Iterator[queries.BlobRow]:
    """The blobs whose bytes are still to come, batch by batch: each restored one is written in between."""
    last = 0
    while batch := database.read(queries.blobs_after, last):
        yield from (row for row in batch if not row.pieces and row.size)
        last = batch[-1].id


def _restore_blob(database: Database, store: ContentStore, source: Path, row: queries.BlobRow, copied: Copied) -> None:
    digest, session = Digest.parse(row.digest), uuid.uuid4().hex
    sealed, found = stage(store, session, digest, blob_path(source, digest))
    if found != digest:
        store.discard(session, sealed)
        database.write(queries.mark_corrupt, row.id, utc_now())
        copied.damaged.append(row.digest)
        return
    database.write(insert_pieces, BlobId(row.id), store.commit(session, digest, row.size, sealed))
    copied.blobs += 1
    copied.size += row.size


def _absent_blocks(database: Database) -> Iterator[queries.BlockRow]:
    last = ""
    while batch := database.read(queries.blocks_after, last):
        yield from (row for row in batch if not row.pieces and row.size)
        last = batch[-1].session


def _restore_block(
    database: Database, store: ContentStore, source: Path, row: queries.BlockRow, copied: Copied
) -> None:
    """Under the session that it had: keys of this store belong to it as they did to that of the other. A file that
    lacks bytes is of no use, and goes.
    """
    digest = Digest.parse(row.digest)
    store.discard(row.session, ())  # what a restore that was cut left of it
    sealed, found = stage(store, row.session, digest, blob_path(source, digest))
    if found != digest:
        store.discard(row.session, sealed)
        database.write(remove_file, row.file, (), utc_now())
        copied.damaged.append(row.digest)
        return
    (piece,) = store.commit(row.session, digest, row.size, sealed)
    database.write(queries.place_block, row.session, piece)
    copied.blobs += 1
    copied.size += row.size


def stage(store: ContentStore, session: str, digest: Digest, path: Path) -> tuple[tuple[Piece, ...], Digest]:
    """Bring the file's bytes into the session, in as many appends as the store wants; what they hash to."""
    running, offset, left = digest.hasher(), 0, store.append_limit
    sealed: tuple[Piece, ...] = ()
    appender = store.appender(session, sealed, offset)
    try:
        for chunk in _chunks(path):
            if left <= 0:
                sealed += _sealed(appender)
                appender, left = store.appender(session, sealed, offset), store.append_limit
            running.update(chunk)
            appender.write(chunk)
            offset, left = offset + len(chunk), left - len(chunk)
        sealed += _sealed(appender)
    finally:
        appender.abandon()
    return sealed, Digest(digest.algorithm, running.hexdigest())


def _sealed(appender: Appender) -> tuple[Piece, ...]:
    piece = appender.seal()
    return () if piece is None else (piece,)


def _chunks(path: Path) -> Iterator[bytes]:
    """Nothing for a file that is not there: its bytes then have another digest."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except FileNotFoundError:
        return
