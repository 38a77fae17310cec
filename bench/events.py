"""Events for Entrepot's webhooks: thousands of pushes that nobody was told of yet, as rows, and who asks for them.

Past HTTP, since pushing them would take longer than telling of them. Each is a copy of one that a real push made.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from bench.images import make_image
from bench.model import Shelf
from bench.registry import put_image
from entrepot.app.secret_key import open_sealer
from entrepot.db.database import Database, open_database
from entrepot.db.management_tables import delivery
from entrepot.db.tables import event, registry, repository
from entrepot.settings import Settings
from entrepot.webhooks.model import Receiver, Schema, Status
from entrepot.webhooks.queries import Values, insert_webhook
from entrepot.webhooks.rules import purpose_of

REPOSITORIES: Final = 20
LAYER_BYTES: Final = 512
BATCH: Final = 250
WEBHOOK: Final = "bench"
_PREFIX: Final = "bench/told-"


class EntrepotEvents:
    """Makes them, and tells how many wait to be told."""

    def __init__(self, data: Path, database_url: str | None, shelf: Shelf, uri: str) -> None:
        self._data, self._database_url, self._shelf, self._uri = data, database_url, shelf, uri
        self._is_ready = False

    def make(self, count: int) -> None:
        database = open_database(self._database_url, self._data)
        try:
            if not self._is_ready:
                self._begin(database)
            each = count // REPOSITORIES
            for done in range(0, each, BATCH):
                database.write(_insert, min(BATCH, each - done))
        finally:
            database.close()

    def remaining(self) -> int:
        database = open_database(self._database_url, self._data)
        try:
            return database.read(_waiting)
        finally:
            database.close()

    def _begin(self, database: Database) -> None:
        for number in range(REPOSITORIES):
            put_image(self._shelf, f"{_PREFIX}{number}", "latest", make_image((LAYER_BYTES,)))
        database.write(_add_webhook, self._data, self._uri)
        self._is_ready = True


def _add_webhook(tx: Connection, data: Path, uri: str) -> None:
    registry_id = tx.execute(select(registry.c.id).where(registry.c.name == "local")).scalar_one()
    receiver = msgspec.json.encode(Receiver(uri)).decode()
    sealed = open_sealer(Settings(data_dir=data)).seal(receiver, purpose_of(registry_id, WEBHOOK))
    values = Values(Status.ENABLED, "", '["push"]', Schema.CONTAINER_REGISTRY, "{}", sealed, datetime.now(UTC))
    insert_webhook(tx, registry_id, WEBHOOK, "local", values)


def _insert(tx: Connection, count: int) -> None:
    """So many for each repository."""
    now = datetime.now(UTC) + timedelta(seconds=1)
    places = tx.execute(
        select(repository.c.id, repository.c.sequence).where(repository.c.name.startswith(_PREFIX))
    ).all()
    for place in places:
        newest = select(event).where(event.c.repository_id == place.id, event.c.sequence == place.sequence)
        last = tx.execute(newest).mappings().one()
        fresh = {"at": now, "fanned_at": None}
        rows = [
            {**last, **fresh, "id": uuid4().hex, "sequence": place.sequence + number + 1} for number in range(count)
        ]
        tx.execute(insert(event), rows)
        tx.execute(update(repository).where(repository.c.id == place.id).values(sequence=place.sequence + count))


def _waiting(tx: Connection) -> int:
    events = select(func.count()).where(event.c.fanned_at.is_(None))
    deliveries = select(func.count()).where(delivery.c.ended_at.is_(None))
    return int(tx.execute(events).scalar_one()) + int(tx.execute(deliveries).scalar_one())
