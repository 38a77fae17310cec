"""What a web worker has seen that changes nothing, until it is written: sign-ins, tokens, denials.

Nobody waits for it, and a flood does not fill the disk: of what is the same, one entry is written at once and the rest
are counted; of what an attacker varies, the name or the address, only so many are told apart. A worker that dies loses
what it had not written: a fraction of a second of entries, and a minute of counts.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from entrepot.events.audit import NOWHERE, Act, Entry, Result, told

WINDOW: Final = timedelta(minutes=1)


class Room(NamedTuple):
    """How many are told apart in a window: addresses, names at one address, targets of one name there."""

    addresses: int
    names: int
    targets: int


# Of those who proved who they are: a cluster's nodes are many. Of all others, who may be anybody.
PROVEN: Final = Room(5000, 100, 20)
UNPROVEN: Final = Room(100, 10, 20)
# While the catalog does not answer.
WAITING: Final = 10_000
BATCH: Final = 500
_ANY: Final = "*"


@dataclass(slots=True)
class _Seen:
    """What was the same within a window: the last of it, and how often it came after the first."""

    last: Entry
    depth: int
    repeated: int = 0


class Gathering:
    """One per web worker; its event loop alone touches it."""

    def __init__(self) -> None:
        self._waiting: list[Entry] = []
        self._lost = 0
        self._since: datetime | None = None
        self._seen: dict[tuple[str, ...], _Seen] = {}
        self._below: Counter[tuple[str, ...]] = Counter()

    def add(self, entry: Entry) -> None:
        """To be written as it is."""
        if len(self._waiting) < WAITING:
            self._waiting.append(entry)
        else:
            self._lost += 1

    def add_once(self, entry: Entry) -> None:
        """To be written when it is the first of its like in a window, else to be counted."""
        self._since = self._since or entry.at
        key = self._key(entry)
        seen = self._seen.get(key)
        if seen is None:
            self._seen[key] = _Seen(entry, len(key))
            self.add(entry)
        else:
            seen.last, seen.repeated = entry, seen.repeated + 1

    def take(self, now: datetime) -> list[Entry]:
        """The next entries to write, BATCH at most."""
        if self._since is not None and now - self._since >= WINDOW:
            self._end_window()
        if self._lost:
            lost, self._lost = self._lost, 0
            self._waiting.append(Entry(now, Act.LOST, Result.FAILURE, "", "", NOWHERE, told({"entries": lost})))
        taken, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        return taken

    def end(self) -> None:
        """Let the counts be taken although their window is not over: the worker ends."""
        self._end_window()

    def put_back(self, entries: list[Entry]) -> None:
        """They could not be written."""
        self._waiting = entries + self._waiting

    def _key(self, entry: Entry) -> tuple[str, ...]:
        """What is the same: down to address, name and target, or only as far as there is room for."""
        origin = entry.origin
        room = PROVEN if origin.credential else UNPROVEN
        key: tuple[str, ...] = (str(room), entry.action, entry.result, origin.registry, origin.method)
        for part, most in zip((origin.address, entry.principal, entry.target), room, strict=True):
            below = (*key, part)
            if below not in self._below:
                if self._below[key] >= most:
                    return key
                self._below[key] += 1
                self._below[below] = 0
            key = below
        return key

    def _end_window(self) -> None:
        for seen in self._seen.values():
            if seen.repeated:
                self.add(_in_sum(seen))
        self._since = None
        self._seen = {}
        self._below = Counter()


_ADDRESS_AT: Final = 6
_PRINCIPAL_AT: Final = 7
_TARGET_AT: Final = 8


def _in_sum(seen: _Seen) -> Entry:
    """One entry for all that came again; ``*`` stands where several are not told apart."""
    last = seen.last
    origin = replace(last.origin, request_id="", user_agent="")
    if seen.depth < _ADDRESS_AT:
        origin = replace(origin, address=_ANY)
    if seen.depth < _PRINCIPAL_AT:
        origin = replace(origin, credential="")
    return replace(
        last,
        principal=last.principal if seen.depth >= _PRINCIPAL_AT else _ANY,
        target=last.target if seen.depth >= _TARGET_AT else _ANY,
        origin=origin,
        detail=told({**msgspec.json.decode(last.detail), "repeated": seen.repeated}),
    )
