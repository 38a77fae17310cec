"""How long it takes to delete a repository of very many manifests: until the answer, and until the last is gone.

    python -m bench.deletion [MANIFESTS] [DATABASE_URL]

In one process, on a catalog of its own, with nothing else to do: rows are seeded, then deleted as a request and the job
after it do it.
"""

import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from sqlalchemy import Connection, Table, insert, select, update

from bench.images import LAYER, MANIFEST, make_image
from entrepot.app.first_start import prepare
from entrepot.app.parts import open_catalog, utc_now
from entrepot.catalog.model import Change, Place, RegistryId
from entrepot.catalog.repositories.delete import empty_some, tell_some
from entrepot.db import tables
from entrepot.db.database import Database
from entrepot.jobs.wake import Jobs
from entrepot.oci.reference import RepositoryName
from entrepot.retention.deletion.jobs import DELETION
from entrepot.retention.deletion.repositories import delete_repository
from entrepot.settings import Settings

MANIFESTS: Final = 100_000
BATCH: Final = 200
SEEDED: Final = 10_000
NAME: Final = "bench/large"


def main(manifests: int, database_url: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = None if database_url is None else SecretStr(database_url)
        settings = Settings(data_dir=Path(folder), no_tls=True, database_url=url)
        prepare(settings)
        database = open_catalog(settings)
        try:
            place = database.write(_seed, manifests)
            _delete(database, place)
        finally:
            database.close()


def _delete(database: Database, place: Place) -> None:
    change, jobs = Change("bench", utc_now(), str(uuid.uuid4())), Jobs(database)
    database.write(jobs.wake, DELETION, 0, "")  # a process loads the library at its first wake
    begun = time.perf_counter()
    gone = database.write(delete_repository, place, change, jobs)
    answered = time.perf_counter()
    after: str | None = ""
    while after is not None:
        after = database.write(tell_some, gone.id, change.event_id, after, str(uuid.uuid4()))
    told = time.perf_counter()
    longest = 0.0
    left = 1
    while left:
        started = time.perf_counter()
        left = database.write(empty_some, place.registry, gone.id, BATCH, utc_now())
        longest = max(longest, time.perf_counter() - started)
    ended = time.perf_counter()
    print(f"{gone.manifest_count} manifests, {gone.tag_count} tags, {'SQLite' if database.is_sqlite else 'PostgreSQL'}")
    print(f"answer {answered - begun:.3f} s, told after {told - begun:.1f} s, all gone after {ended - begun:.1f} s")
    print(f"longest transaction while it was emptied {longest * 1000:.0f} ms")


def _seed(tx: Connection, count: int) -> Place:
    """A repository of so many images, a tag on each; each names a blob of its own, and one that all have."""
    now, registry = utc_now(), tx.execute(select(tables.registry.c.id)).scalar_one()
    held = {"registry_id": registry, "created_at": now, "updated_at": now, "manifest_count": count, "tag_count": count}
    made = insert(tables.repository).values(name=NAME, **held).returning(tables.repository.c.id)
    of = {"repository_id": tx.execute(made).scalar_one()}
    body = make_image((512,)).manifest
    for first in range(0, count, SEEDED):
        numbers = range(first + 1, min(first + SEEDED, count) + 1)
        _insert(tx, tables.blob, ({"id": n, "digest": _digest("b", n), "size": 1, "created_at": now} for n in numbers))
        _insert(tx, tables.repository_blob, ({**of, "blob_id": n, "linked_at": now} for n in numbers))
        _insert(tx, tables.registry_blob, ({"registry_id": registry, "blob_id": n, "uses": 1} for n in numbers))
        times = {"pushed_at": now, "updated_at": now, "pushed_by": "bench"}
        content = {"media_type": MANIFEST, "size": len(body), "image_size": 2, "body": body}
        _insert(tx, tables.manifest, ({**of, **times, **content, "id": n, "digest": _digest("a", n)} for n in numbers))
        _insert(tx, tables.manifest_reference, (each for n in numbers for each in _references(of, n)))
        tagged = {"created_at": now, "updated_at": now, "updated_by": "bench"}
        _insert(tx, tables.tag, ({**of, **tagged, "name": f"v{n}", "manifest_id": n} for n in numbers))
    used = tables.registry.c.bytes_used + count * (len(body) + 1)
    tx.execute(update(tables.registry).values(bytes_used=used))
    return Place(RegistryId(registry), RepositoryName(NAME))


def _references(of: dict[str, int], number: int) -> Iterator[dict[str, object]]:
    for position, blob in enumerate((1, number)):
        named = {"kind": "layer", "digest": _digest("b", blob), "size": 1, "media_type": LAYER}
        yield {**of, **named, "manifest_id": number, "position": position}


def _insert(tx: Connection, table: Table, rows: Iterable[Mapping[str, object]]) -> None:
    tx.execute(insert(table), [dict(row) for row in rows])


def _digest(kind: str, number: int) -> str:
    return f"sha256:{kind}{number:063x}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MANIFESTS, sys.argv[2] if len(sys.argv) > 2 else None)
