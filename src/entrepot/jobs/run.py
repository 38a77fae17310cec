"""What the body of a workflow is given: one attempt at one run, and the ways it may act.

A run can lose its worker at any moment, and then goes on elsewhere from its first line: steps done before answer what
they answered. A worker that only slept must do no harm when it wakes up, so every act is refused once the run is in
other hands (DESIGN D7).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Concatenate, Final, ParamSpec, Protocol, TypeAlias, TypeVar

import msgspec
from sqlalchemy import Connection

from entrepot.db.database import Database
from entrepot.errors import Kind, Problem
from entrepot.jobs import queries
from entrepot.jobs.model import Json
from entrepot.jobs.queries import Recorded

P = ParamSpec("P")
T = TypeVar("T")
J = TypeVar("J", bound=Json)

# The catalog may come back: a run waits for it rather than lose its place, and so does a worker.
PASSING: Final = frozenset({Kind.CATALOG_UNAVAILABLE, Kind.STORAGE_FULL})
_LONGEST_WAIT: Final = 30.0


class HandedBack(BaseException):
    """The worker is stopping, and the run goes on in another one. Not an Exception, so that no body catches it."""


class Steps(Protocol):
    """The library's side of a run: it numbers steps, and remembers what they answered."""

    def next_number(self) -> int: ...
    def remembered(self, name: str, call: Callable[[], J]) -> J: ...
    def lost(self, run_id: str) -> BaseException: ...


@dataclass(frozen=True, slots=True)
class Claim:
    """This execution's hold on a run: good while ``owner`` is still the run's own."""

    run_id: str
    owner: str


@dataclass(frozen=True, slots=True)
class Shared:
    """What every run of a worker process has in common."""

    database: Database
    steps: Steps
    stopping: Event
    now: Callable[[], datetime]
    worker: str


class Run:
    """One attempt at a run. What a body does around its steps must be repeatable, and change nothing."""

    def __init__(self, shared: Shared, claim: Claim) -> None:
        self._shared = shared
        self._claim = claim
        self.attempt = self.patiently(self._look)

    @property
    def id(self) -> str:
        return self._claim.run_id

    @property
    def worker(self) -> str:
        """Who runs this attempt."""
        return self._shared.worker

    @property
    def now(self) -> datetime:
        """The time; like everything that is not the same in the next attempt, only for use inside a step."""
        return self._shared.now()

    @property
    def stopping(self) -> bool:
        """Whether a long step should end early: after it the run goes to another worker."""
        return self._shared.stopping.is_set()

    def pause(self, seconds: float) -> None:
        """Wait inside a step, at most until the worker stops."""
        self._shared.stopping.wait(seconds)

    def once(self, name: str, work: Callable[Concatenate[Connection, P], J], *args: P.args, **kwargs: P.kwargs) -> J:
        """A step that changes the catalog: exactly once, because its transaction also remembers that it is done."""
        self._end_if_stopping()
        number = self._shared.steps.next_number()

        def remembered(tx: Connection) -> J:
            self.guard(tx)
            done = queries.recorded_step(tx, self.id, number)
            if done is None:
                done = Recorded(name, msgspec.json.encode(work(tx, *args, **kwargs)).decode())
                queries.record_step(tx, self.id, number, done, self.now)
            if done.name != name:
                raise RuntimeError(f"step {number} of run {self.id} was {done.name}, and is now {name}")
            return msgspec.json.decode(done.output)

        return self.patiently(lambda: self._shared.database.write(remembered))

    def step(self, name: str, call: Callable[P, J], *args: P.args, **kwargs: P.kwargs) -> J:
        """A step that acts outside the catalog: at least once, so it says why twice is safe."""
        self._end_if_stopping()

        def current() -> J:
            self.patiently(self._look)
            # What comes back after a restart is JSON; so is what comes back now.
            return msgspec.json.decode(msgspec.json.encode(call(*args, **kwargs)))

        return self._shared.steps.remembered(name, current)

    def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One guarded transaction inside a step, which comes again with the step; tried once."""

        def guarded(tx: Connection) -> T:
            self.guard(tx)
            return work(tx, *args, **kwargs)

        return self._shared.database.write(guarded)

    def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Look at the catalog; what a later step decides from it may be old by then."""
        return self.patiently(lambda: self._shared.database.read(work, *args, **kwargs))

    def guard(self, tx: Connection) -> int:
        """Keep the run in these hands until the transaction has ended (write door); its attempt.

        Raises what no body catches when the run is already in others.
        """
        held = queries.hold_run(tx, self.id)
        if held is None or held.owner != self._claim.owner:
            raise self._shared.steps.lost(self.id)
        return held.attempt

    def _look(self) -> int:
        return self._shared.database.write(self.guard)

    def _end_if_stopping(self) -> None:
        if self.stopping:
            raise HandedBack

    def patiently(self, work: Callable[[], T]) -> T:
        """Try until the catalog is there; for work that may safely come twice, as after a COMMIT that broke."""
        wait = 0.5
        while True:
            try:
                return work()
            except Problem as problem:
                if problem.kind not in PASSING:
                    raise
            self._shared.stopping.wait(wait)
            self._end_if_stopping()
            wait = min(wait * 2, _LONGEST_WAIT)


Body: TypeAlias = Callable[Concatenate[Run, ...], None]
