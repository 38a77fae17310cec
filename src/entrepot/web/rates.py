"""Request rates: which pools a route draws from, and the token buckets behind them. Source: ACR-REFERENCE 1.2.

A bucket holds a minute's worth and fills up evenly. All of it is one number, when it will be full again (the generic
cell rate algorithm), in memory that the worker processes of a server share from their fork on: docs/decisions/0012.
"""

import hashlib
import mmap
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple


class Pool(StrEnum):
    """ACR's categories, by the names that limits have (registries/tiers.py)."""

    READ = "dataplaneRead"
    WRITE = "dataplaneWrite"
    DELETE = "dataplaneDelete"
    REFERRERS = "listReferrers"
    OAUTH = "oauth"


# What a row of a route table says.
READS: Final = (Pool.READ,)
WRITES: Final = (Pool.WRITE,)
DELETES: Final = (Pool.DELETE,)
LISTS_REFERRERS: Final = (Pool.REFERRERS, Pool.READ)
SIGNS_IN: Final = (Pool.OAUTH,)

# Nanoseconds, whole ones: what is added up a thousand times must not be rounded.
SECOND: Final = 1_000_000_000
PERIOD: Final = 60 * SECOND
_SLACK: Final = 1000
_SLOTS: Final = 65_536
_PROBES: Final = 8
_WORD: Final = 8


class Bucket(NamedTuple):
    """A bucket's place in the memory, the key that it is known by there, and how long a request takes to flow in."""

    slot: int
    key: int
    interval: int


class Buckets:
    """The memory: 1 MiB, whatever the number of identities. One that is full is forgotten when its place is needed.

    Nothing locks it. Two workers that draw from one bucket in the same microsecond may let one request more pass.
    """

    def __init__(self, slots: int = _SLOTS) -> None:
        memory = memoryview(mmap.mmap(-1, 2 * _WORD * slots))
        self._slots = slots
        self._keys = memory[: _WORD * slots].cast("Q")
        self._full_at = memory[_WORD * slots :].cast("q")

    def find(self, name: str, rate: int, now: int) -> Bucket | None:
        """The bucket of this name, made if there is none. ``rate``: requests in a minute.

        None when all its places are taken by buckets that are in use: then it limits nothing.
        """
        key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=_WORD).digest()) or 1
        places = [(key + step) % self._slots for step in range(_PROBES)]
        slot = next((place for place in places if self._keys[place] == key), None)
        if slot is None:
            slot = next((place for place in places if self._full_at[place] <= now), None)
            if slot is None:
                return None
            self._keys[slot] = key
            self._full_at[slot] = now + 1  # in use until it is drawn from: the next to look may want the same place
        return Bucket(slot, key, PERIOD // rate)

    def draw(self, buckets: Sequence[Bucket], now: int) -> tuple[int, int] | None:
        """Take one from each. None: done. Otherwise nothing is taken, and this says which of them is empty, and how
        long until it is not. Raises LookupError when one of them was forgotten: find them anew.
        """
        keys, full_at = self._keys, self._full_at
        taken: list[tuple[int, int]] = []
        latest = now + PERIOD + _SLACK
        for number, (slot, key, interval) in enumerate(buckets):
            if keys[slot] != key:
                raise LookupError
            was = full_at[slot]
            if was < now or was > latest:  # full; or the clock was set back
                was = now
            if was + interval > latest:
                return number, was + interval - latest
            taken.append((slot, was + interval))
        for slot, full in taken:
            full_at[slot] = full
        return None
