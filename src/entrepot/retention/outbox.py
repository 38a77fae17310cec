"""The outbox's history: rows of what happened go when they are old and everybody who follows them has taken them up.

A repository's numbers go on in its own row, so no event gets a number again.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from entrepot.retention import queries
from entrepot.retention.model import Doors

# One transaction: SQLite has one writer, and pushes wait for it.
_AT_ONCE: Final = 500


def forget_events(doors: Doors, before: datetime, stopping: Callable[[], bool]) -> int:
    """Delete what happened before then, a few rows at a time; how many."""
    forgotten = 0
    while not stopping():
        some = doors.write(queries.forget_events, before, _AT_ONCE)
        forgotten += some
        if some < _AT_ONCE:
            break
    return forgotten
