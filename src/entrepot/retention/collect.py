"""The collector: does what is due, batch by batch, each in a short transaction, so that no push waits for it.

A link is the unit. Deletes, uploads and mounts queue reviews; a review keeps, condemns or unlinks; a blob that no
repository links leaves the catalog; its bytes are retired, and removed once nobody can be reading them. What a crash
interrupts is still in its queue.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import structlog
from sqlalchemy import Connection
from structlog.typing import FilteringBoundLogger

from entrepot.catalog.blobs import queries as blobs
from entrepot.catalog.blobs.commit import unlink_blobs
from entrepot.catalog.files import queries as files
from entrepot.catalog.files.blocks import remove_file
from entrepot.catalog.model import BlobId, BlobLink
from entrepot.catalog.uploads import queries as uploads
from entrepot.content.model import ContentStore, Piece
from entrepot.errors import Problem
from entrepot.retention import metrics, queries
from entrepot.retention.model import Decision, Doors, Link, Tally, Verdict, Waits
from entrepot.retention.pacing import Pacer
from entrepot.retention.queries import Pair
from entrepot.retention.rules import BUSY, STUCK, batch_size, decide, was_revived

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.retention")

Decided: TypeAlias = Mapping[Link, Decision]

# An object store takes tens of milliseconds for each.
_REMOVERS: Final = 8


@dataclass(frozen=True, slots=True)
class Site:
    """Where collection works: the catalog's doors, the content store beside it, the waits, the time, its pace."""

    doors: Doors
    store: ContentStore
    waits: Waits
    rate: int
    now: Callable[[], datetime]
    pause: Callable[[float], None] = time.sleep

    def pacer(self) -> Pacer:
        return Pacer(self.rate, self.pause)


class Collector:
    """Each step takes one batch of one kind of work and answers what it did; nothing when nothing was due."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._doors = site.doors
        self._store = site.store
        self._batch = batch_size(site.rate)

    def collect(self, is_stopping: Callable[[], bool], progress: Callable[[Tally], None]) -> Tally:
        """Do all that is due, kind after kind, until none is left; ``progress`` is told what was done so far."""
        steps = (self.delete_unlinked, self.review_links, self.remove_retired, self.end_uploads, self.remove_files)
        paced = [(step, self._site.pacer()) for step in steps]
        total, before = Tally(), None
        while total != before:
            before = total
            for step, pacer in paced:
                while not is_stopping() and (done := _paced(step, pacer)):
                    total += done
                    progress(total)
        return total

    # --- links and blobs ----------------------------------------------------------------------------------------------

    def review_links(self) -> Tally:
        """Keep, condemn or unlink."""
        return self._doors.write(_review_links, self._site.now(), self._site.waits, self._batch)

    def delete_unlinked(self) -> Tally:
        """Take blobs that no repository links out of the catalog; their bytes are for ``remove_retired``.

        A transaction of its own: one that also held a registry's usage could lock another collector out.
        """
        return self._doors.write(_delete_unlinked, self._site.now(), self._site.waits, self._batch)

    # --- bytes --------------------------------------------------------------------------------------------------------

    def remove_retired(self) -> Tally:
        """Remove bytes from the store, then their rows: twice is safe, and what a crash leaves is a row to repeat."""
        keys = self._doors.read(_due_keys, self._store.name, self._site.now(), self._batch)
        if not keys:
            return Tally()
        # Never so; but whoever brings it about by hand or by mistake shall not lose a blob.
        named = self._doors.read(queries.located, self._store.name, keys)
        if named:
            log.error("retired_key_in_use", keys=sorted(named))
        unnamed = [key for key in keys if key not in named]
        with ThreadPoolExecutor(_REMOVERS, thread_name_prefix="remove") as removers:
            shares = [unnamed[first::_REMOVERS] for first in range(_REMOVERS)]
            stuck = {key for some in removers.map(self._remove, shares) for key in some}
        return self._doors.write(self._settle, [key for key in keys if key not in stuck], named, stuck)

    def _remove(self, keys: list[str]) -> list[str]:
        """Remove the bytes; the keys that the store would not let go of."""
        stuck: list[str] = []
        for key in keys:
            try:
                self._store.delete(key)
            except (Problem, ValueError) as error:
                # One bad key must not stop all others for ever.
                log.warning("key_stuck", key=key, error=repr(error))
                stuck.append(key)
        return stuck

    def _settle(self, tx: Connection, gone: list[str], named: set[str], stuck: set[str]) -> Tally:
        forgotten = queries.forget_keys(tx, self._store.name, gone)
        if stuck:
            queries.retry_keys(tx, self._store.name, sorted(stuck), self._site.now() + STUCK)
        freed = [length for key, length in forgotten if key not in named]
        return Tally(freed=len(freed), freed_bytes=sum(freed), stuck=len(stuck))

    # --- uploads ------------------------------------------------------------------------------------------------------

    def end_uploads(self) -> Tally:
        """End uploads that sent nothing for long."""
        before = self._site.now() - self._site.waits.upload
        idle = self._doors.read(uploads.idle_uploads, before, self._batch)
        return sum((self._end_upload(upload_id, before) for upload_id in idle), Tally())

    def _end_upload(self, upload_id: str, before: datetime) -> Tally:
        pieces = self._store.staged_pieces(upload_id, self._doors.read(uploads.pieces_of, upload_id))
        written = self._last_written(pieces)
        if written is not None and written >= before:
            self._doors.write(uploads.touch, upload_id, min(written, self._site.now()))
            return Tally(postponed=1)
        return self._doors.write(_end_upload, upload_id, before, pieces, self._site.now())

    # --- files --------------------------------------------------------------------------------------------------------

    def remove_files(self) -> Tally:
        """Take files that have expired out of the catalog, with whatever came of those that are not whole."""
        expired = self._doors.read(files.expired_files, self._site.now(), self._batch)
        return sum((self._remove_file(file_id) for file_id in expired), Tally())

    def _remove_file(self, file_id: str) -> Tally:
        sessions = self._doors.read(files.open_sessions, file_id)
        staged = [piece for session in sessions for piece in self._store.staged_pieces(session, ())]
        return self._doors.write(_remove_file, file_id, staged, self._site.now(), self._site.waits.retired)

    def _last_written(self, pieces: Sequence[Piece]) -> datetime | None:
        """When a folder's staging file was written to: its row is not touched during one long request."""
        path = self._store.local_path(pieces)
        with suppress(FileNotFoundError):
            return None if path is None else datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return None


