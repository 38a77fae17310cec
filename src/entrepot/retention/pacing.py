"""Rates: so much per second, whatever the work itself takes."""

import time
from collections.abc import Callable
from typing import Final

# Work that went slower than its rate may catch up so much, and no more.
_CREDIT_SECONDS: Final = 0.1


class Pacer:
    """Waits after each piece of work until its share of time is over."""

    def __init__(
        self, rate: float, pause: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._pause = pause
        self._clock = clock
        self._next = clock()

    def spend(self, amount: float) -> None:
        """To be called after that much work."""
        now = self._clock()
        self._next = max(self._next, now - _CREDIT_SECONDS) + amount / self._rate
        if self._next > now:
            self._pause(self._next - now)
