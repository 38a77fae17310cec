"""What a fetch is given, and what it says afterwards."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from threading import Event
from time import monotonic

from entrepot.outbound.client import Outbound
from entrepot.remote.sign_in import Credentials
from entrepot.tasks.engines.model import Canceled


class ContextFailed(Exception):
    """There are no files, and why: in ACR's words where they are known, with the cause, and without credentials."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one context may have at most.

    ``packed``: bytes as they come; ``unpacked``: bytes of all files together; ``entries``: files and folders;
    ``seconds``: for all of it; ``modules``: how deep git submodules may lie in each other; ``memory``: bytes, of git.
    """

    packed: int = 4 * 1024**3
    unpacked: int = 16 * 1024**3
    entries: int = 250_000
    seconds: float = 1800.0
    modules: int = 8
    memory: int = 4 * 1024**3


def _nothing(_name: str) -> None:
    return None


def _no_uploads(path: str) -> Iterable[bytes]:
    raise ContextFailed(f"there is no upload {path}")


@dataclass(frozen=True, slots=True)
class Means:
    """With what files are fetched.

    ``upload``: the bytes of what was uploaded under a path; it may raise ContextFailed. ``credentials``: for an OCI
    registry by its host, None for none. ``canceled``: ends the fetch when it is set. ``scratch``: an empty folder for
    what must not lie beside the files; whoever made it removes it.
    """

    outbound: Outbound
    scratch: Path
    bounds: Bounds = field(default_factory=Bounds)
    upload: Callable[[str], Iterable[bytes]] = _no_uploads
    credentials: Callable[[str], Credentials | None] = _nothing
    canceled: Event = field(default_factory=Event)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of it. ``commit``, ``branch``: of git, else empty; a checkout that is of no branch has ``HEAD``.

    ``root``: the folder that the context named, with its links resolved; it is what was filled, or below it.
    """

    root: Path
    commit: str = ""
    branch: str = ""


def status_line(status: int) -> str:
    """Number and name, where it has one."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


@dataclass(frozen=True, slots=True)
class Watch:
    """How long a fetch may go on."""

    until: float
    canceled: Event

    @classmethod
    def over(cls, means: Means) -> "Watch":
        return cls(monotonic() + means.bounds.seconds, means.canceled)

    def left(self) -> float:
        """Seconds. Raises ContextFailed, Canceled."""
        if self.canceled.is_set():
            raise Canceled
        left = self.until - monotonic()
        if left <= 0:
            raise ContextFailed("it took longer than is allowed")
        return left
