"""git as a process of its own, with a home of its own: no configuration of the machine, no hooks, no helpers."""

import contextlib
import os
import re
import resource
import signal
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from entrepot.tasks.contexts.gateway import Gateway
from entrepot.tasks.contexts.model import Bounds, ContextFailed, Watch

_LOOK: Final = 0.1
_SAID_LIMIT: Final = 16 * 1024
_PRINTED_LIMIT: Final = 32 * 1024 * 1024
_PIECE: Final = 64 * 1024
_CREDENTIALS: Final = re.compile(r"(https?)://[^/@\s]*@")

_QUIET: Final = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.askPass", ""),
    ("credential.helper", ""),
    ("protocol.allow", "never"),
    ("protocol.http.allow", "always"),
    ("advice.detachedHead", "false"),
    ("init.defaultBranch", "main"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("submodule.recurse", "false"),
)


class GitFailed(Exception):
    """What git said."""


@dataclass(frozen=True, slots=True)
class Git:
    """``home``: a folder of its own, which ends with the fetch."""

    home: Path
    gateway: Gateway
    bounds: Bounds
    watch: Watch

    def prepare(self) -> None:
        """Write its configuration: in a file."""
        lines = [f"[{_section(name)}]\n\t{_key(name)} = {_quoted(value)}\n" for name, value in self._configuration()]
        path = self.home / ".gitconfig"
        path.touch(mode=0o600)
        path.write_text("".join(lines), encoding="utf-8")

    def _configuration(self) -> list[tuple[str, str]]:
        return [*_QUIET, *self.gateway.configuration()]

    def run(self, at: Path, *arguments: str) -> str:
        """What it prints. Raises GitFailed, ContextFailed, Canceled."""
        printed = bytearray()

        def keep(piece: bytes) -> None:
            printed.extend(piece)
            if len(printed) > _PRINTED_LIMIT:
                raise ContextFailed("git said more than is read")

        self.each(at, keep, *arguments)
        return printed.decode(errors="replace")

    def each(self, at: Path, take: Callable[[bytes], None], *arguments: str) -> None:
        """The same with what it prints as it comes; ``take`` may raise ContextFailed to end it."""
        process = subprocess.Popen(
            ["git", *arguments],  # noqa: S607  the worker's own PATH says which
            cwd=at,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        with process, ThreadPoolExecutor(2) as readers:
            try:
                _limit(process.pid, self.bounds)
                said = readers.submit(_last, _pipe(process.stderr))
                read = readers.submit(_take, _pipe(process.stdout), take)
                self._wait(process, read)
            finally:
                _end(process)
            read.result()
            if process.returncode != 0:
                raise GitFailed(self._words(said.result()))

    def _wait(self, process: subprocess.Popen[bytes], read: Future[None]) -> None:
        """For its end, or until what it prints is refused. Raises ContextFailed, Canceled."""
        while not read.done():
            wait([read], min(_LOOK, self.watch.left()))
        while read.exception() is None and process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(_LOOK, self.watch.left()))

    def _environment(self) -> Mapping[str, str]:
        home = str(self.home)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": home,
            "XDG_CONFIG_HOME": home,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            # Every address that may be called was rewritten to the gateway, which speaks http.
            "GIT_ALLOW_PROTOCOL": "http",
            "GIT_SSH_COMMAND": "false",
        }

    def _words(self, said: bytes) -> str:
        return redacted(self.gateway.without_address(said.decode(errors="replace"))).strip()


def redacted(text: str) -> str:
    """Without the credentials that its addresses have, as ACR has it."""
    return _CREDENTIALS.sub(r"\1://<REDACTED>@", text)


def _section(name: str) -> str:
    section, _, rest = name.partition(".")
    middle, _, _ = rest.rpartition(".")
    return f'{section} "{middle}"' if middle else section


def _key(name: str) -> str:
    return name.rpartition(".")[2]


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _limit(process: int, bounds: Bounds) -> None:
    """Of memory that it writes to, and of one file; as far as the worker's own limits go."""
    for kind, wanted in ((resource.RLIMIT_DATA, bounds.memory), (resource.RLIMIT_FSIZE, bounds.unpacked)):
        with contextlib.suppress(ProcessLookupError):  # it was quick
            _, most = resource.prlimit(process, kind)
            limit = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
            resource.prlimit(process, kind, (limit, most))


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise AssertionError("it was made with pipes")
    return stream


def _take(stream: IO[bytes], take: Callable[[bytes], None]) -> None:
    while piece := os.read(stream.fileno(), _PIECE):
        take(piece)


def _last(stream: IO[bytes]) -> bytes:
    """The end of what it says: a server may have it say without end."""
    said = b""
    while piece := os.read(stream.fileno(), _PIECE):
        said = (said + piece)[-_SAID_LIMIT:]
    return said


def _end(process: subprocess.Popen[bytes]) -> None:
    """With all that it started, where it did not end by itself."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
