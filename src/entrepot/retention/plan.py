"""What collection would do now: the same decisions, and nothing written."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from entrepot.catalog.files.queries import count_expired
from entrepot.catalog.model import BlobId
from entrepot.retention import queries
from entrepot.retention.collect import Site
from entrepot.retention.model import Link, Tally, Verdict, Waits
from entrepot.retention.rules import decide

_BLOBS: Final = 500


def plan(site: Site) -> Tally:
    """How much would be condemned, unlinked, deleted and freed at once; uploads and repositories are at most so many.

    What is deleted is freed only after its wait.
    """
    now = site.now()
    total = Tally()
    above = 0
    while found := site.doors.read(queries.due_blobs, now, above, _BLOBS):
        total += site.doors.read(_plan_blobs, found, now, site.waits)
        above = max(found)
    freed, freed_bytes = site.doors.read(queries.due_bytes, site.store.name, now)
    return total + Tally(
        freed=freed,
        freed_bytes=freed_bytes,
        files=site.doors.read(count_expired, now),
        uploads=site.doors.read(queries.count_idle, now - site.waits.upload),
        repositories=site.doors.read(queries.count_empty, now - site.waits.unlinked),
    )


def _plan_blobs(tx: Connection, sizes: dict[BlobId, int], now: datetime, waits: Waits) -> Tally:
    staying: set[BlobId] = set()
    total = Tally()
    for link in queries.links_of(tx, list(sizes)):
        verdict = _verdict(link, now, waits)
        total += _counted(link, verdict)
        if verdict is not Verdict.UNLINK:
            staying.add(link.blob)
    gone = [size for blob, size in sizes.items() if blob not in staying]
    return total + Tally(deleted=len(gone), deleted_bytes=sum(gone))


def _verdict(link: Link, now: datetime, waits: Waits) -> Verdict | None:
    """None for a link that nobody would look at now."""
    if link.review_due is None or link.review_due > now:
        return None
    return decide(link, now, waits).verdict


def _counted(link: Link, verdict: Verdict | None) -> Tally:
    match verdict:
        case Verdict.KEEP:
            return Tally(kept=1)
        case Verdict.POSTPONE:
            return Tally(postponed=1)
        case Verdict.CONDEMN:
            return Tally(condemned=1, condemned_bytes=link.size)
        case Verdict.UNLINK:
            return Tally(unlinked=1)
        case None:
            return Tally()
