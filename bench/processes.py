"""The processes and the folder that a run owns: each is ended or removed, however the run ends."""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.usage import Identity, tree

STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Command:
    """What to start: the signal that ends it politely, and the account it runs under (as root only)."""

    words: Sequence[str]
    environment: Mapping[str, str] | None = None
    farewell: signal.Signals = signal.SIGTERM
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Owned:
    """A process that the bench started; it leads a process group of its own."""

    process: subprocess.Popen[bytes]
    farewell: signal.Signals
    log: Path
    begun: float

    @property
    def pid(self) -> int:
        return self.process.pid

    def last_words(self) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return " | ".join(text.strip().splitlines()[-4:])[-600:] or "it wrote nothing"


class Household:
    """A temporary folder and every process started under it."""

    def __init__(self, parent: Path | None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="registry-bench-", dir=parent or _roomy_folder()))
        self.folder.chmod(0o755)  # PostgreSQL, under its own account, must reach its folder below
        self._owned: list[Owned] = []
        atexit.register(self.close)

    def start(self, command: Command, log: Path) -> Owned:
        begun = time.perf_counter()
        with log.open("wb") as output:
            process = subprocess.Popen(
                list(command.words),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if command.environment is None else dict(command.environment),
                start_new_session=True,
                user=command.user,
                group=command.user,
                extra_groups=None if command.user is None else [],
            )
        owned = Owned(process, command.farewell, log, begun)
        self._owned.append(owned)
        return owned

    def stop(self, owned: Owned) -> None:
        """End it politely, then by force, with everything that it started (which may have left its group)."""
        family = tree(owned.pid)
        with suppress(ProcessLookupError):
            owned.process.send_signal(owned.farewell)
        with suppress(subprocess.TimeoutExpired):
            owned.process.wait(STOP_SECONDS)
        for member in family:
            _kill(member)
        with suppress(ProcessLookupError):
            os.killpg(owned.pid, signal.SIGKILL)
        owned.process.wait()
        if owned in self._owned:
            self._owned.remove(owned)

    def stop_below(self, folder: Path) -> None:
        """What logs below the folder, the youngest first: a server before its database."""
        for owned in reversed(self._owned.copy()):
            if owned.log.is_relative_to(folder):
                self.stop(owned)

    def close(self) -> None:
        """Twice is safe. A second Ctrl-C must not leave a server behind."""
        atexit.unregister(self.close)
        before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            self.stop_below(self.folder)
            shutil.rmtree(self.folder, ignore_errors=True)
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def free_port() -> int:
    """A port that was free a moment ago; the contender binds it next."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _kill(member: Identity) -> None:
    if member.still_runs():
        with suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGKILL)
        deadline = time.monotonic() + STOP_SECONDS
        while member.still_runs() and time.monotonic() < deadline:
            time.sleep(0.01)


def _roomy_folder() -> Path:
    """The temporary folder, unless it lies in memory: there an fsync costs nothing and 10 GB do not fit."""
    usual = Path(tempfile.gettempdir())
    return Path("/var/tmp") if file_system(usual) in {"tmpfs", "ramfs"} else usual  # noqa: S108


def file_system(path: Path) -> str:
    """The type of the file system that holds the path. Source: proc(5), /proc/PID/mounts."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, this_kind, *_ = line.split(" ")
        if path.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, this_kind
    return kind
