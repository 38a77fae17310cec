"""Who fills a registry past 80 or 95 % of its storage is written down, once for each time that it gets there."""

import asyncio
import json

from tests.content import digest_of, some_bytes
from tests.integration.conftest import StartRegistry
from tests.integration.rows import audit_entries, events_of_registry, set_bytes_limit
from tests.integration.webhooks.receivers import add_webhook
from tests.management import management
from tests.registry import Registry, Repository

from entrepot.webhooks import ledger

LIMIT = 1000
FULL = "https://hooks.example"


def warned(registry: Registry) -> list[tuple[int, int]]:
    """The percentages that were crossed and the bytes that were then used, by the events and by the audit log."""
    events = [json.loads(event.body) for event in registry.query(events_of_registry)]
    entries = [entry["detail"] for entry in registry.query(lambda tx: audit_entries(tx, "registry.storage_warning"))]
    assert entries == events
    assert all(event["limitBytes"] == LIMIT for event in events)
    return [(event["percent"], event["usedBytes"]) for event in events]


async def filled(app: Repository, registry: Registry, *sizes: int) -> None:
    registry.query(lambda tx: set_bytes_limit(tx, LIMIT))
    for size in sizes:
        await app.push_blob(some_bytes(size))


async def test_each_share_is_told_when_it_is_reached_and_not_again(app: Repository, registry: Registry) -> None:
    await filled(app, registry, 799)
    assert warned(registry) == []
    await filled(app, registry, 1, 149)
    assert warned(registry) == [(80, 800)]
    await filled(app, registry, 2, 30)
    assert warned(registry) == [(80, 800), (95, 951)]


async def test_one_push_may_reach_both(app: Repository, registry: Registry) -> None:
    await filled(app, registry, 960)
    assert warned(registry) == [(80, 960), (95, 960)]


async def test_it_is_told_again_once_the_registry_fell_below(app: Repository, registry: Registry) -> None:
    await filled(app, registry, 700, 150)
    assert (await app.http.delete(app.path(f"blobs/{digest_of(some_bytes(150))}"))).status == 202
    await filled(app, registry, 150)
    assert warned(registry) == [(80, 850), (80, 850)]


async def test_of_pushes_at_once_one_is_told(start_registry: StartRegistry) -> None:
    workers = [await start_registry(), await start_registry()]
    workers[0].query(lambda tx: set_bytes_limit(tx, LIMIT))
    blobs = [some_bytes(90, str(number)) for number in range(10)]
    await asyncio.gather(
        *(workers[number % 2].repository(f"app{number}").push_blob(blob) for number, blob in enumerate(blobs))
    )
    assert warned(workers[0]) == [(80, 810)]


async def test_a_push_that_is_refused_is_not_told(app: Repository, registry: Registry) -> None:
    await filled(app, registry, 700)
    large = some_bytes(301)
    refused = await app.http.post(app.path(f"blobs/uploads/?digest={digest_of(large)}"), large)
    assert (refused.status, warned(registry)) == (405, [])


async def test_a_webhook_hears_of_it_if_it_asks_for_it(app: Repository, registry: Registry) -> None:
    arm = await management(registry)
    asks = await add_webhook(arm, FULL, "push", "storage_warning")
    others = [
        await add_webhook(arm, FULL, name="hook2"),
        await add_webhook(arm, FULL, "storage_warning", name="hook3", scope="app:*"),
    ]
    await filled(app, registry, 801)
    registry.query(lambda tx: ledger.fan_out(tx, str, registry.clock()))
    (event,) = await asks.events()
    content = event["eventRequestMessage"]["content"]
    assert content["action"] == "storage_warning"
    assert content["target"] == {"percent": 80, "usedBytes": 801, "limitBytes": LIMIT}
    assert [await hook.events() for hook in others] == [[], []]
