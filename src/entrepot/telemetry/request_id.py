"""Request ids: unique over all workers and restarts, cheap to make, the same in answer, log and error."""

import itertools
import secrets
from collections.abc import Callable


def request_ids() -> Callable[[], str]:
    """A source of ids for one process: 96 random bits for the process, then a counter, as 32 hex digits."""
    prefix = secrets.token_hex(12)
    numbers = itertools.count(1)
    return lambda: f"{prefix}{next(numbers):08x}"
