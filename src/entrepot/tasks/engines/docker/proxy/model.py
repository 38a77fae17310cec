"""What is asked of a run's socket, what goes on to the engine, and what a run's names are."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from http import HTTPStatus
from typing import Final, Protocol, TypeAlias

from entrepot.tasks.engines.model import Allowance, RunRegistry, WayOut

Json: TypeAlias = dict[str, object]

# As docker has it.
NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
IDENTIFIER: Final = re.compile(r"[0-9a-f]{4,64}")

# What every container, network and volume of a run carries: by the first it is found when its owner is gone, by the
# second the run itself finds it. Its machine, workspace and home have the first alone, so the run does not see them.
RUN_LABEL: Final = "entrepot.run"
OWN_LABEL: Final = "entrepot.own"
DEPLOYMENT_LABEL: Final = "entrepot.deployment"
OUR_LABELS: Final = "entrepot."

SOCKET: Final = "/var/run/docker.sock"
SOCKETS: Final = frozenset({SOCKET, "/run/docker.sock"})


class Refused(Exception):
    """What is answered instead; ``message``: what is wrong, for whoever reads the log of the run."""

    def __init__(self, message: str, status: int = HTTPStatus.FORBIDDEN) -> None:
        super().__init__(message)
        self.message, self.status = message, status


class Manner(Enum):
    """How an exchange goes on once the request is permitted."""

    CALL = auto()  # the answer is small, and is given with the run's own names
    STREAM = auto()  # either body is as long as it likes, and passes as it comes
    HIJACK = auto()  # the connection becomes a raw stream
    LATE = auto()  # the answer is made here, some time after its head


class Flavor(StrEnum):
    """Whose engine speaks docker's interface. What podman does otherwise stands in ``podman.py``."""

    DOCKER = "docker"
    PODMAN = "podman"


@dataclass(frozen=True, slots=True)
class Asked:
    """``path``: without the version. ``body``: of a JSON call; of others it is read as it passes."""

    method: str
    path: str
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    body: Json = field(default_factory=dict[str, object])

    def one(self, name: str) -> str:
        """A member of the query; empty when it was not given. Raises Refused when it was given twice."""
        values = self.query.get(name, ())
        if len(values) > 1:
            raise Refused(f"{name} is given {len(values)} times", HTTPStatus.BAD_REQUEST)
        return values[0] if values else ""

    def pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, value) for name, values in self.query.items() for value in values)


@dataclass(frozen=True, slots=True)
class Passed:
    """What goes to the engine. ``body``: instead of the one that came. ``answer``: makes the run's answer of a body."""

    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Json | None = None
    manner: Manner = Manner.CALL
    answer: Callable[[bytes], bytes] | None = None
    late: Callable[[Callable[[], bool]], bytes] | None = None  # is told whether the client is gone
    watch: Callable[[bytes], None] | None = None  # sees what streams by
    version: str = ""  # of the interface, where it is another than the client's


class WayThrough(Protocol):
    """The run's gateway, as the rules know it."""

    @property
    def container(self) -> str:
        """Its id."""
        ...

    @property
    def way(self) -> WayOut: ...

    def join(self, network: str, /) -> None:
        """By the engine's name of the network. Raises EngineFailed."""
        ...

    def leave(self, network: str, /) -> None: ...

    def variables(self, given: Iterable[str], near: Iterable[str], /) -> dict[str, str]:
        """What leads programs there, where ``given`` has no such name. ``near``: hosts of the run."""
        ...


class Run(Protocol):
    """What the rules know of a run; looking something up asks the engine."""

    name: str
    socket: str  # the run's own, as the engine's machine has it
    allowance: Allowance
    labels: Mapping[str, str]  # what every object carries
    ulimits: tuple[Json, ...]
    grpc: bool  # whether BuildKit's own interface is open
    registry: RunRegistry | None
    is_closed: bool  # whether its containers reach nothing but one another
    gateway: "WayThrough | None"  # by which those of a closed one get to hosts of a list
    flavor: Flavor

    def ask(self, method: str, path: str, query: Mapping[str, str] | None = None, /) -> tuple[int, bytes]:
        """The engine itself: status and body. Raises EngineFailed."""
        ...

    def container(self, reference: str, /) -> str:
        """The engine's id of a container of the run, by its name, id or the beginning of one. Raises Refused."""
        ...

    def network(self, reference: str, /) -> str:
        """The engine's name of a network of the run, likewise. Raises Refused."""
        ...

    def execution(self, identifier: str, /) -> str:
        """An exec in a container of the run. Raises Refused."""
        ...

    def containers(self) -> list[str]:
        """The run's own names of its containers."""
        ...

    def is_alone(self, network: str, /) -> bool:
        """Whether nothing but the gateway is in a network, by the engine's name of it."""
        ...

    def plain_network(self) -> str:
        """The network that stands for docker's plain bridge; it is there afterwards."""
        ...

    def make_room(self, network: str, /) -> None:
        """For a network that the run makes. Raises Refused when it has as many as it may."""
        ...

    def new_name(self) -> str:
        """For what has none."""
        ...

    def volume(self, name: str, /) -> str:
        """The engine's name of a volume; it is there afterwards. Raises Refused."""
        ...

    def made(self, image: str, /) -> None:
        """The run made, or tagged, an image: a name or an id."""
        ...

    def may_remove(self, image: str, /) -> bool:
        """Whether the run made it: a name; or an id, all of whose names are the run's."""
        ...

    def pulled(self, image: str, /) -> None: ...

    def acr_image(self) -> str:
        """The engine's id of the image ``acr``, which is there afterwards. Raises EngineFailed."""
        ...

    def knows(self, image: str, /) -> bool:
        """Whether the run made or pulled it."""
        ...


def engine_name(run: str, name: str) -> str:
    """A run's name on the engine. Runs have no underscore in theirs, so no two are alike."""
    if NAME.fullmatch(name) is None:
        raise Refused(f"{name[:200]!r} is no name of a container, network or volume", HTTPStatus.BAD_REQUEST)
    return f"{run}_{name}"
