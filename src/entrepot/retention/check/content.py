"""The store against the catalog: what is missing, what is wrong, what is extra."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import partial
from typing import Final

from sqlalchemy import Connection

from entrepot.catalog.blobs.queries import mark_sound
from entrepot.content.model import Piece, StoredKey
from entrepot.errors import Problem
from entrepot.oci.digest import Digest
from entrepot.retention.check import queries
from entrepot.retention.check.model import CheckedBlob, CheckedBlock, Fault, Finding, Looked, Repair
from entrepot.retention.check.queries import Window
from entrepot.retention.collect import Site
from entrepot.retention.pacing import Pacer
from entrepot.retention.sweep import find_extra, in_batches, retire_extra

_WALKED: Final = 500
# Between two looks at what seems to be extra: what a request has in hand is told to the catalog by then.
_LOOK_AGAIN_SECONDS: Final = 0.5
# How stores tell that a key is not there: a folder its errno, an object store the name of what was raised.
_NOT_THERE: Final = frozenset({"ENOENT", "FileNotFoundError", "NotFoundError"})
# The same for a key that holds less than it should.
_SHORT: Final = "ShortObject"
_IO_ERROR: Final = "EIO"


class State(Enum):
    """What a blob's bytes turned out to be."""

    SOUND = auto()
    MISSING = auto()
    WRONG = auto()
    UNREADABLE = auto()


_FAULTS: Final = {State.MISSING: Fault.MISSING, State.WRONG: Fault.WRONG, State.UNREADABLE: Fault.UNREADABLE}
_WORTHLESS: Final = frozenset({State.MISSING, State.WRONG})


@dataclass(frozen=True, slots=True)
class Inspector:
    """Looks at the bytes of blobs; ``pacer`` is spent by the byte, None to look only whether they are there."""

    site: Site
    pacer: Pacer | None
    looked: Looked

    def check(self, window: Window) -> Iterator[Finding]:
        """Blobs whose bytes are not what the catalog says."""
        for blob in self.site.doors.read(queries.blobs_in, window):
            self.looked.blobs += 1
            if any(piece.store != self.site.store.name for piece in blob.pieces):
                self.looked.elsewhere += 1
                continue
            finding = self._check(blob)
            if finding is not None:
                yield finding

    def check_blocks(self, blocks: Sequence[CheckedBlock]) -> Iterator[Finding]:
        """Parts of files whose bytes are not what the catalog says. Nobody pushes a log again: they stay as they are
        until somebody looks or the file expires.
        """
        for block in blocks:
            self.looked.files += 1
            if any(piece.store != self.site.store.name for piece in block.pieces):
                self.looked.elsewhere += 1
            elif (state := self._state_of_block(block)) is not State.SOUND:
                detail = {"size": block.size, "keys": ", ".join(piece.key for piece in block.pieces)}
                yield Finding(_FAULTS[state], f"file {block.file}", detail)

    def _state_of_block(self, block: CheckedBlock) -> State:
        """Looked at again when it seems wrong: it may have been removed meanwhile."""
        state = self.inspect(block)
        if state is State.SOUND or self.site.doors.read(queries.find_block, block.session) is None:
            return State.SOUND
        return self.inspect(block)

    def _check(self, blob: CheckedBlob) -> Finding | None:
        state = self.inspect(blob)
        if _agrees(blob, state):
            return None
        again = self.site.doors.read(queries.find_blob, blob.id)
        if again is None or again.digest != blob.digest:  # collected meanwhile
            return None
        state = self.inspect(again)
        return None if _agrees(again, state) else self._finding(again, state)

    def inspect(self, blob: CheckedBlob | CheckedBlock) -> State:
        """Whether all bytes are there, and right if they are to be read."""
        if sum(piece.length for piece in blob.pieces) != blob.size:
            return State.MISSING
        try:
            for piece in blob.pieces:
                self._last_byte(piece)
            if self.pacer is not None and self._hash(blob, self.pacer) != blob.digest:
                return State.WRONG
        except Problem as problem:
            return self._state_of(blob, problem)
        return State.SOUND

    def _state_of(self, blob: CheckedBlob | CheckedBlock, problem: Problem) -> State:
        told = {str(value) for value in problem.detail.values()}
        # A folder says EIO of a disk's fault and of a short file; the latter it would not hand out as a file either.
        is_short = _SHORT in told or (_IO_ERROR in told and self.site.store.local_path(blob.pieces) is None)
        return State.MISSING if is_short or told & _NOT_THERE else State.UNREADABLE

    def _last_byte(self, piece: Piece) -> None:
        """Raises what the store raises when the key is not there or holds less."""
        for _ in self.site.store.read((piece,), piece.length - 1, piece.length):
            pass

    def _hash(self, blob: CheckedBlob | CheckedBlock, pacer: Pacer) -> str:
        digest = Digest.parse(blob.digest)
        running = digest.hasher()
        for chunk in self.site.store.read(blob.pieces, 0, blob.size):
            running.update(chunk)
            self.looked.hashed_bytes += len(chunk)
            pacer.spend(len(chunk))
        return str(Digest(digest.algorithm, running.hexdigest()))

    def _finding(self, blob: CheckedBlob, state: State) -> Finding:
        detail = {"size": blob.size, "keys": ", ".join(piece.key for piece in blob.pieces)}
        if blob.is_corrupt and state is State.SOUND and self.pacer is not None:
            return Finding(Fault.SOUND, blob.digest, detail, partial(_absolve, blob=blob))
        if blob.is_corrupt:  # or its bytes are there, and were not read
            return Finding(Fault.CORRUPT, blob.digest, detail)
        repair = partial(_quarantine, blob=blob, now=self.site.now()) if state in _WORTHLESS else None
        return Finding(_FAULTS[state], blob.digest, detail, repair)


