"""Another program holds the SQLite catalog's write lock for longer than a writer waits."""

import fcntl
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
from tests.content import an_image, some_bytes
from tests.faults.catalog.impatient import WAIT_SECONDS
from tests.faults.plain import Repository, plain_server, repository_of, told
from tests.faults.serve.seen import processes_of, settled
from tests.invariants import assert_clean
from tests.services import Registry, wait_until

PROGRAM = (sys.executable, Path(__file__).with_name("impatient.py"))
COLLECTS_AT_ONCE = (*("--gc-unlinked-grace-seconds", "1", "--gc-condemn-seconds", "1", "--gc-retire-seconds", "1"),)
UNAVAILABLE = (503, "UNAVAILABLE")


@contextmanager
def our_lock(data_dir: Path) -> Iterator[None]:
    """As a process of ours holds it that was stopped in the middle of a transaction."""
    with (data_dir / "catalog.sqlite.lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def a_foreign_transaction(data_dir: Path) -> Iterator[None]:
    """Of a program that knows nothing of our lock."""
    with closing(sqlite3.connect(data_dir / "catalog.sqlite", isolation_level=None, timeout=60)) as session:
        session.execute("BEGIN EXCLUSIVE")
        yield
        session.execute("ROLLBACK")


Held = Callable[[Path], AbstractContextManager[None]]
HELD: tuple[Held, ...] = (our_lock, a_foreign_transaction)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def server(data_dir: Path) -> Iterator[Registry]:
    with plain_server(data_dir, "--workers", "1", *COLLECTS_AT_ONCE, program=PROGRAM) as registry:
        yield registry


@pytest.fixture
def app(server: Registry) -> Iterator[Repository]:
    with repository_of(server) as repository:
        yield repository


@pytest.mark.parametrize("held", HELD)
def test_writers_are_told_after_their_wait_and_readers_notice_nothing(
    server: Registry, app: Repository, data_dir: Path, held: Held
) -> None:
    image, contents = an_image("before"), [some_bytes(100, number) for number in range(8)]
    assert app.push(image, "v1").status_code == 201
    before = settled(server)
    with ThreadPoolExecutor(len(contents)) as clients, held(data_dir):
        begun = time.monotonic()
        pushes = [clients.submit(app.push_blob, content) for content in contents]
        assert app.pull("v1").blobs == image.blobs
        assert time.monotonic() - begun < WAIT_SECONDS
        refusals = [push.result() for push in pushes]
    assert [told(refused) for refused in refusals] == [UNAVAILABLE] * len(contents)
    assert all(int(refused.headers["retry-after"]) >= 1 for refused in refusals)
    assert [app.push_blob(content).status_code for content in contents] == [201] * len(contents)
    assert processes_of(server) == before
    assert_clean(data_dir)


@pytest.mark.parametrize("held", HELD)
def test_collection_goes_on_afterwards(server: Registry, app: Repository, data_dir: Path, held: Held) -> None:
    image = an_image("to be collected")
    assert app.push(image, "v1").status_code == 201
    settled(server)
    with held(data_dir):
        wait_until(lambda: "worker_waits" in server.said, "the job worker has met it")
    assert app.http.delete(app.path(f"manifests/{image.digest}")).status_code == 202
    wait_until(lambda: not list((data_dir / "content" / "blobs").rglob("*.*")), "the blobs' files are gone")
    assert_clean(data_dir)
