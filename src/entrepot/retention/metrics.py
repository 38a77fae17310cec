"""Metrics of garbage collection. Counted by whichever process collects; the server's ``/metrics`` sums them."""

from datetime import datetime
from typing import Final

from prometheus_client import Counter, Gauge

from entrepot.retention.model import Tally
from entrepot.retention.queries import Waiting

REVIEWS: Final = Counter("entrepot_gc_reviews", "Links of blobs that were looked at, by what was decided.", ["verdict"])
DELETED: Final = Counter("entrepot_gc_deleted_blobs", "Blobs deleted from the catalog; their bytes go later.")
FREED: Final = Counter("entrepot_gc_freed_bytes", "Bytes removed from the content store.")
STUCK: Final = Counter("entrepot_gc_stuck_keys", "Keys that the content store did not remove when it was asked to.")
ENDED: Final = Counter("entrepot_gc_ended_uploads", "Abandoned uploads that were ended.")
EXTRA: Final = Counter("entrepot_gc_extra_keys", "Keys of the content store that the catalog did not know.")
QUEUE: Final = Gauge("entrepot_gc_queue_due", "What is due.", ["queue"], multiprocess_mode="livemostrecent")
OLDEST: Final = Gauge(
    "entrepot_gc_queue_oldest_seconds",
    "For how long the oldest has been due.",
    ["queue"],
    multiprocess_mode="livemostrecent",
)


def count(done: Tally) -> None:
    """Add what a step did."""
    for verdict in ("kept", "postponed", "condemned", "revived", "unlinked"):
        if getattr(done, verdict):
            REVIEWS.labels(verdict).inc(getattr(done, verdict))
    DELETED.inc(done.deleted)
    FREED.inc(done.freed_bytes)
    STUCK.inc(done.stuck)
    ENDED.inc(done.uploads)
    EXTRA.inc(done.extra)


def show(queue: str, waiting: Waiting, now: datetime) -> None:
    """Tell how much waits."""
    QUEUE.labels(queue).set(waiting.due)
    OLDEST.labels(queue).set(0 if waiting.oldest is None else (now - waiting.oldest).total_seconds())
