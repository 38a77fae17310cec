"""Garbage collection: what a blob costs in batches of one size and another, and how long pushes wait meanwhile.

For docs/decisions/0005.
"""

import multiprocessing
import os
import time
import uuid
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from typing import Final

from sqlalchemy import Connection

from bench.decisions.catalogs import catalogs, spread
from entrepot.app.parts import open_catalog, open_content
from entrepot.catalog.blobs.commit import commit_blob
from entrepot.catalog.model import Grace, Place, RegistryId
from entrepot.content.model import ContentStore, Piece
from entrepot.db.database import Database
from entrepot.gate.queries import registries
from entrepot.oci.digest import Digest
from entrepot.oci.reference import parse_repository
from entrepot.retention.collect import Collector, Site
from entrepot.retention.model import Tally, Waits
from entrepot.settings import Settings

_PROCESSES: Final = multiprocessing.get_context("spawn")
_BLOBS: Final = 2000
_ROUNDS: Final = 5
_SIZES: Final = (50, 100, 200)
_AT_ONCE: Final = Waits(timedelta(0), timedelta(0), timedelta(0), timedelta(days=1))
_PAUSE: Final = 0.005


def _make(database: Database, store: ContentStore) -> None:
    """Blobs that no manifest names, long past their grace, each with its file."""
    content = os.urandom(2048)
    pieces: list[tuple[Digest, tuple[Piece, ...]]] = []
    for number in range(_BLOBS):
        session, digest = uuid.uuid4().hex, Digest.of(content + number.to_bytes(8) + os.urandom(8))
        appender = store.appender(session, (), 0)
        appender.write(content)
        appender.seal()
        pieces.append((digest, store.commit(session, digest, len(content), ())))
    database.write(_commit, pieces)


def _commit(tx: Connection, pieces: list[tuple[Digest, tuple[Piece, ...]]]) -> None:
    now = datetime.now(UTC)
    grace = Grace(now - timedelta(days=3), now - timedelta(days=2))
    for digest, stored in pieces:
        commit_blob(tx, _place(tx), digest, stored, grace)


def _place(tx: Connection) -> Place:
    return Place(RegistryId(registries(tx)[0].id), parse_repository("bench/garbage"))


def _push(settings: Settings, stop: Event, told: "multiprocessing.SimpleQueue[list[float]]") -> None:
    """Small durable transactions, as a push makes, one every few milliseconds: how long each took."""
    seconds: list[float] = []
    with closing(open_catalog(settings)) as database:
        while not stop.is_set():
            begun = time.perf_counter()
            database.write(_commit_one)
            seconds.append(time.perf_counter() - begun)
            time.sleep(_PAUSE)
    told.put(seconds)


def _commit_one(tx: Connection) -> None:
    now = datetime.now(UTC)
    place = Place(RegistryId(registries(tx)[0].id), parse_repository("bench/pushes"))
    commit_blob(tx, place, Digest.of(os.urandom(8)), (), Grace(now, now + timedelta(days=1)))


def _collect(settings: Settings, size: int) -> tuple[float, list[float]]:
    """Seconds for each blob from review to removed file, and what pushes took meanwhile."""
    with closing(open_catalog(settings)) as database:
        store = open_content(settings)
        _make(database, store)
        # A rate of ten batches a second gives batches of this size; nobody waits for it here.
        site = Site(database, store, _AT_ONCE, size * 10, lambda: datetime.now(UTC), _go_on)
        stop, told = _PROCESSES.Event(), _PROCESSES.SimpleQueue()
        pusher = _PROCESSES.Process(target=_push, args=(settings, stop, told))
        pusher.start()
        time.sleep(2)
        begun = time.perf_counter()
        done = Collector(site).collect(lambda: False, _see)
        seconds = time.perf_counter() - begun
        stop.set()
        pushes: list[float] = told.get()
        pusher.join()
        assert done.freed == _BLOBS, done
        return seconds / _BLOBS, pushes


def _go_on(_: float) -> None:
    """As fast as it goes."""


def _see(_: Tally) -> None:
    """Nobody looks."""


def _measure(settings: Settings) -> None:
    costs: dict[int, list[float]] = defaultdict(list)
    waits: dict[int, list[float]] = defaultdict(list)
    for _ in range(_ROUNDS):
        for size in _SIZES:
            cost, pushes = _collect(settings, size)
            costs[size].append(cost)
            waits[size] += pushes
    for size in _SIZES:
        print(f"  batches of {size}: each blob {spread(costs[size])}; a push beside it {spread(waits[size])}")


if __name__ == "__main__":
    for kind, chosen in catalogs():
        print(kind, flush=True)
        _measure(chosen)
