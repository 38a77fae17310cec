"""How the executor calls the machine: within the run's time, and ended with the run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Final, Self

from entrepot.tasks.engines.model import WORKSPACE, Call, Canceled, Machine, Sink, TimedOut
from entrepot.tasks.execution.model import Clock, RunLog

# Bytes of a client's last words that go into an error.
WORDS_LIMIT: Final = 2000


class RunTimedOut(Exception):
    """The run's own time is over."""


@dataclass(frozen=True, slots=True)
class Calls:
    """``ends``: when the run's time is over, by the clock. ``canceled``: when set, every call and wait ends."""

    machine: Machine
    log: RunLog
    clock: Clock
    canceled: Event
    ends: float

    def until(self, canceled: Event) -> Self:
        """The same, ended by another event."""
        return replace(self, canceled=canceled)

    def shell(self, line: str, how: "How") -> int:
        """Raises RunTimedOut beside what the machine raises."""
        return self._bounded(how, lambda call: self.machine.shell(line, call))

    def client(self, arguments: Sequence[str], how: "How") -> int:
        """Raises RunTimedOut beside what the machine raises."""
        return self._bounded(how, lambda call: self.machine.client(arguments, call))

    def write(self, path: str, content: bytes) -> None:
        """Raises Canceled and RunTimedOut beside what the machine raises."""
        self._left()
        self.machine.write(path, content)

    def wait(self, seconds: float) -> None:
        """Raises Canceled, RunTimedOut."""
        left = self.ends - self.clock.now()
        if self.clock.wait(self.canceled, max(0.0, min(seconds, left))):
            raise Canceled
        if left <= seconds:
            raise RunTimedOut

    def _bounded(self, how: "How", act: Callable[[Call], int]) -> int:
        left = self._left()
        if how.seconds <= 0:
            raise TimedOut
        call = Call(how.output, min(how.seconds, left), self.canceled, how.folder, how.env, how.input)
        try:
            return act(call)
        except TimedOut:
            if left <= how.seconds:
                raise RunTimedOut from None
            raise

    def _left(self) -> float:
        """Seconds. Raises Canceled, RunTimedOut."""
        left = self.ends - self.clock.now()
        if self.canceled.is_set():
            raise Canceled
        if left <= 0:
            raise RunTimedOut
        return left


@dataclass(frozen=True, slots=True)
class How:
    """A ``Call`` without what all calls of a run have in common. ``seconds``: beside the run's own limit."""

    output: Sink
    seconds: float
    folder: str = WORKSPACE
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    input: bytes = b""


class Words:
    """A sink that keeps the end of what is written to it, up to so many bytes."""

    def __init__(self, limit: int = WORDS_LIMIT) -> None:
        self._limit = limit
        self._kept = b""

    def __call__(self, output: bytes) -> None:
        self._kept = (self._kept + output)[-self._limit :]

    @property
    def bytes(self) -> bytes:
        return self._kept

    @property
    def text(self) -> str:
        """In one line."""
        return " ".join(self._kept.decode(errors="replace").split())
