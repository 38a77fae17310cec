"""Entries get their numbers and their place in the chain, checkpoints are signed, and what is too old is pruned.

One at a time does this: a run of the job worker, which loses its doors when another takes over (DESIGN D7).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

import structlog
from sqlalchemy import Connection
from structlog.typing import FilteringBoundLogger

from entrepot.auditing import checkpoint_file
from entrepot.events import queries
from entrepot.events.chain import START, Checkpoint, Link, Notary, Tip, hash_of
from entrepot.events.queries import Standing

P = ParamSpec("P")
T = TypeVar("T")

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.auditing")

_BATCH: Final = 500  # one transaction: SQLite has one writer, and pushes wait for it


class Doors(Protocol):
    """The catalog's doors: a database's own, or those of a run, which open only while the run is in its hands."""

    def read(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
    def write(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


@dataclass(frozen=True, slots=True)
class Habits:
    """When a checkpoint is due, and how long entries are kept; ``exports`` have to have what is pruned."""

    entries: int = 1000
    seconds: float = 300.0
    keep: timedelta | None = None
    exports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chainer:
    """Works on one audit log. ``path`` is the file where checkpoints are kept apart."""

    doors: Doors
    notary: Notary
    path: Path
    now: Callable[[], datetime]
    habits: Habits

    def chain(self) -> int:
        """Chain what waits, with a checkpoint wherever one is due. Answers how many entries."""
        chained = 0
        while (standing := self.doors.read(queries.standing)).is_behind:
            chained += self.doors.write(chain_batch, _BATCH)
            self._checkpoint_if_due(self.doors.read(queries.standing))
        self._checkpoint_if_due(standing)
        return chained

    def checkpoint(self) -> None:
        """Sign where the chain is, unless that is signed already."""
        made = self.doors.write(_sign_tip, self.notary, self.now())
        if made is not None:
            self._keep_apart(made)

    def prune(self) -> int:
        """Delete what is older than it is kept, from one checkpoint to the next. Answers how many entries."""
        if self.habits.keep is None:
            return 0
        before, pruned, last = self.now() - self.habits.keep, 0, None
        while (step := self.doors.write(self._prune_step, before)) is not None:
            last, count = step
            pruned += count
        if last is not None:
            self._keep_apart(last)
            log.info("audit_pruned", entries=pruned, begins_after=last.sequence)
        return pruned

    def _checkpoint_if_due(self, standing: Standing) -> None:
        signed = standing.signed
        unsigned = standing.tip.sequence - (0 if signed is None else signed.sequence)
        is_old = signed is None or (self.now() - signed.at).total_seconds() >= self.habits.seconds
        if unsigned >= self.habits.entries or (unsigned and is_old):
            self.checkpoint()

    def _prune_step(self, tx: Connection, before: datetime) -> tuple[Checkpoint, int] | None:
        exported = min((queries.exported_to(tx, name) for name in self.habits.exports), default=None)
        found = queries.oldest_prunable(tx, before, exported)
        if found is None:
            return None
        beginning = self.notary.sign(Tip(found.sequence, found.hash), found.at, is_beginning=True)
        return beginning, queries.begin_after(tx, beginning)

    def _keep_apart(self, checkpoint: Checkpoint) -> None:
        """In the file, and in the log, which often goes to another machine."""
        told = {"hash": checkpoint.hash, "kid": checkpoint.kid, "signature": checkpoint.signature}
        log.info("audit_checkpoint", sequence=checkpoint.sequence, at=checkpoint.at.isoformat(), **told)
        try:
            checkpoint_file.append(self.path, checkpoint)
        except OSError as error:
            log.error("audit_checkpoint_not_kept", path=str(self.path), reason=error.strerror)  # noqa: TRY400  no bug


def chain_batch(tx: Connection, count: int) -> int:
    """Number and chain the next entries. All or nothing, so whoever does it again goes on from where the chain is."""
    sequence, before = queries.tip(tx)
    links: list[Link] = []
    for entry in queries.unchained(tx, sequence + 1, count):
        before = hash_of(before, entry)
        links.append(Link(entry, before))
    queries.chain(tx, links)
    return len(links)


def _sign_tip(tx: Connection, notary: Notary, now: datetime) -> Checkpoint | None:
    tip, last = queries.tip(tx), queries.last_checkpoint(tx)
    if tip == START or (last is not None and last.sequence >= tip.sequence):
        return None
    made = notary.sign(tip, now, is_beginning=False)
    queries.insert_checkpoint(tx, made)
    return made