def _agrees(blob: CheckedBlob, state: State) -> bool:
    return state is State.SOUND and not blob.is_corrupt


def _quarantine(tx: Connection, blob: CheckedBlob, now: datetime) -> None:
    """From now on the blob is unknown to whoever asks, and the next push of its digest brings new bytes."""
    if queries.hold_blob(tx, blob.id) == blob:
        queries.mark_corrupt(tx, blob.id, now)


def _absolve(tx: Connection, blob: CheckedBlob) -> None:
    if queries.hold_blob(tx, blob.id) == blob:
        mark_sound(tx, blob.id)


def extra_keys(site: Site, looked: Looked) -> Iterator[Finding]:
    """Keys that nothing names and no open upload made. Younger ones than an upload may be are only counted."""
    young_after = site.now() - site.waits.upload
    for batch in in_batches(site.store.walk(), _WALKED):
        looked.keys += len(batch)
        for stored in _extra_among(site, batch):
            if stored.modified >= young_after:
                looked.young += 1
                looked.young_bytes += stored.length
            else:
                detail = {"size": stored.length, "modified": stored.modified.isoformat()}
                yield Finding(Fault.EXTRA, stored.key, detail, _retiring(site, stored))


def _extra_among(site: Site, batch: list[StoredKey]) -> list[StoredKey]:
    suspect = site.doors.read(find_extra, site.store.name, batch)
    if not suspect:
        return []
    site.pause(_LOOK_AGAIN_SECONDS)
    still = site.doors.read(find_extra, site.store.name, suspect)
    return [stored for stored in still if is_there(site, stored)]


def is_there(site: Site, stored: StoredKey) -> bool:
    """Whether something lies under the key; asked for a byte that it need not have."""
    try:
        for _ in site.store.read((Piece(site.store.name, stored.key, max(stored.length, 1)),), 0, 1):
            pass
    except Problem as problem:
        return not {str(value) for value in problem.detail.values()} & _NOT_THERE
    return True


def _retiring(site: Site, stored: StoredKey) -> Repair:
    def retire(tx: Connection) -> None:
        retire_extra(tx, site.store.name, [stored], site)

    return retire


def holds_anything(site: Site) -> bool:
    """Whether any bytes that the catalog names are in the store; if not, it is another store or not mounted."""
    return any(
        site.doors.read(queries.any_located, site.store.name, [stored.key for stored in batch])
        for batch in in_batches(site.store.walk(), _WALKED)
    )
