"""The pause between two turns of a worker: over at once when something was committed, as far as the catalog tells."""

import threading
import time
from typing import Final

from entrepot.db.changes import Changes
from entrepot.db.database import Database

# How often it is asked for.
_GLANCE: Final = 0.05
# So many turns may follow on changes at once; a server that is always written to has as many as an idle one.
_BURST: Final = 5.0


class Notice:
    """``look``: seconds after which a worker looks all the same where nothing is told of changes; else it takes
    ``_BURST`` times as long. For one thread.
    """

    def __init__(self, database: Database, look: float) -> None:
        self._changes = Changes(database)
        self._look = look
        self._left, self._counted = _BURST, time.monotonic()

    @property
    def idle(self) -> float:
        """Seconds to wait while nothing waits."""
        return self._look * _BURST if self._changes.is_known else self._look

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        """Whether it was told to stop. Raises CATALOG_UNAVAILABLE."""
        if not self._changes.is_known:
            return stop.wait(seconds)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if stop.wait(min(_GLANCE, left)):
                return True
            if self._may_hurry() and self._changes.since():
                self._left -= 1
                return False
        return stop.is_set()

    def _may_hurry(self) -> bool:
        now = time.monotonic()
        self._left = min(_BURST, self._left + (now - self._counted) / self._look)
        self._counted = now
        return self._left >= 1

    def close(self) -> None:
        self._changes.close()
