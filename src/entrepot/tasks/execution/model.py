"""What is executed, with what it needs of the outside, and what comes of it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event
from typing import Protocol

from entrepot.tasks.execution.images import ImageName
from entrepot.tasks.language.reading import Task


class RunLog(Protocol):
    """What a run says. Several threads may call it at once."""

    def say(self, text: str, /) -> None:
        """A line of the executor's own; the log puts ``YYYY/MM/DD HH:MM:SS `` before it."""
        ...

    def raw(self, output: bytes, /) -> None:
        """What a client or a container wrote, as it came."""
        ...


class Clock(Protocol):
    """Seconds that only grow, and waiting."""

    def now(self) -> float:
        """Seconds since some moment."""
        ...

    def wait(self, event: Event, seconds: float, /) -> bool:
        """Until the event is set, or so many seconds are over; whether it is set."""
        ...


class MonotonicClock:
    """The machine's own."""

    def now(self) -> float:
        return time.monotonic()

    def wait(self, event: Event, seconds: float, /) -> bool:
        return event.wait(seconds)


@dataclass(frozen=True, slots=True)
class Login:
    """How a run signs in to a registry. ``server``: its host, with a port if need be."""

    server: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BuildArgument:
    """``value`` None: the builder's own. A secret one is on no command line, and is a build secret of its name too."""

    name: str
    value: str | None = field(repr=False)
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class QuickBuild:
    """A build without a task file (ACR-TASKS 4.1); templates in its texts are rendered already.

    ``dockerfile``: relative to ``folder``, or absolute below the work folder. ``images``: names, which get the login
    server of the registry where they have none. ``folder``: the context, relative to the work folder. ``platforms``:
    each ``os/architecture[/variant]``, none for the machine's own; of several an index is pushed.
    """

    dockerfile: str = "Dockerfile"
    images: tuple[str, ...] = ()
    is_pushed: bool = True
    no_cache: bool = False
    target: str = ""
    arguments: tuple[BuildArgument, ...] = ()
    platforms: tuple[str, ...] = ()
    folder: str = ""
    attestations: tuple[str, ...] = ()


class PublishFailed(Exception):
    """The registry did not take what the run's worker put there; why."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """What is said of an image. ``annotations``: of the manifest and its one layer."""

    media_type: str
    content: bytes = field(repr=False)
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])


class Publisher(Protocol):
    """The run's registry, for what no engine pushes. It takes only what is about images that the run pushed there."""

    def put_index(self, image: ImageName, children: Mapping[str, str], temporary: Sequence[str], /) -> str:
        """One index under the image's tag; its digest. ``children``: digests by platform. ``temporary``: tags that go.

        Raises PublishFailed.
        """
        ...

    def attach(self, image: ImageName, attachment: Attachment, /) -> str:
        """Refer to an image, by its digest; the referrer's digest. Raises PublishFailed."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """A build's remote context, which was brought into the work folder before the run.

    ``folder``: relative to the work folder. ``commit``: what was checked out, empty where that is nothing of git.
    """

    folder: str
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that what no step asked for may take: the docker configuration, networks and volumes; a log-in with all
    its tries; the look for a newer base image.
    """

    setup: float = 300
    login: float = 300
    refresh: float = 900


@dataclass(frozen=True, slots=True)
class Origin:
    """What an attestation says of the run. ``builder``: a URI of the deployment. ``run``: its name. ``source``: the
    context's address without credentials, empty for an upload. ``engine``: name and version.
    """

    builder: str = ""
    run: str = ""
    source: str = ""
    engine: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """A run's steps and what they are run with.

    ``id``: unique on the engine, for what an engine shares between runs; letters, digits and -. ``server``: the login
    server of the run's registry. ``timeout``: the run's limit in seconds, as it is told; ``seconds``: how much of it is
    left. ``commit``, ``branch``: of the source in the work folder. ``fetched``: by step id, for those of
    ``builds.remote_contexts``. ``platform``: what the run is for, as docker writes it; empty for the machine's own.
    ``keeps_cache``: whether builds leave a cache beside what they push, unless their step says otherwise.
    ``publisher``: of the run's registry; None where there is none at hand. ``origin``, ``sbom_image``: for
    attestations; the image writes an SBOM of what its arguments name, as syft does. ``environment``: of ``cmd`` steps,
    by which clients in them find the run's identities. ``known``: what earlier runs found out about the engine.
    """

    id: str
    job: Task | QuickBuild
    server: str
    timeout: int
    seconds: float
    logins: tuple[Login, ...] = ()
    task_name: str = ""
    commit: str = ""
    fetched: Mapping[str, Fetched] = field(default_factory=dict[str, Fetched])
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    limits: Limits = field(default_factory=Limits)
    known: dict[str, bool] = field(default_factory=dict[str, bool])
    branch: str = ""
    platform: str = ""
    keeps_cache: bool = True
    publisher: Publisher | None = None
    origin: Origin = field(default_factory=Origin)
    sbom_image: str = ""


class Ending(StrEnum):
    """How a run ended. ``timed out``: by the run's own limit; a step's limit is a failure."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    CANCELED = "canceled"


class StepState(StrEnum):
    """What became of a step. ``skipped``: it did not begin. ``canceled``: it ended with the run."""

    SUCCESSFUL = "successful"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class StepResult:
    """``elapsed``: seconds, without the delay of its start. ``exit_code``: of its last try, if that ended by itself."""

    id: str
    state: StepState = StepState.SKIPPED
    elapsed: float = 0.0
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Dependency:
    """What a built image stands on. ``image`` None: it has no name. Digests are empty where they are not known."""

    image: ImageName | None
    runtime: ImageName | None = None
    buildtime: tuple[ImageName, ...] = ()
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """An image of which something is to be said. ``kinds``: provenance, sbom. ``parameters``: of its build."""

    kinds: tuple[str, ...]
    parameters: Mapping[str, object]
    dependency: Dependency


@dataclass(frozen=True, slots=True)
class Outcome:
    """``error``: in ACR's words, empty for a success; for a limit, which one and how many seconds it has.

    ``steps``: in file order. ``images``: what build steps made and the registry has, with digests.
    """

    ending: Ending
    error: str = ""
    steps: tuple[StepResult, ...] = ()
    images: tuple[ImageName, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
