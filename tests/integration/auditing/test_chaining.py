"""Entries get their numbers and hashes, whoever writes them and whoever is at work."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from tests.integration.auditing.conftest import an_entry, write
from tests.integration.rows import audit_entries
from tests.registry import Registry

from entrepot.app.audit import verify
from entrepot.auditing import checkpoint_file
from entrepot.auditing.chaining import Chainer, Habits, chain_batch
from entrepot.db.access_tables import audit_checkpoint, audit_entry
from entrepot.errors import Problem
from entrepot.events import queries
from entrepot.events.audit import record_entries


def numbers(registry: Registry) -> list[tuple[str, int]]:
    entries = registry.query(audit_entries)
    return [(entry["principal"], entry["sequence"]) for entry in sorted(entries, key=lambda entry: entry["sequence"])]


def found(registry: Registry) -> list[str]:
    return [each.meaning for each in verify(registry.settings, None, 20).findings]


async def test_entries_are_numbered_in_the_order_of_their_ids(registry: Registry, chainer: Chainer) -> None:
    write(registry.database, registry.clock, 3)
    assert chainer.chain() == 3
    write(registry.database, registry.clock, 2, first=4)
    assert chainer.chain() == 2
    assert numbers(registry) == [(f"principal-{number}", number) for number in range(1, 6)]
    assert chainer.chain() == 0
    assert found(registry) == []


@pytest.mark.parametrize("catalog_settings", ["postgres"], indirect=True)
async def test_an_entry_that_commits_late_gets_a_later_number_and_changes_no_earlier_one(
    registry: Registry, chainer: Chainer
) -> None:
    """SQLite has one writer at a time: there ids commit in order."""
    with registry.database.engine.begin() as slow:
        record_entries(slow, [an_entry(1, registry.clock())])
        write(registry.database, registry.clock, 1, first=2)
        assert chainer.chain() == 1
    assert chainer.chain() == 1
    assert numbers(registry) == [("principal-2", 1), ("principal-1", 2)]
    assert found(registry) == []


async def test_a_chain_with_many_writers_beside_it_is_whole(registry: Registry, chainer: Chainer) -> None:
    done = threading.Event()

    def keep_chaining() -> int:
        chained = 0
        while not done.is_set():
            chained += chainer.chain()
        return chained + chainer.chain()

    def keep_writing(writer: int) -> None:
        for number in range(25):
            registry.database.write(record_entries, [an_entry(writer * 100 + number, registry.clock())])

    with ThreadPoolExecutor(5) as threads:
        chaining = threads.submit(keep_chaining)
        list(threads.map(keep_writing, range(4)))
        done.set()
        assert chaining.result() == 100
    assert sorted(number for _, number in numbers(registry)) == list(range(1, 101))
    assert found(registry) == []


async def test_a_batch_that_breaks_off_leaves_nothing_half_chained(registry: Registry, chainer: Chainer) -> None:
    write(registry.database, registry.clock, 4)

    def break_off(tx: object) -> None:
        chain_batch(tx, 3)  # pyright: ignore[reportArgumentType]  a connection
        raise ConnectionError

    with pytest.raises(ConnectionError):
        registry.database.write(break_off)
    assert {entry["sequence"] for entry in registry.query(audit_entries)} == {None}
    assert chainer.chain() == 4
    assert found(registry) == []


async def test_two_at_once_cannot_both_number_the_same_entries(registry: Registry) -> None:
    """Whatever the guard of a run would have let through, the numbers are unique."""
    write(registry.database, registry.clock, 2)
    registry.database.write(chain_batch, 10)

    def give_again(tx) -> None:
        tx.execute(update(audit_entry).where(audit_entry.c.sequence == 2).values(sequence=1))

    with pytest.raises((IntegrityError, Problem)):
        registry.database.write(give_again)


# --- checkpoints ------------------------------------------------------------------------------------------------------


def checkpoints(registry: Registry) -> list[int]:
    return registry.query(lambda tx: [each.sequence for each in queries.checkpoints(tx)])


def kept_apart(chainer: Chainer) -> list[int]:
    return [each.sequence for each in checkpoint_file.read(chainer.path)]


async def test_a_checkpoint_comes_with_the_first_entry_then_after_so_many_or_so_long(
    registry: Registry, chainer: Chainer
) -> None:
    write(registry.database, registry.clock, 1)
    chainer.chain()
    registry.database.write(record_entries, [an_entry(number, registry.clock()) for number in range(4)])
    chainer.chain()
    assert checkpoints(registry) == [1]
    registry.database.write(record_entries, [an_entry(5, registry.clock())])
    chainer.chain()
    assert checkpoints(registry) == [1, 6]
    registry.database.write(record_entries, [an_entry(6, registry.clock())])
    chainer.chain()
    assert checkpoints(registry) == [1, 6]
    registry.clock.advance(seconds=chainer.habits.seconds)
    chainer.chain()
    assert checkpoints(registry) == kept_apart(chainer) == [1, 6, 7]


async def test_the_end_is_signed_once(registry: Registry, chainer: Chainer) -> None:
    chainer.checkpoint()
    assert checkpoints(registry) == []
    registry.database.write(record_entries, [an_entry(number, registry.clock()) for number in range(3)])
    chainer.chain()
    registry.database.write(record_entries, [an_entry(3, registry.clock())])
    chainer.chain()
    chainer.checkpoint()
    chainer.checkpoint()
    assert checkpoints(registry) == kept_apart(chainer) == [3, 4]


async def test_a_file_that_cannot_be_written_does_not_stop_the_chain(registry: Registry, chainer: Chainer) -> None:
    chainer.path.parent.write_bytes(b"a file where the folder should be")
    write(registry.database, registry.clock, 2)
    assert chainer.chain() == 2
    assert checkpoints(registry) == [2]


async def test_a_genuine_checkpoint_is_as_it_was_signed_after_it_was_read_again(
    registry: Registry, chainer, notary
) -> None:
    write(registry.database, registry.clock, 1)
    chainer.chain()
    for checkpoint in (*registry.query(queries.checkpoints), *checkpoint_file.read(chainer.path)):
        assert notary.is_genuine(checkpoint)


# --- pruning ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def long_ago(registry: Registry, chainer: Chainer) -> Chainer:
    """Twelve entries an hour apart, chained as they came; kept for six hours."""
    for number in range(1, 13):
        registry.database.write(record_entries, [an_entry(number, registry.clock())])
        chainer.chain()
        registry.clock.advance(hours=1)
    return replace(chainer, habits=Habits(entries=5, seconds=300, keep=timedelta(hours=6)))


async def test_what_is_too_old_goes_up_to_a_checkpoint_and_the_rest_is_whole(
    registry: Registry, long_ago: Chainer
) -> None:
    assert long_ago.prune() == 6
    assert [number for _, number in numbers(registry)] == list(range(7, 13))
    assert found(registry) == []
    assert long_ago.prune() == 0
    write(registry.database, registry.clock, 1, first=13)
    long_ago.chain()
    assert numbers(registry)[-1] == ("principal-13", 13)
    assert found(registry) == []


async def test_everything_may_be_too_old_and_the_numbers_go_on(registry: Registry, long_ago: Chainer) -> None:
    registry.clock.advance(days=10)
    assert long_ago.prune() == 12
    write(registry.database, registry.clock, 1, first=13)
    long_ago.chain()
    assert numbers(registry) == [("principal-13", 13)]
    assert found(registry) == []


async def test_what_an_export_does_not_have_yet_is_not_pruned(registry: Registry, long_ago: Chainer) -> None:
    waits = replace(long_ago, habits=replace(long_ago.habits, exports=("syslog",)))
    assert waits.prune() == 0
    registry.query(lambda tx: queries.set_exported(tx, "syslog", 3))
    assert waits.prune() == 3


async def test_more_than_was_pruned_is_missed(registry: Registry, long_ago: Chainer) -> None:
    long_ago.prune()
    registry.query(lambda tx: tx.execute(audit_entry.delete().where(audit_entry.c.sequence == 7)))
    assert found(registry) == ["entry 7 is gone"]


async def test_a_beginning_that_nobody_signed_does_not_count(registry: Registry, long_ago: Chainer) -> None:
    registry.query(lambda tx: tx.execute(audit_entry.delete().where(audit_entry.c.sequence <= 4)))
    registry.query(
        lambda tx: tx.execute(
            update(audit_checkpoint).where(audit_checkpoint.c.sequence == 4).values(is_beginning=True)
        )
    )
    assert found(registry) == [
        "the checkpoint at entry 4 was not signed by this deployment",
        "the entries 1 to 4 are gone",
    ]
    assert registry.query(lambda tx: tx.execute(select(audit_checkpoint.c.sequence)).all())
