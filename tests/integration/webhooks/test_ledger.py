"""What a worker that died had lent, and what it says when it wakes up: the ledger by itself, without a worker."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.content import an_image
from tests.integration.webhooks.receivers import Webhook, add_webhook
from tests.management import Management
from tests.registry import FakeClock, Registry, Repository

from entrepot.webhooks import ledger, queries
from entrepot.webhooks.model import Attempt, Call, Ended, Outcome, State
from entrepot.webhooks.queries import Bound
from entrepot.webhooks.rules import Patience

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LENT = 40.0


@pytest.fixture
async def hook(arm: Management, registry: Registry, app: Repository, clock: FakeClock) -> Webhook:
    """With two events that wait in one repository."""
    await app.push(an_image())
    clock.advance(seconds=1)
    made = await add_webhook(arm, "https://hooks.example")
    for tag in ("v0", "v1"):
        await app.put(an_image(), tag)
    registry.query(lambda tx: ledger.fan_out(tx, str, NOW))
    return made


def lend(registry: Registry, after: float = 0.0) -> list[Call]:
    now = NOW + timedelta(seconds=after)
    return registry.query(lambda tx: ledger.lend(tx, now, LENT, 16, lambda _webhook: 4))


def conclude(registry: Registry, call: Call, *heard: bool, after: float = 0.0) -> None:
    """As if so many of the call's messages had been sent."""
    outcomes = tuple(
        Outcome(message, is_heard, Attempt("", 0.1, "", {}))
        for message, is_heard in zip(call.messages, heard, strict=False)
    )
    now, patience = NOW + timedelta(seconds=after), Patience(first=10.0, give_up_after=100.0)
    registry.query(lambda tx: ledger.conclude(tx, [Ended(call.lane, outcomes)], patience, now))


async def test_each_event_becomes_a_delivery_once(registry: Registry, hook: Webhook) -> None:
    assert registry.query(lambda tx: ledger.fan_out(tx, str, NOW)) == 0
    assert await hook.states() == ["pending", "pending"]


async def test_what_is_lent_is_nobody_else_s_until_the_time_is_over(registry: Registry, hook: Webhook) -> None:
    (call,) = lend(registry)
    assert len(call.messages) == 2
    assert lend(registry, LENT - 1) == []
    assert lend(registry, LENT + 1) == [call]


async def test_who_wakes_up_late_changes_nothing(registry: Registry, hook: Webhook) -> None:
    (old,) = lend(registry)
    (new,) = lend(registry, LENT + 1)
    conclude(registry, new, True, False, after=LENT + 2)
    conclude(registry, old, False, False, after=LENT + 3)
    assert await hook.states() == ["delivered", "pending"]
    counts = [each["delivery"]["count"] for each in await hook.events()]
    assert counts == [1, 1]
    assert lend(registry, LENT + 5) == []


async def test_what_failed_waits_and_is_the_next_to_go(registry: Registry, hook: Webhook) -> None:
    (call,) = lend(registry)
    conclude(registry, call, False)
    assert lend(registry, 4.9) == []
    (again,) = lend(registry, 15.1)
    assert [message.event_id for message in again.messages] == [message.event_id for message in call.messages]
    assert again.messages[0].attempts == 1


async def test_its_last_attempt_is_when_the_time_is_over(registry: Registry, hook: Webhook) -> None:
    (call,) = lend(registry)
    conclude(registry, call, False)
    (call,) = lend(registry, 95.0)
    conclude(registry, call, False, after=95.0)
    (call,) = lend(registry, 100.0)
    conclude(registry, call, False, after=100.0)
    assert await hook.states() == ["dead", "pending"]


async def test_history_is_bounded_by_age(registry: Registry, hook: Webhook) -> None:
    (call,) = lend(registry)
    conclude(registry, call, True)
    webhook = call.lane.webhook
    assert registry.query(lambda tx: ledger.forget(tx, webhook, NOW)) == 0
    assert registry.query(lambda tx: ledger.forget(tx, webhook, NOW + timedelta(seconds=1))) == 1
    assert await hook.states() == ["pending"]


async def test_history_is_bounded_by_count_for_each_way_to_end(registry: Registry, hook: Webhook) -> None:
    (call,) = lend(registry)
    conclude(registry, call, True, True)
    bound = Bound(keep=1, since=NOW - timedelta(days=1))

    def forget(state: State) -> int:
        return registry.query(lambda tx: queries.forget(tx, call.lane.webhook, state, bound))

    assert forget(State.DEAD) == 0
    assert (forget(State.DELIVERED), forget(State.DELIVERED)) == (1, 0)
    (kept,) = await hook.events()
    assert kept["id"] == call.messages[1].event_id
