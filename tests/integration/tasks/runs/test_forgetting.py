"""Which runs are forgotten, with their logs, and which stay."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from tests.integration.conftest import Until
from tests.integration.tasks.storage.account import Account
from tests.integration.working import working
from tests.registry import Registry

from entrepot.app.parts import utc_now
from entrepot.app.task_worker import keeping_of
from entrepot.app.upkeep import opened
from entrepot.db.task_tables import task_run
from entrepot.retention.collect import Collector
from entrepot.settings import Settings
from entrepot.tasks.runs.jobs import upkeep
from entrepot.tasks.runs.queries import set_archived

WITHIN = 60.0
# The keep time of the settings, by the time of the worker, which is the real one.
KEPT = timedelta(days=30)


@pytest.fixture
def account(registry: Registry) -> Account:
    return Account(registry)


def ended_run(account: Account, number: int, ended_at: datetime, *, is_archived: bool = False) -> None:
    """Its log, which is a file, says its number."""
    log = account.log(number)
    log.write(text_of(number))
    log.finish("Succeeded")
    log.become_a_file(text_of(number))
    account.registry.query(set_archived, log.run, is_archived, ended_at)
    account.registry.query(
        lambda tx: tx.execute(update(task_run).where(task_run.c.id == log.run).values(finished_at=ended_at))
    )


def text_of(number: int) -> bytes:
    return b"the log of run %d\r\n" % number


async def numbers(account: Account) -> set[int]:
    return set(account.registry.query(lambda tx: list(tx.execute(select(task_run.c.number)).scalars())))


def collect(settings: Settings) -> None:
    """Files that are to go, and then their bytes, once nobody can be reading them."""
    for later in (timedelta(seconds=1), timedelta(days=2)):
        with opened(settings) as site:
            moved = replace(site, now=lambda by=later: utc_now() + by, pause=lambda _: None)
            Collector(moved).collect(lambda: False, lambda _: None)


def contents(folder: Path) -> set[bytes]:
    return {file.read_bytes() for file in (folder / "content" / "blobs").rglob("*") if file.is_file()}


async def test_runs_go_with_their_logs_after_the_keep_time_unless_they_are_archived_or_go_on(
    account: Account, settings: Settings, until: Until
) -> None:
    long_ago, lately = datetime.now(UTC) - KEPT - timedelta(hours=1), datetime.now(UTC) - KEPT + timedelta(hours=1)
    ended_run(account, 1, long_ago)
    ended_run(account, 2, long_ago, is_archived=True)
    ended_run(account, 3, lately)
    # Begun long ago, by the clock of the test; it has no end.
    account.log(4).write(text_of(4))
    ended_run(account, 5, long_ago)
    collect(settings)
    assert contents(settings.data_dir) == {text_of(number) for number in (1, 2, 3, 5)}
    keeping = keeping_of(settings, account.store)
    assert keeping.time == KEPT

    async def have_gone() -> bool:
        return not await numbers(account) & {1, 5}

    with working(account.registry, upkeep(keeping)):
        await until(have_gone, WITHIN)
    assert await numbers(account) == {2, 3, 4}
    collect(settings)
    assert contents(settings.data_dir) == {text_of(2), text_of(3)}
