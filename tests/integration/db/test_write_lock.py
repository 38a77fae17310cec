"""The lock that writers of a SQLite catalog queue at. Another lock on the same file stands for another process."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from entrepot.db.sqlite import WriteLock
from entrepot.errors import Kind, Problem

SOON = 0.1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@contextmanager
def held(lock: WriteLock) -> Iterator[None]:
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def refused(lock: WriteLock) -> bool:
    """Whether the wait for the lock was given up."""
    try:
        lock.acquire()
    except Problem as problem:
        return problem.kind is Kind.CATALOG_UNAVAILABLE
    lock.release()
    return False


def test_a_lock_that_another_process_holds_is_given_up_after_the_wait(path: Path) -> None:
    with held(WriteLock(path)):
        assert refused(WriteLock(path, SOON))


def test_a_lock_that_another_thread_holds_is_given_up_after_the_wait(path: Path) -> None:
    lock = WriteLock(path, SOON)
    with held(lock):
        assert refused(lock)


def test_whoever_gave_up_once_gets_the_lock_when_it_is_free(path: Path) -> None:
    lock = WriteLock(path, SOON)
    with held(WriteLock(path)):
        assert refused(lock)
        assert refused(lock)
    patient = WriteLock(path)
    with held(patient):  # and keeps nobody else from it: it came too late for the one that gave up
        pass
    assert not refused(lock)


def test_a_lock_that_comes_in_time_is_had(path: Path) -> None:
    theirs, ours = WriteLock(path), WriteLock(path)
    theirs.acquire()
    late = threading.Timer(SOON, theirs.release)
    late.start()
    with held(ours):
        assert refused(WriteLock(path, SOON))
    late.join()


def test_one_writer_at_a_time_over_threads_and_processes(path: Path) -> None:
    locks = [WriteLock(path) for _ in range(3)]
    inside: list[int] = []
    most: list[int] = []

    def write(lock: WriteLock) -> None:
        for _ in range(50):
            with held(lock):
                inside.append(1)
                os.sched_yield()
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=write, args=(lock,)) for lock in locks for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 450
    assert max(most) == 1


def test_a_closed_lock_holds_no_file_and_can_be_taken_again(path: Path) -> None:
    lock = WriteLock(path)
    with held(lock):
        assert path in files_of_this_process()
        lock.close()
        assert path in files_of_this_process()  # whoever holds it keeps it
    lock.close()
    assert path not in files_of_this_process()
    with held(lock):
        assert refused(WriteLock(path, SOON))


def files_of_this_process() -> set[Path]:
    found: set[Path] = set()
    for entry in Path("/proc/self/fd").iterdir():
        if entry.is_symlink():
            found.add(entry.readlink())
    return found
