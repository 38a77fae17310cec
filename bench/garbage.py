"""Blobs for Entrepot's collector: thousands that nothing names, long past their grace, as rows and files.

Past HTTP and without fsync, since pushing them would take longer than collecting them. Each is a copy of one that a
real push made, under a digest of its own, which its bytes do not have: nobody reads them.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Table, func, insert, select

from bench.images import digest_of
from bench.model import Shelf
from entrepot.catalog.blobs.queries import queue_review
from entrepot.catalog.model import RepositoryId
from entrepot.db import tables
from entrepot.db.database import Database, open_database

REPOSITORY: Final = "bench/garbage"
CONTENT_BYTES: Final = 2048
BATCH: Final = 1000
AGE: Final = timedelta(days=3)

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Pattern:
    """The rows of a pushed blob, to be copied: its digest stands in its key, and so does its session's id."""

    blob: Values
    location: Values
    link: Values
    use: Values

    def key(self, encoded: str, session: str) -> str:
        """As the folder store names a file: blobs/ALGORITHM/FIRST TWO/DIGEST.SESSION."""
        top, algorithm, *_ = str(self.location["key"]).split("/")
        return f"{top}/{algorithm}/{encoded[:2]}/{encoded}.{session}"


class EntrepotGarbage:
    """Makes garbage, and tells how much of it is still there."""

    def __init__(self, data: Path, database_url: str | None, shelf: Shelf) -> None:
        self._data, self._database_url, self._shelf = data, database_url, shelf

    def make(self, count: int) -> None:
        """Their reviews come last and in one transaction, so that collection begins when all are there."""
        content = os.urandom(CONTENT_BYTES)
        self._shelf.put_blob(REPOSITORY, digest_of(content), content)
        with self._opened() as database:
            pattern = database.read(_pattern, digest_of(content))
            made = list[int]()
            for _ in range(0, count, BATCH):
                made += database.write(_insert, pattern, self._write_files(pattern, content))
            database.write(_review, pattern, made)

    def remaining(self) -> int:
        """Blobs that wait for review, and files that wait for removal."""
        with self._opened() as database:
            return database.read(_waiting)

    def _write_files(self, pattern: Pattern, content: bytes) -> list[tuple[str, str]]:
        """Digest and key of each."""
        made = list[tuple[str, str]]()
        for _ in range(BATCH):
            encoded, session = os.urandom(32).hex(), os.urandom(16).hex()
            key = pattern.key(encoded, session)
            file = self._data / "content" / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            made.append((f"sha256:{encoded}", key))
        return made

    def _opened(self) -> "_Opened":
        return _Opened(self._data, self._database_url)


class _Opened:
    """The catalog, for the length of a ``with`` block."""

    def __init__(self, data: Path, database_url: str | None) -> None:
        self._database = open_database(database_url, data)

    def __enter__(self) -> Database:
        return self._database

    def __exit__(self, *_: object) -> None:
        self._database.close()


def _pattern(tx: Connection, digest: str) -> Pattern:
    blob = _row(tx, tables.blob, "digest", digest)
    rows = (_row(tx, table, "blob_id", blob["id"]) for table in _BESIDE)
    return Pattern(blob, *rows)


_BESIDE: Final = (tables.blob_location, tables.repository_blob, tables.registry_blob)


def _row(tx: Connection, table: Table, column: str, value: object) -> Values:
    return dict(tx.execute(select(table).where(table.c[column] == value)).mappings().one())


def _insert(tx: Connection, pattern: Pattern, made: Sequence[tuple[str, str]]) -> list[int]:
    """The ids of the new blobs."""
    fresh = {name: value for name, value in pattern.blob.items() if name != "id"}
    tx.execute(insert(tables.blob), [fresh | {"digest": digest} for digest, _ in made])
    keys = dict(made)
    found = tx.execute(select(tables.blob.c.id, tables.blob.c.digest).where(tables.blob.c.digest.in_(list(keys))))
    ids = {row.id: keys[row.digest] for row in found}
    long_ago = datetime.now(UTC) - AGE
    tx.execute(
        insert(tables.blob_location), [{**pattern.location, "blob_id": id_, "key": key} for id_, key in ids.items()]
    )
    tx.execute(insert(tables.repository_blob), list(_copies(pattern.link, ids, {"linked_at": long_ago})))
    tx.execute(insert(tables.registry_blob), list(_copies(pattern.use, ids, {})))
    registry = tables.registry
    used = registry.c.bytes_used + CONTENT_BYTES * len(ids)
    tx.execute(registry.update().where(registry.c.id == pattern.use["registry_id"]).values(bytes_used=used))
    return list(ids)


def _copies(row: Values, ids: Mapping[int, str], changed: Values) -> Iterator[dict[str, object]]:
    return ({**row, **changed, "blob_id": id_} for id_ in ids)


def _review(tx: Connection, pattern: Pattern, made: list[int]) -> None:
    repository = RepositoryId(int(str(pattern.link["repository_id"])))
    queue_review(tx, repository, made, datetime.now(UTC), "deleted")


def _waiting(tx: Connection) -> int:
    """Reviews of what traffic pushed meanwhile are due tomorrow, and are not counted."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    reviews = select(func.count()).where(tables.blob_review.c.due_at < soon)
    files = select(func.count()).select_from(tables.retired_key)
    return int(tx.execute(reviews).scalar_one()) + int(tx.execute(files).scalar_one())
