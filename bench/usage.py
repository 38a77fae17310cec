"""What a tree of processes uses: CPU seconds and proportional memory. Source: proc(5)."""

import os
import resource
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

TICKS: Final = os.sysconf("SC_CLK_TCK")
CORES: Final = os.cpu_count() or 1
PROC: Final = Path("/proc")
EVERY_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that matter here, times in seconds; ``started`` in ticks since boot."""

    pid: int
    state: str
    parent: int
    cpu_seconds: float
    started: int

    @classmethod
    def parse(cls, line: str) -> "Stat":
        """The command may hold blanks and parentheses, so fields are counted from the last parenthesis."""
        pid, _, rest = line.partition(" (")
        fields = rest[rest.rindex(")") + 2 :].split()
        ticks = sum(int(field) for field in fields[11:15])
        return cls(int(pid), fields[0], int(fields[1]), ticks / TICKS, int(fields[19]))


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, and not another one that got its number later."""

    pid: int
    started: int

    def still_runs(self) -> bool:
        now = _stat(self.pid)
        return now is not None and now.started == self.started and now.state != "Z"


def tree(root: int) -> list[Identity]:
    """The process and everything below it."""
    return [Identity(stat.pid, stat.started) for stat in _family([root])]


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of the trees so far; of children that ended too, which their parents inherited."""
    return sum(stat.cpu_seconds for stat in _family(roots))


def memory_mib(roots: Iterable[int]) -> float:
    """Proportional set size of the trees: a page that n processes share counts 1/n for each."""
    return sum(_pss_kib(stat.pid) for stat in _family(roots)) / 1024


def client_seconds() -> float:
    """CPU of the bench itself and of the load generators that ended; servers are still running."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def machine_seconds() -> float:
    """CPU time of everything on the machine, and what a hypervisor gave to others. Source: proc(5), /proc/stat."""
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = (
        (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / TICKS


class Meter:
    """Measures what happens inside its ``with`` block: time, CPU of servers and client, peak memory."""

    def __init__(self, roots: Sequence[int]) -> None:
        self._roots = roots
        self._enough = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self.memory_before = self.memory_peak = memory_mib(roots)
        self.seconds = self.server_cpu = self.client_cpu = self.others_percent = 0.0

    def __enter__(self) -> Self:
        self._watcher.start()
        self._marks = time.perf_counter(), cpu_seconds(self._roots), client_seconds(), machine_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        clock, server, client, machine = self._marks
        self.seconds = time.perf_counter() - clock
        self.server_cpu = cpu_seconds(self._roots) - server
        self.client_cpu = client_seconds() - client
        others = machine_seconds() - machine - self.server_cpu - self.client_cpu
        self.others_percent = max(0.0, others) / self.seconds / CORES * 100
        self._enough.set()
        self._watcher.join()
        self._look()

    def metrics(self, units: float) -> dict[str, float]:
        """The figures that every row reports, CPU for each of ``units`` pieces of work."""
        each = max(units, 1.0)
        return {
            "cpu_us": self.server_cpu / each * 1e6,
            "client_cpu_us": self.client_cpu / each * 1e6,
            "memory_mib": self.memory_peak,
            "others_percent": self.others_percent,
        }

    @property
    def memory_growth(self) -> float:
        return self.memory_peak - self.memory_before

    def _watch(self) -> None:
        while not self._enough.wait(EVERY_SECONDS):
            self._look()

    def _look(self) -> None:
        self.memory_peak = max(self.memory_peak, memory_mib(self._roots))


def _family(roots: Iterable[int]) -> list[Stat]:
    known = {stat.pid: stat for stat in _every_stat()}
    children: dict[int, list[int]] = {}
    for stat in known.values():
        children.setdefault(stat.parent, []).append(stat.pid)
    found, waiting = list[Stat](), list(roots)
    while waiting:
        pid = waiting.pop()
        waiting.extend(children.get(pid, ()))
        if pid in known:
            found.append(known[pid])
    return found


def _every_stat() -> Iterable[Stat]:
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and (stat := _stat(int(entry.name))) is not None:
            yield stat


def _stat(pid: int) -> Stat | None:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Stat.parse((PROC / str(pid) / "stat").read_text(errors="replace"))
    return None


def _pss_kib(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        return parse_pss((PROC / str(pid) / "smaps_rollup").read_text())
    return 0


def parse_pss(text: str) -> int:
    """KiB from the "Pss:" line of smaps_rollup; none for a process that is ending."""
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)
