"""How long the rows of what happened are kept."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select
from tests.content import an_image
from tests.registry import FakeClock, Registry, Repository

from entrepot.db.tables import event
from entrepot.retention.outbox import forget_events
from entrepot.tasks.triggers.events.queries import mark_evaluated, waiting_events
from entrepot.webhooks import ledger

IMAGE = an_image()


def sequences(tx: Connection) -> list[int]:
    return list(tx.execute(select(event.c.sequence).order_by(event.c.sequence)).scalars())


def forget(registry: Registry, before: datetime) -> int:
    return forget_events(registry.database, before, lambda: False)


def taken_up(registry: Registry, clock: FakeClock) -> None:
    """By triggers of tasks."""
    registry.query(lambda tx: mark_evaluated(tx, waiting_events(tx, 100), clock.now))


async def test_what_is_old_goes_once_all_have_taken_it_up(
    registry: Registry, app: Repository, clock: FakeClock
) -> None:
    await app.push(IMAGE, "v1")
    old = clock.now
    clock.advance(seconds=10)
    await app.put(IMAGE, "v2")
    assert forget(registry, old + timedelta(seconds=20)) == 0
    registry.query(lambda tx: ledger.fan_out(tx, str, datetime.now(UTC)))
    # Triggers of tasks have not looked at it yet.
    assert forget(registry, old + timedelta(seconds=20)) == 0
    taken_up(registry, clock)
    assert forget(registry, old) == 0
    kept = registry.query(sequences)
    assert forget(registry, old + timedelta(seconds=1)) == len(kept) - 1
    assert registry.query(sequences) == kept[-1:]


async def test_numbers_go_on_after_all_events_are_gone(registry: Registry, app: Repository, clock: FakeClock) -> None:
    await app.push(IMAGE, "v1")
    last = registry.query(lambda tx: tx.execute(select(func.max(event.c.sequence))).scalar_one())
    registry.query(lambda tx: ledger.fan_out(tx, str, clock.now))
    taken_up(registry, clock)
    assert forget(registry, clock.now + timedelta(seconds=1)) > 0
    await app.put(IMAGE, "v2")
    assert registry.query(sequences) == [last + 1]