def _paced(step: Callable[[], Tally], pacer: Pacer) -> Tally:
    done = step()
    metrics.count(done)
    pacer.spend(done.handled)
    return done


def _review_links(tx: Connection, now: datetime, waits: Waits, limit: int) -> Tally:
    claimed = queries.claim_linked(tx, now, limit)
    if not claimed:
        return Tally()
    held = queries.hold_links(tx, claimed)
    # Read only now: what a push that we waited for, or that ended before, has changed is seen.
    decided = {link: decide(link, now, waits) for link in queries.links(tx, held)} if held else {}
    busy = dict.fromkeys(set(claimed) - set(held), now + BUSY)
    queries.review_again(tx, busy)
    for verdict in Verdict:
        chosen = {link: decision for link, decision in decided.items() if decision.verdict is verdict}
        if chosen:
            _APPLY[verdict](tx, chosen, now)
    verdicts = Counter(decision.verdict for decision in decided.values())
    return Tally(
        kept=verdicts[Verdict.KEEP],
        postponed=verdicts[Verdict.POSTPONE] + len(busy),
        condemned=verdicts[Verdict.CONDEMN],
        condemned_bytes=sum(link.size for link, decision in decided.items() if decision.verdict is Verdict.CONDEMN),
        revived=sum(map(was_revived, decided)),
        unlinked=verdicts[Verdict.UNLINK],
    )


def _keep(tx: Connection, chosen: Decided, now: datetime) -> None:
    condemned = [link.key for link in chosen if link.condemned_at is not None]
    if condemned:  # a push that names a condemned blob revives it by itself
        queries.absolve(tx, condemned)
    queries.hide_kept(tx, [link.key for link in chosen], now)
    queries.drop_reviews(tx, [link.key for link in chosen])


def _postpone(tx: Connection, chosen: Decided, _now: datetime) -> None:
    queries.review_again(tx, _dues(chosen))


def _condemn(tx: Connection, chosen: Decided, now: datetime) -> None:
    queries.condemn(tx, [link.key for link in chosen], now)
    queries.review_again(tx, _dues(chosen), Verdict.CONDEMN)


def _unlink(tx: Connection, chosen: Decided, now: datetime) -> None:
    unlink_blobs(tx, [BlobLink(link.registry, link.repository, link.blob, link.size) for link in chosen])
    queries.review_again(tx, {link.key: now for link in chosen}, Verdict.UNLINK)


_APPLY: Final[Mapping[Verdict, Callable[[Connection, Decided, datetime], None]]] = {
    Verdict.KEEP: _keep,
    Verdict.POSTPONE: _postpone,
    Verdict.CONDEMN: _condemn,
    Verdict.UNLINK: _unlink,
}


def _dues(chosen: Decided) -> dict[Pair, datetime]:
    return {link.key: decision.due for link, decision in chosen.items() if decision.due is not None}


def _delete_unlinked(tx: Connection, now: datetime, waits: Waits, limit: int) -> Tally:
    claimed = queries.claim_unlinked(tx, now, limit)
    if not claimed:
        return Tally()
    held = queries.hold_blobs(tx, sorted({blob for _, blob in claimed}))
    gone = delete_those_unlinked(tx, list(held), now + waits.retired)
    busy = dict.fromkeys([pair for pair in claimed if pair[1] not in held], now + BUSY)
    queries.review_again(tx, busy)
    queries.drop_reviews(tx, [pair for pair in claimed if pair[1] in held])
    return Tally(
        kept=sum(blob in held and blob not in gone for _, blob in claimed),
        postponed=len(busy),
        deleted=len(gone),
        deleted_bytes=sum(held[blob] for blob in gone),
    )


def delete_those_unlinked(tx: Connection, held: Sequence[BlobId], due: datetime) -> set[BlobId]:
    """Of these blobs, which are held, take those that no repository links out of the catalog; answers which."""
    gone = sorted(set(held) - queries.linked_among(tx, held))
    blobs.retire(tx, blobs.take_pieces(tx, gone), due)
    blobs.delete_blobs(tx, gone)
    return set(gone)


def _due_keys(tx: Connection, store: str, now: datetime, limit: int) -> list[str]:
    return [] if queries.is_held(tx, now) else queries.due_keys(tx, store, now, limit)


def _remove_file(tx: Connection, file_id: str, staged: Sequence[Piece], now: datetime, wait: timedelta) -> Tally:
    if not files.is_expired(tx, file_id, now):  # somebody may have found a use for it meanwhile
        return Tally(postponed=1)
    remove_file(tx, file_id, staged, now + wait)
    return Tally(files=1)


def _end_upload(tx: Connection, upload_id: str, before: datetime, pieces: Sequence[Piece], now: datetime) -> Tally:
    """Its bytes are retired in the same transaction, so that a crash leaves none behind."""
    if not uploads.delete_if_idle(tx, upload_id, before):
        return Tally()
    blobs.retire(tx, pieces, now)
    return Tally(uploads=1)
