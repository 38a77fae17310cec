"""What an import has brought so far stays, however long the rest takes.

A blob that no manifest names is collected after a while, and an image's manifest comes last. So the import says again
and again that it still wants them; when it has died, nobody does, and they go as others do.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from entrepot.catalog import queries as shared
from entrepot.catalog.blobs import queries as blobs
from entrepot.catalog.model import Place
from entrepot.jobs.run import Run


@dataclass(slots=True)
class Keeping:
    """Of one attempt. ``grace``: how long a blob may wait for a manifest that names it."""

    run: Run
    grace: timedelta
    _wanted: dict[Place, set[str]] = field(default_factory=dict[Place, set[str]])
    _due: float = 0.0

    def want(self, place: Place, digests: Iterable[str]) -> None:
        """These too, from now on."""
        self._wanted.setdefault(place, set()).update(digests)
        self._keep()

    def keep_on(self) -> None:
        """To be called often."""
        if time.monotonic() >= self._due:
            self._keep()

    def _keep(self) -> None:
        self._due = time.monotonic() + self.grace.total_seconds() / 4
        for place, digests in self._wanted.items():
            self.run.write(_link_again, place, sorted(digests), self.run.now)


def _link_again(tx: Connection, place: Place, digests: list[str], now: datetime) -> None:
    repository = shared.find_repository(tx, place)
    if repository is None:
        return
    for batch in shared.batches(digests):
        linked = blobs.linked_blobs(tx, repository.id, batch)
        blobs.link_again(tx, repository.id, sorted(each.blob_id for each in linked.values()), now)
