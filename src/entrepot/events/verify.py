"""Whether an audit log is what it was: every entry against the chain, the chain against its checkpoints.

Entries are looked at as they come, so memory does not grow with the log.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from entrepot.events.chain import START, Checkpoint, Link, Notary, Tip, hash_of


class Fault(StrEnum):
    """What can have happened to a log."""

    ADDED = "added"
    CHANGED = "changed"
    MISSING = "missing"
    CUT = "cut"
    REWRITTEN = "rewritten"
    FORGED = "forged"


class Finding(NamedTuple):
    """A fault, at which entry, and what that means."""

    fault: Fault
    sequence: int
    meaning: str


@dataclass
class Looked:
    """What has been looked at so far."""

    entries: int = 0
    tip: Tip = START
    newest: Checkpoint | None = None


def beginning_of(checkpoints: Iterable[Checkpoint], notary: Notary) -> Tip:
    """After which entry the chain begins: its start, or where it was last pruned up to."""
    begins = [each for each in checkpoints if each.is_beginning and notary.is_genuine(each)]
    return max((Tip(each.sequence, each.hash) for each in begins), default=START)


class Verification:
    """One look at a log: its checkpoints, from the catalog and from where they are kept apart."""

    def __init__(self, checkpoints: Sequence[Checkpoint], notary: Notary) -> None:
        self._checkpoints = checkpoints
        self._notary = notary
        self._signed: dict[int, str] = {}
        self.beginning = beginning_of(checkpoints, notary)
        self.looked = Looked(tip=self.beginning)

    def findings(self, links: Iterable[Link]) -> Iterator[Finding]:
        """Every fault: of the checkpoints, then of the entries, which come in the order of their numbers."""
        yield from self._forged()
        for link in links:
            yield from self._look(link)
        yield from self._cut()

    def _forged(self) -> Iterator[Finding]:
        for checkpoint in self._checkpoints:
            if not self._notary.is_genuine(checkpoint):
                meaning = f"the checkpoint at entry {checkpoint.sequence} was not signed by this deployment"
                yield Finding(Fault.FORGED, checkpoint.sequence, meaning)
            elif checkpoint.sequence >= self.beginning.sequence:
                yield from self._keep(checkpoint)

    def _keep(self, checkpoint: Checkpoint) -> Iterator[Finding]:
        known = self._signed.setdefault(checkpoint.sequence, checkpoint.hash)
        is_other = known != checkpoint.hash
        if is_other or (checkpoint.sequence == self.beginning.sequence and checkpoint.hash != self.beginning.hash):
            yield Finding(Fault.REWRITTEN, checkpoint.sequence, "two genuine checkpoints of it do not agree")
        if self.looked.newest is None or checkpoint.sequence >= self.looked.newest.sequence:
            self.looked.newest = checkpoint

    def _look(self, link: Link) -> Iterator[Finding]:
        before, (entry, kept) = self.looked.tip, link
        if entry.sequence <= self.beginning.sequence:
            meaning = f"entry {entry.sequence} was put in: the log was pruned up to {self.beginning.sequence}"
            yield Finding(Fault.ADDED, entry.sequence, meaning)
            return
        first = before.sequence + 1
        if entry.sequence != first:
            last = entry.sequence - 1
            meaning = f"entry {first} is gone" if first == last else f"the entries {first} to {last} are gone"
            yield Finding(Fault.MISSING, first, meaning)
        elif hash_of(before.hash, entry) != kept:
            meaning = f"entry {entry.sequence} is not what was chained: it was changed, put in or moved"
            yield Finding(Fault.CHANGED, entry.sequence, meaning)
        signed = self._signed.get(entry.sequence)
        if signed is not None and signed != kept:
            meaning = f"the log up to entry {entry.sequence} is not what the checkpoint of it signed"
            yield Finding(Fault.REWRITTEN, entry.sequence, meaning)
        self.looked.entries += 1
        # On from what is kept, so that one fault is not found again in every entry after it.
        self.looked.tip = Tip(entry.sequence, kept or "")

    def _cut(self) -> Iterator[Finding]:
        newest, last = self.looked.newest, self.looked.tip.sequence
        if newest is not None and newest.sequence > last:
            meaning = f"the log ends with entry {last}, and a checkpoint was signed at entry {newest.sequence}"
            yield Finding(Fault.CUT, last + 1, meaning)
