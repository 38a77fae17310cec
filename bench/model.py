"""What the bench speaks of: plans, samples, running contenders, rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.processes import Owned

OURS = "entrepot"
OURS_ON_POSTGRESQL = "entrepot-postgresql"
OURS_COLLECTING = "entrepot-collecting"
OURS_TELLING = "entrepot-telling"
OURS_BUILDING = "entrepot-building"
DISTRIBUTION_3 = "distribution3"
DISTRIBUTION_2 = "distribution2"
NGINX = "nginx"
MACHINE = "machine"
"""Not a contender: what the machine itself does in the same round (sha256, disk)."""


WARM_SECONDS = 1.0
"""How long a contender is loaded before its first sample, so that no sample pays for what happens once."""


class Unavailable(Exception):
    """This contender or row cannot be measured here; the text is the reason that the table prints."""


class Wrong(Exception):
    """A contender answered something else than it should; a figure of it would mean nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure. ``scale`` is the number of tags; the catalog row seeds a tenth of it in repositories."""

    repeat: int
    seconds: float
    large: int
    huge: int
    scale: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one contender: figures by metric name."""

    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a sample, and which way is better."""

    name: str
    unit: str
    higher_is_better: bool = True


class Heap(Protocol):
    """Gives a contender's job worker something to do; how much is left."""

    def make(self, count: int) -> None: ...

    def remaining(self) -> int: ...


Waits = Callable[[], float]
"""Wakes a job and tells how many seconds it waited until a worker began it."""


class Tokens(Protocol):
    """Where a bearer token for some scopes comes from; None when the contender asks for none."""

    def __call__(self, *scopes: str) -> str | None: ...


class Shelf(Protocol):
    """How content gets into a contender before it is measured."""

    def put_blob(self, repository: str, digest: str, content: bytes) -> None: ...

    def put_manifest(self, repository: str, reference: str, content: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Names:
    """Names in a row, all of one length, so that they sort as their numbers do: PREFIX1000000, PREFIX1000001, ..."""

    prefix: str
    first: int
    count: int

    def __iter__(self) -> Iterator[str]:
        return (self[position] for position in range(self.count))

    def __getitem__(self, position: int) -> str:
        return f"{self.prefix}{self.first + position}"

    def split(self, at: int) -> "tuple[Names, Names]":
        return Names(self.prefix, self.first, at), Names(self.prefix, self.first + at, self.count - at)


class Seeder(Protocol):
    """Fills a contender with many names, past its HTTP interface, because that would take hours.

    ``most`` names at a time: making more would take longer than measuring them is worth.
    """

    most: int

    def tags(self, repository: str, names: Names) -> None: ...

    def repositories(self, names: Names) -> None: ...


@dataclass(frozen=True, slots=True)
class Running:
    """A contender that answers."""

    name: str
    url: str
    processes: tuple[Owned, ...]
    ready_seconds: float
    tokens: Tokens
    shelf: Shelf
    folder: Path
    seeder: Seeder | None = None
    restart: Callable[[], float] | None = None
    """Ends it and starts it again on the same data: seconds until it is ready."""
    job_waits: Waits | None = None
    garbage: Heap | None = None
    events: Heap | None = None
    database_url: str | None = None
    """Of one that keeps its catalog in a database server."""
    engine: Path | None = None
    """The socket of the docker engine that runs its tasks."""


class Contender(Protocol):
    """A server that the bench can start. ``start`` and ``version`` raise Unavailable."""

    @property
    def name(self) -> str: ...

    def version(self) -> str: ...

    def start(self, folder: Path) -> Running: ...


Measure = Callable[[], Sample]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what is done, by whom, and how to take one sample of it.

    ``prepare`` fills a running contender and returns what takes a sample. ``reference`` measures the machine itself
    once in each round. A ``solo`` row starts a fresh contender for each sample, with no other one running.
    """

    name: str
    title: str
    primary: Metric
    contenders: tuple[str, ...]
    prepare: Callable[[Running, Plan], Measure]
    ours: str = OURS
    solo: bool = False
    reference: Callable[[Path, Plan], Sample] | None = None
    disk: Callable[[Plan], int] = field(default=lambda _plan: 0)
    most_repeats: int = 100
