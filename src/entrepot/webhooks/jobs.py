"""The room's workflow: makes deliveries of events and calls the receivers, many at once.

One run at a time in the whole deployment, so deliveries of a repository are made in its order; it lasts until shortly
before the next one (docs/decisions/0011-webhook-ledger.md). Calls are made by threads that touch no catalog.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Final

import structlog
from sqlalchemy import Connection
from structlog.typing import FilteringBoundLogger

from entrepot.access.sealing import Sealer
from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Body, HandedBack, Run
from entrepot.outbound.client import Outbound
from entrepot.webhooks import ledger, queries
from entrepot.webhooks.calling import Caller
from entrepot.webhooks.model import Call, Ended
from entrepot.webhooks.rules import Patience

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.webhooks")

_PERIOD: Final = 60
# Before its successor comes: what waits makes the worker look more often.
_EARLY: Final = 2.0
# Calls of one worker at once, and of one webhook: half of the outbound client's, so that others get out as well.
_CALLS: Final = 16
_CALLS_OF_ONE: Final = 4


@dataclass(frozen=True, slots=True)
class Habits:
    """``look``: seconds between two looks for what is new. ``seconds``: for one answer. ``margin``: for writing down
    what came of a call, until somebody else takes it for lost. ``keep``: of the history.
    """

    look: float = 0.5
    seconds: float = 15.0
    margin: float = 10.0
    keep: timedelta = timedelta(days=7)
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the workflow works with. ``login_server``: of a registry, by its name."""

    sealer: Sealer
    outbound: Outbound
    login_server: Callable[[str], str]
    habits: Habits = field(default_factory=Habits)


def workflows(parts: Parts) -> Mapping[Workflow, Body]:
    """What a job worker runs."""
    deliverer = Deliverer(parts)

    def deliver(run: Run) -> None:
        run.step("deliver", deliverer.work, run)

    return {Workflow("webhooks.deliver", Queue("webhooks", at_once=1), Every(_PERIOD)): deliver}


class Deliverer:
    """One for a process: calls that outlast a run are written down by the next."""

    def __init__(self, parts: Parts) -> None:
        habits = parts.habits
        self._login_server, self._habits = parts.login_server, habits
        self._caller = Caller(parts.outbound, parts.sealer, habits.seconds)
        self._pool = ThreadPoolExecutor(_CALLS, "webhooks")
        self._ended: SimpleQueue[Ended] = SimpleQueue()
        self._going: Counter[int] = Counter()
        self._failing: dict[int, bool] = {}
        self._stopping = threading.Event()

    def work(self, run: Run) -> Json:
        """Twice is safe: it does what is due by then. A worker that stops leaves the run to another one."""
        self._stopping.clear()
        end = (math.floor(run.now.timestamp() / _PERIOD) + 1) * _PERIOD - _EARLY
        is_busy = True
        while run.now.timestamp() < end and not run.stopping:
            is_busy = self._turn(run, self._arrived(0.0 if is_busy else self._habits.look))
        if run.stopping:
            self._stop(run)
        _forget(run, self._habits.keep)
        return None

    def _turn(self, run: Run, arrived: list[Ended]) -> bool:
        """Write down what ended, and send what is due; whether there was anything."""
        if not arrived and not run.read(queries.has_work, run.now):
            return False
        made, calls = run.patiently(lambda: run.write(self._change, arrived, run.now))
        for call in calls:
            self._going[call.lane.webhook] += 1
            self._pool.submit(self._call, call)
        return bool(arrived or made or calls)

    def _change(self, tx: Connection, arrived: list[Ended], now: datetime) -> tuple[int, list[Call]]:
        ledger.conclude(tx, arrived, self._habits.patience, now)
        made = ledger.fan_out(tx, self._login_server, now)
        free = _CALLS - self._going.total()
        # A call of several messages ends within two times what one may take.
        lent = 2 * self._habits.seconds + self._habits.margin
        return made, ledger.lend(tx, now, lent, free, self._allowance) if free > 0 else []

    def _allowance(self, webhook: int) -> int:
        """Who has not heard yet gets one call at a time, and all of them half of the calls: others have the rest."""
        if not self._is_failing(webhook):
            return _CALLS_OF_ONE - self._going[webhook]
        slow = sum(going for each, going in self._going.items() if self._is_failing(each))
        return 1 - self._going[webhook] if slow < _CALLS // 2 else 0

    def _is_failing(self, webhook: int) -> bool:
        return self._failing.get(webhook, True)

    def _call(self, call: Call) -> None:
        """In a thread of the pool."""
        ended = Ended(call.lane)
        try:
            ended = self._caller.send(call, lambda: not self._stopping.is_set())
        except Exception:  # a worker loop: it ends this call alone
            log.exception("webhook_call_failed", webhook=call.lane.webhook)
        finally:
            self._ended.put(ended)

    def _arrived(self, seconds: float) -> list[Ended]:
        """What has ended by now; waits so long for the first."""
        found: list[Ended] = []
        try:
            found.append(self._ended.get(timeout=seconds) if seconds else self._ended.get_nowait())
            while True:
                found.append(self._ended.get_nowait())
        except Empty:
            pass
        for each in found:
            self._going[each.lane.webhook] -= 1
        self._failing |= ledger.failing(found)
        return found

    def _stop(self, run: Run) -> None:
        """Write down what ends in time; the rest comes again elsewhere."""
        self._stopping.set()
        arrived: list[Ended] = []
        deadline = time.monotonic() + self._habits.seconds
        while self._going.total() and time.monotonic() < deadline:
            arrived += self._arrived(0.2)
        run.write(ledger.conclude, arrived, self._habits.patience, run.now)
        raise HandedBack


def _forget(run: Run, keep: timedelta) -> None:
    """What is too much is deleted a few at a time."""
    for webhook in run.read(queries.webhook_ids):
        while run.write(ledger.forget, webhook, run.now - keep) and not run.stopping:
            pass
