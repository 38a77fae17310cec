"""What a worker waits for between two turns, on a database of each kind."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert
from tests.integration.jobs.effects import EFFECTS

from entrepot.db.database import Database
from entrepot.jobs.notice import Notice

LOOK = 0.2
LONG = 5.0


@pytest.fixture
def notice(database: Database) -> Iterator[Notice]:
    made = Notice(database, LOOK)
    made.wait(threading.Event(), 0.1)  # what was committed before
    yield made
    made.close()


def commit(database: Database) -> None:
    done = insert(EFFECTS).values(thing="a", what="b", by="c", attempt=1)
    database.write(lambda tx: tx.execute(done))


def seconds_of(notice: Notice, stop: threading.Event, seconds: float) -> float:
    began = time.monotonic()
    notice.wait(stop, seconds)
    return time.monotonic() - began


def test_a_commit_ends_the_pause_where_it_is_told(database: Database, notice: Notice) -> None:
    with ThreadPoolExecutor(1) as pool:
        pausing = pool.submit(seconds_of, notice, threading.Event(), 2.0)
        time.sleep(0.1)
        commit(database)
        took = pausing.result()
    assert took < 1.0 if database.is_sqlite else took >= 2.0
    assert notice.idle == (5 * LOOK if database.is_sqlite else LOOK)


def test_a_pause_without_commits_is_as_long_as_asked_for(notice: Notice) -> None:
    assert 0.4 <= seconds_of(notice, threading.Event(), 0.4) < LONG


def test_a_stop_ends_the_pause(notice: Notice) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.1, stop.set)
    timer.start()
    began = time.monotonic()
    assert notice.wait(stop, LONG)
    assert time.monotonic() - began < LONG


def test_commits_without_end_hurry_nobody_for_long(database: Database, notice: Notice) -> None:
    """As many turns as without them, and a few."""
    stop, until, turns = threading.Event(), time.monotonic() + 2.0, 0
    with ThreadPoolExecutor(1) as pool:

        def keep_committing() -> None:
            while not stop.wait(0.005):
                commit(database)

        committing = pool.submit(keep_committing)
        while time.monotonic() < until:
            notice.wait(threading.Event(), LONG if database.is_sqlite else LOOK)
            turns += 1
        stop.set()
        committing.result()
    assert 5 <= turns <= 2.0 / LOOK + 6
