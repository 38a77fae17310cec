"""Decisions of garbage collection, from values alone."""

import re
from datetime import datetime, timedelta
from typing import Final

from entrepot.content.model import StoredKey
from entrepot.retention.model import Decision, Link, Verdict, Waits

# How soon to look again at what a push or another collector holds at this moment.
BUSY: Final = timedelta(minutes=1)
# How soon to try again bytes that the store would not remove.
STUCK: Final = timedelta(hours=1)
# One transaction: about 20 ms of SQLite's one writer. Fewer cost more, and pushes wait no less (decisions/0005).
_BATCH: Final = 200
_SESSION_AT_END: Final = re.compile(r"\.([0-9a-f]{32})$")
# Fewer unknown keys than this are what crashes leave behind.
_FEW: Final = 10
_SHARE: Final = 10


def decide(link: Link, now: datetime, waits: Waits) -> Decision:
    """What becomes of a link whose review is due.

    Whatever a manifest of its repository names stays. The rest is first condemned, so that a pusher who asks for it
    sends it again and one who names it all the same revives it, and goes only after that wait.
    """
    if link.is_needed:
        return Decision(Verdict.KEEP)
    if link.condemned_at is not None:
        over = link.condemned_at + waits.condemned
        return Decision(Verdict.UNLINK, now) if over <= now else Decision(Verdict.POSTPONE, over)
    ripe = link.linked_at + waits.unlinked
    if ripe > now:
        return Decision(Verdict.POSTPONE, ripe)
    return Decision(Verdict.CONDEMN, now + waits.condemned)


def was_revived(link: Link) -> bool:
    """Whether the link was condemned and something saved it."""
    return link.is_needed and (link.condemned_at is not None or link.reason == Verdict.CONDEMN)


def batch_size(rate: int) -> int:
    """How many at once: so few that a push waits for milliseconds, and a tenth of a second's worth at low rates."""
    return max(1, min(_BATCH, rate // 10))


def seconds_between_rounds(waits: Waits) -> int:
    """How often to look for what is due: a tenth of the shortest wait, and within a minute."""
    shortest = min(waits.unlinked, waits.condemned, waits.retired)
    return int(min(60, max(1, shortest.total_seconds() / 10)))


def seconds_between_sweeps(waits: Waits) -> int:
    """How often to walk the whole store: once a day, more often only where uploads are kept for less."""
    return int(min(86_400, max(10, waits.upload.total_seconds())))


def session_of(stored: StoredKey) -> str | None:
    """The upload that made the key: as the store says, or as the folder store writes it at the end of a file's name."""
    found = _SESSION_AT_END.search(stored.key)
    return stored.session or (found[1] if found else None)


def may_sweep(known: int, extra: int) -> bool:
    """Whether so many keys that the catalog does not know can be what crashes left behind.

    A server that was started with the wrong catalog, or with an old backup of it, must not take the store for garbage.
    """
    return known > 0 and extra <= max(_FEW, known // _SHARE)
