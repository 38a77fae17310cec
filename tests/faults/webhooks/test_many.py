"""A hundred thousand events that wait, and a receiver that is fast. FAULT_EVENTS sets how many there are."""

import json
import os
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection, insert, select, update
from tests.content import an_image
from tests.faults.here import until
from tests.faults.webhooks.conftest import Yard, settled
from tests.integration.webhooks.receivers import add_webhook
from tests.management import management
from tests.registry import Registry
from tests.services import reserved_port

from entrepot.db.tables import event, repository

EVENTS = int(os.environ.get("FAULT_EVENTS", "2000"))
REPOSITORIES = 20
BATCH = 10_000
# What a worker may need more at the end than after its first calls.
GROWTH = 32 * 1024 * 1024


def make_events(tx: Connection, count: int, first: int) -> None:
    """Copies of each repository's last event, one after the other, each of a tag of its own."""
    for place in tx.execute(select(repository.c.id, repository.c.sequence)).all():
        last = tx.execute(
            select(event).where(event.c.repository_id == place.id, event.c.sequence == place.sequence)
        ).one()
        body = json.loads(last.body)
        rows = [
            {
                **last._asdict(),
                "sequence": last.sequence + number + 1,
                "id": uuid4().hex,
                "at": last.at + timedelta(seconds=1),
                "fanned_at": None,
                "body": json.dumps({**body, "tags": [f"v{first + number}"]}),
            }
            for number in range(count)
        ]
        tx.execute(insert(event), rows)
        tx.execute(update(repository).where(repository.c.id == place.id).values(sequence=last.sequence + count))


def used_bytes(pid: int | None) -> int:
    """Its own memory: SQLite maps up to 256 MiB of its file, which the kernel takes back as it likes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


@pytest.mark.timeout(300 + EVENTS // 8)
async def test_many_events_are_told_in_order_and_in_bounded_memory(registry: Registry, yard: Yard) -> None:
    arm, image, each = await management(registry), an_image(), EVENTS // REPOSITORIES
    for number in range(REPOSITORIES):
        await registry.repository(f"team/app-{number}").push(image)
    registry.clock.advance(seconds=0.5)
    for first in range(0, each, BATCH // REPOSITORIES):
        registry.query(lambda tx, first=first: make_events(tx, min(BATCH // REPOSITORIES, each - first), first))
    with reserved_port() as port:
        hook = await add_webhook(arm, f"http://127.0.0.1:{port}/hook", "push")
        yard.receiver(port, "one")
        worker = yard.worker()
        await until(lambda: yard.count("one") > EVENTS // 10, "it has begun")
        before = used_bytes(worker.pid)
        await until(
            lambda: yard.count("one") >= EVENTS and len(yard.heard("one", "hook").ids()) == EVENTS,
            "all were heard of",
            60 + EVENTS / 10,
        )
        assert used_bytes(worker.pid) - before < GROWTH
    heard = yard.heard("one", "hook")
    expected = {f"team/app-{number}": [f"v{at}" for at in range(each)] for number in range(REPOSITORIES)}
    assert heard.first_times() == expected
    await settled(hook)
