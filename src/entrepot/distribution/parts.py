"""What the handlers of /v2 work with, besides the call."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from entrepot.caching.images.pulling import Cache
from entrepot.catalog.manifests.commit import Sparse
from entrepot.content.hashes import RunningHashes
from entrepot.content.model import ContentStore

_PULLS_KEPT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take. ``unlinked_grace``: how long a blob may wait for its manifest."""

    blob_bytes: int
    uploads_per_principal: int
    idle_seconds: float
    unlinked_grace: timedelta


class Pulls:
    """When each manifest was pulled last, gathered here so that a pull writes nothing (DESIGN D13)."""

    def __init__(self) -> None:
        self._latest: dict[int, datetime] = {}

    def note(self, manifest_id: int, now: datetime) -> None:
        if len(self._latest) < _PULLS_KEPT or manifest_id in self._latest:
            self._latest[manifest_id] = now

    def take(self) -> dict[int, datetime]:
        """What was gathered since the last time."""
        taken, self._latest = self._latest, {}
        return taken


class Parts:
    """One per worker process."""

    def __init__(self, store: ContentStore, limits: Limits, sparse: Sparse, cache: Cache) -> None:
        self.store = store
        self.limits = limits
        self.sparse = sparse
        self.cache = cache
        self.hashes = RunningHashes()
        self.pulls = Pulls()
