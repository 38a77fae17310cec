"""Work that must not take every thread, bounded in number: a flood of sign-ins must not stop pulls."""

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from entrepot.errors import Kind, Problem
from entrepot.gate.doors import Doors

P = ParamSpec("P")
T = TypeVar("T")

# Slow hashes take 19 MiB and 20 ms each: enough at once to use the cores, too few to stop pulls.
SLOW_HASHES: Final = 2
_WAITING: Final = 64


class Turns:
    """A queue in front of the worker threads."""

    def __init__(self, doors: Doors, at_once: int = SLOW_HASHES) -> None:
        self._doors = doors
        self._turn = asyncio.Semaphore(at_once)
        self._queued = 0

    async def run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run the work when its turn comes. Raises TOO_MANY_REQUESTS when too many wait."""
        if self._queued >= _WAITING:
            raise Problem(Kind.TOO_MANY_REQUESTS, reason="too many sign-ins at once", retry_after=1)
        self._queued += 1
        try:
            async with self._turn:
                return await self._doors.run(work, *arguments, **named)
        finally:
            self._queued -= 1
