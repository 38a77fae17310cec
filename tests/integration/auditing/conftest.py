"""The audit log's parts on the test's catalog, without a job worker: its rounds are called by hand."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest
from tests.integration.conftest import Until
from tests.integration.rows import audit_entries
from tests.registry import FakeClock, Registry

from entrepot.db.database import Database
from entrepot.events.audit import NOWHERE, Entry, record_entries


def an_entry(number: int, at: datetime) -> Entry:
    return Entry(at, "sign_in", "success", f"principal-{number}", "", NOWHERE)


def write(database: Database, clock: FakeClock, count: int, first: int = 1) -> None:
    """Entries a minute apart."""
    for number in range(first, first + count):
        database.write(record_entries, [an_entry(number, clock())])
        clock.advance(minutes=1)


Written = Callable[[str, int], Awaitable[list[dict[str, Any]]]]


@pytest.fixture
def written(registry: Registry, until: Until) -> Written:
    """Waits until the worker has written so many entries of an action; answers them."""

    async def wait(action: str, count: int = 1) -> list[dict[str, Any]]:
        async def there() -> bool:
            return len(registry.query(lambda tx: audit_entries(tx, action))) >= count

        await until(there)
        found = registry.query(lambda tx: audit_entries(tx, action))
        assert len(found) == count, found
        return found

    return wait
