"""What decides from values alone: who may take a run, whose turn it is, why one waits."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from entrepot.tasks.labels import read, selections, written

# What a processor runs besides its own.
_ALSO: Final = {"amd64": ("386", "x86"), "arm64": ("arm",)}
# As Linux calls it.
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture_of(machine: str) -> str:
    """Of a processor by its name in ``uname``, as images have it."""
    return _MACHINES.get(machine, machine.lower())


def queue_of(pool: str, architecture: str, labels: Iterable[str] = ()) -> str:
    """Where the runs of workers that are alike wait for one of them to begin. ``pool``: empty for none."""
    name, has = f"task-runs/{pool}/{architecture}", written(labels)
    return f"{name}/{has}" if has else name


@dataclass(frozen=True, slots=True)
class Agent:
    """A worker that lives. ``pool``: NAME, REGISTRY/NAME or empty; ``going``: how many runs it has."""

    worker: str
    pool: str
    architecture: str
    at_once: int
    drains: bool
    going: int
    labels: frozenset[str] = frozenset()

    def serves(self, registry: str, pool: str | None, needed: frozenset[str] = frozenset()) -> bool:
        """Runs of this pool of a registry (None: those without one) that need these labels."""
        if not needed <= self.labels:
            return False
        if pool is None:
            return not self.pool
        return self.pool in {pool.lower(), f"{registry.lower()}/{pool.lower()}"}


def native_to(architecture: str) -> frozenset[str]:
    """What runs on a processor without being emulated; a run that says nothing runs everywhere."""
    return frozenset({architecture, *_ALSO.get(architecture, ())})


def foreign_to(agent: Agent, agents: Iterable[Agent], needed: frozenset[str] = frozenset()) -> frozenset[str]:
    """What this worker leaves to others of its pool, which need not emulate it, of runs that need these labels. What
    nobody has, everybody takes.
    """
    others = [each for each in agents if each.pool == agent.pool and not each.drains and needed <= each.labels]
    alike = {each.architecture for each in others}
    return frozenset[str]().union(*map(native_to, alike)) - native_to(agent.architecture)


@dataclass(frozen=True, slots=True)
class Fit:
    """Which runs a worker takes: of its pool (an ``Agent``'s), that need labels it has, as they are written. For each
    selection of those: the architectures that it leaves to others.
    """

    pool: str
    foreign: Mapping[str, frozenset[str]]


def fit_of(agent: Agent, agents: Collection[Agent]) -> Fit:
    """``agents``: who lives, this one among them or not."""
    needs = selections(agent.labels)
    return Fit(agent.pool, {needed: foreign_to(agent, agents, read(needed)) for needed in needs})


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that waits, by its row. ``registry``: by its row."""

    id: int
    registry: int


def choose(waiting: Sequence[Waiting], going: Mapping[int, int], room: Mapping[int, int], places: int) -> list[int]:
    """Up to so many runs, in their turn: each time of the registry that has the fewest going, its oldest.

    ``waiting``: the oldest first. ``room``: how many more each registry may have; one that is not named: any number.
    """
    lines: dict[int, deque[int]] = {}
    for each in waiting:
        lines.setdefault(each.registry, deque()).append(each.id)
    has = {registry: going.get(registry, 0) for registry in lines}
    left = {registry: room.get(registry, places) for registry in lines}
    chosen: list[int] = []
    while len(chosen) < places:
        open_ = [registry for registry, line in lines.items() if line and left[registry] > 0]
        if not open_:
            break
        registry = min(open_, key=lambda each: (has[each], lines[each][0]))
        chosen.append(lines[registry].popleft())
        has[registry] += 1
        left[registry] -= 1
    return chosen


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run wants of a worker. ``labels``: as they are written."""

    pool: str | None
    labels: str = ""

    def __str__(self) -> str:
        """As it goes on after "workers"."""
        of = "" if self.pool is None else f" of the agent pool {self.pool}"
        return f"{of} with the labels {self.labels}" if self.labels else of


def why(before: int, wanted: Wanted, serving: Collection[Agent], limit: str | None) -> str:
    """What a run that waits is told. ``before``: how many of its registry that want the same wait before it.

    ``serving``: who may take it. ``limit``: which limit its registry has reached.
    """
    line = f"{before} {'run' if before == 1 else 'runs'} of this registry before it" if before else "it is the next"
    return f"Waiting for an agent: {line}; {limit or _workers(wanted, serving)}"


def _workers(wanted: Wanted, serving: Collection[Agent]) -> str:
    taking = [each for each in serving if not each.drains and each.at_once]
    if not taking:
        what = "drain" if any(each.drains for each in serving) else "are not there"
        start = "entrepot worker" if wanted.pool is None else f"entrepot worker --pool {wanted.pool}"
        start += f" --task-labels {wanted.labels}" if wanted.labels else ""
        return f"workers{wanted} {what}: start one with {start}"
    places = sum(each.at_once for each in taking)
    going = sum(each.going for each in taking)
    return f"{min(going, places)} of the {places} places{wanted} are taken"
