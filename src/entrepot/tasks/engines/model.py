"""What a run needs of a container engine: a machine of its own, in which lines and clients run.

A machine is one attempt's: it has its own names (containers, networks, volumes), its own folders and its own log-ins,
sees nothing of other runs, and leaves nothing behind when it is closed. In it there are a shell, the engine's client
and nothing else; no network. The client reaches the engine through a socket that permits what a run may (DESIGN D11).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Final, NamedTuple, Protocol, TypeAlias

from entrepot.outbound.streams import Connected

# Takes output as it comes, standard output and errors mixed. Called from one thread at a time for each call.
Sink: TypeAlias = Callable[[bytes], None]

# What the alias ``acr`` stands for: an image that an engine makes of the worker's own files when it first needs it.
ACR_IMAGE: Final = "entrepot-acr"

# Where every step finds them (ACR-TASKS 2.4).
WORKSPACE: Final = "/workspace"
HOME: Final = "/acb/home"
# The volumes that hold them, as every machine calls its own: ``--volume acb-workspace:/workspace``.
WORKSPACE_VOLUME: Final = "acb-workspace"
HOME_VOLUME: Final = "acb-home"


class EngineFailed(Exception):
    """The engine does not answer, or not as it should; what it said. The run can be tried elsewhere."""


class DiskFull(EngineFailed):
    """A disk that runs write to is full, and the run is what filled it: no fault of the engine's."""


class TimedOut(Exception):
    """The call took longer than its seconds, and was ended with all that it had started in the machine's shell."""


class Canceled(Exception):
    """The run was told to stop, and the call was ended."""


@dataclass(frozen=True, slots=True)
class Call:
    """How something runs in a machine.

    ``seconds``: it is ended after so many (TimedOut). ``canceled``: it is ended when that is set (Canceled).
    ``folder``: where, below or at WORKSPACE. ``env``: beside HOME, of the shell or client itself, never on a command
    line.
    """

    output: Sink
    seconds: float
    canceled: Event
    folder: str = WORKSPACE
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    input: bytes = b""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a machine and each container in it may use; None: what the engine gives.

    ``memory``: bytes; ``cpus``: processors; ``processes``: how many at once.
    """

    memory: int | None = None
    cpus: float | None = None
    processes: int | None = None


class Asked(NamedTuple):
    """A request to a registry. ``target``: path and query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Answered(NamedTuple):
    """Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class RunRegistry:
    """The run's own registry, for containers that have no other way to it. ``server``: its login server.

    ``ask``: any status is an answer; a registry that cannot be reached is a 502.
    """

    server: str
    ask: Callable[[Asked], Answered]


class NoWay(Exception):
    """What a container is told instead of a connection. ``is_refused``: it may not have one; else there is none."""

    def __init__(self, message: str, *, is_refused: bool) -> None:
        super().__init__(message)
        self.is_refused = is_refused


@dataclass(frozen=True, slots=True)
class WayOut:
    """From containers that reach nothing by themselves, to the hosts of a list.

    ``lists``: whether a host and port are in it. ``open``: a connection there; raises NoWay. ``near``: names of hosts
    for which containers do not ask here, beside those of containers that are there.
    """

    lists: Callable[[str, int], bool]
    open: Callable[[str, int], Connected]
    near: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """For whom a machine is made.

    ``run``: unique in the deployment (a run's row and attempt), letters, digits and -. ``source``: a folder of the
    worker that becomes WORKSPACE; the machine owns it from then on. ``allowance``: of each container. ``registry``:
    what the ``acr`` image works on; without it there is no such image. ``is_closed``: its containers reach one another,
    and nothing else; but for the ``way_out``, which is for such an order alone.
    """

    run: str
    source: Path
    allowance: Allowance = field(default_factory=Allowance)
    registry: RunRegistry | None = None
    is_closed: bool = False
    way_out: WayOut | None = None


class EngineImage(NamedTuple):
    """``tags``: its names. ``digests``: NAME@DIGEST, for each registry that is known to have it."""

    tags: tuple[str, ...]
    digests: tuple[str, ...]


class Machine(Protocol):
    """One attempt's. Calls may be made from several threads at once."""

    # Whether its engine has BuildKit; the client may lack what it needs for that.
    has_buildkit: bool

    def shell(self, line: str, call: Call, /) -> int:
        """Run a line (or several) in the machine's own shell; its exit code.

        The line comes from whoever wrote the task and may do in the machine whatever it likes.
        Raises TimedOut, Canceled, EngineFailed.
        """
        ...

    def client(self, arguments: Sequence[str], call: Call, /) -> int:
        """Run the engine's client (``docker``) with these arguments, without a shell; its exit code.

        Raises TimedOut, Canceled, EngineFailed.
        """
        ...

    def write(self, path: str, content: bytes, /) -> None:
        """Put a file below WORKSPACE or HOME, for its owner alone. Raises EngineFailed."""
        ...

    def read(self, path: str, limit: int, /) -> bytes | None:
        """So many bytes of a file's beginning; None where WORKSPACE and HOME have no such file. Links in them mean what
        they mean in the machine.
        """
        ...

    def images(self, names: Sequence[str], /) -> "list[EngineImage]":
        """Those of the names that the engine has. Raises EngineFailed."""
        ...

    def remove(self, container: str, /) -> None:
        """Remove a container of the machine by its name, at once, whatever it does. None of that name is no error."""
        ...

    def close(self) -> None:
        """Remove all that the machine has in the engine and on the disk. Twice is safe. Never raises."""
        ...


class Engine(Protocol):
    """A container engine of this worker."""

    @property
    def name(self) -> str:
        """Docker or podman."""
        ...

    @property
    def version(self) -> str: ...

    def machine(self, order: Order, /) -> Machine:
        """Raises EngineFailed."""
        ...

    def clear(self, going: Callable[[], set[str]], /) -> Mapping[str, str]:
        """Remove what runs left behind that do not go on (``Order.run``); those of which something is still there, with
        the reason. Raises EngineFailed where it does not tell what there is.

        Called by a worker for what it and its predecessors on the same engine made, so only objects with this
        deployment's label are looked at. ``going`` is asked after it was seen whose there are: a run that begins
        meanwhile is no leftover.
        """
        ...
