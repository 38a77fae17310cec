"""The sweep: finds what crashes left behind and no queue knows.

Staging files and objects without an upload, committed bytes that never reached the catalog, repositories in which
nothing is. No bytes are removed here: the whole store is looked at twice, what nobody knows is retired, and looked at
once more before it goes.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import structlog
from sqlalchemy import Connection
from structlog.typing import FilteringBoundLogger

from entrepot.catalog.blobs import queries as blobs
from entrepot.content.model import Piece, StoredKey
from entrepot.retention import metrics, queries
from entrepot.retention.collect import Site
from entrepot.retention.model import Tally
from entrepot.retention.rules import may_sweep, session_of

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.retention")

# Keys of one look into the catalog: a read, which no push waits for.
_LOOK: Final = 500
_REPOSITORIES: Final = 20
_HISTORY: Final = 1000


class Sweeper:
    """Walks the store and the repositories, slowly."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._store = site.store

    def sweep(self, is_stopping: Callable[[], bool]) -> Tally:
        """Both walks."""
        done = self.retire_extra(is_stopping) + self.remove_empty(is_stopping)
        metrics.count(done)
        return done

    def retire_extra(self, is_stopping: Callable[[], bool]) -> Tally:
        """Retire what lies in the store for long and nobody knows, unless that is too much to be true."""
        extra = total = 0
        for batch in self._old_keys(is_stopping):
            total += len(batch)
            extra += len(self.extra_among(batch))
        if not extra:
            return Tally()
        if not may_sweep(total - extra, extra):
            log.error("sweep_refused", extra=extra, known=total - extra, remedy="entrepot check")
            return Tally()
        return sum((self._retire(self.extra_among(batch)) for batch in self._old_keys(is_stopping)), Tally())

    def extra_among(self, stored: list[StoredKey]) -> list[StoredKey]:
        """Of these keys the ones that neither the catalog names nor an open upload made."""
        return self._site.doors.read(find_extra, self._store.name, stored)

    def _old_keys(self, is_stopping: Callable[[], bool]) -> Iterator[list[StoredKey]]:
        before = self._site.now() - self._site.waits.upload
        pacer = self._site.pacer()
        for batch in in_batches(self._store.walk(), _LOOK):
            if is_stopping():
                return
            old = [stored for stored in batch if stored.modified < before]
            if old:
                yield old
            pacer.spend(len(batch))

    def _retire(self, extra: list[StoredKey]) -> Tally:
        if not extra:
            return Tally()
        log.warning("extra_keys_retired", keys=[stored.key for stored in extra])
        retired = self._site.doors.write(retire_extra, self._store.name, extra, self._site)
        return Tally(extra=len(retired), extra_bytes=sum(stored.length for stored in retired))

    def remove_empty(self, is_stopping: Callable[[], bool]) -> Tally:
        """Remove repositories in which nothing has been for as long as a blob may wait for its manifest."""
        total = Tally()
        while not is_stopping():
            removed = self._site.doors.write(_remove_empty, self._site)
            if removed is None:
                break
            total += Tally(repositories=removed)
        return total


def in_batches(keys: Iterator[StoredKey], size: int) -> Iterator[list[StoredKey]]:
    while batch := list(islice(keys, size)):
        yield batch


def find_extra(tx: Connection, store: str, stored: list[StoredKey]) -> list[StoredKey]:
    """Of these keys the ones that neither the catalog names nor an open upload made."""
    sessions = {session for one in stored if (session := session_of(one)) is not None}
    known = queries.known(tx, store, [one.key for one in stored], sorted(sessions))
    return [one for one in stored if one.key not in known.keys and session_of(one) not in known.sessions]


def retire_extra(tx: Connection, store: str, stored: list[StoredKey], site: Site) -> list[StoredKey]:
    """Retire those that still nobody knows; their bytes go after the wait for retired ones."""
    extra = find_extra(tx, store, stored)
    pieces = [Piece(store, one.key, one.length) for one in extra]
    blobs.retire(tx, pieces, site.now() + site.waits.retired)
    return extra


def _remove_empty(tx: Connection, site: Site) -> int | None:
    """How many went; None when there is none to go. Those with a long history take several transactions."""
    before = site.now() - site.waits.unlinked
    held = queries.claim_empty(tx, before, _REPOSITORIES)
    empty = queries.still_empty(tx, held) if held else []
    if not empty:
        return None
    if queries.delete_history(tx, empty, _HISTORY) == _HISTORY:
        return 0
    queries.delete_repositories(tx, empty)
    return len(empty)
