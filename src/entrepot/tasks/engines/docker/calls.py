"""Running something in a machine: an exec whose output streams, and that ends when it has to.

Source: Docker Engine API 1.41, "Exec" and "Attach to a container" (the frames of a stream without a terminal).
"""

import secrets
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Final

import msgspec

from entrepot.tasks.engines.docker.api import Api, Hijacked, Json, Made
from entrepot.tasks.engines.model import HOME, Call, Canceled, EngineFailed, TimedOut

PATH: Final = "/bin"
MARK: Final = "ENTREPOT_CALL"
GRACE: Final = 3.0  # seconds between the request to end and SIGKILL

_PIECE: Final = 256 * 1024
_HEAD: Final = 8
_LOOK_AGAIN: Final = 0.1
_SHORTLY: Final = 0.01
_SILENCE: Final = 1.0
_TRIES: Final = 20
_ENDED_WITHIN: Final = 30.0

# Output and errors through one pipe: from two, nobody could tell what was said first.
_ONE_STREAM: Final = 'exec "$@" 2>&1'

# Whatever carries the call's mark in its environment, wherever it has moved itself to: $1 the signal, $2 the mark. It
# ends with 0 when there was something. A shell that is being looked through sees itself not: it has no mark.
_SIGNAL: Final = """
found=1
for folder in /proc/[0-9]*; do
    if grep -q "$2" "$folder/environ" 2>/dev/null && kill "-$1" "${folder#/proc/}" 2>/dev/null; then found=0; fi
done
exit $found
"""


class _Told(msgspec.Struct, rename="pascal"):
    running: bool
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class Calls:
    """``container``: the machine's. ``watch``: is called often while something runs, and may raise DiskFull."""

    api: Api
    container: str
    watch: Callable[[], None] = lambda: None

    def run(self, command: Sequence[str], call: Call) -> int:
        """Its exit code. Raises TimedOut, Canceled, EngineFailed."""
        mark = secrets.token_hex(16)
        body: Json = {
            "AttachStdin": bool(call.input),
            "AttachStdout": True,
            "Cmd": ["/bin/sh", "-c", _ONE_STREAM, "sh", *command],
            "Env": [f"{name}={value}" for name, value in {"PATH": PATH, "HOME": HOME, **call.env, MARK: mark}.items()],
            "WorkingDir": call.folder,
        }
        identifier = self._prepared(body)
        with self.api.hijacked(f"/exec/{identifier}/start", {"Detach": False, "Tty": False}) as stream:
            feeding = Thread(target=_fed, args=(stream, call.input), name="input of a call", daemon=True)
            feeding.start()
            try:
                self._follow(stream, call, identifier)
            except BaseException:  # whoever takes the output may fail too: what runs has to end all the same
                # The engine tells no other end in this container while output of one that has ended waits.
                Thread(target=_drained, args=(stream,), name="rest of a call", daemon=True).start()
                self._end(identifier, mark)
                raise
        return self._ended(identifier)

    # --- while it runs ------------------------------------------------------------------------------------------------

    def _follow(self, stream: Hijacked, call: Call, identifier: str) -> None:
        """Until its output ends. What it left running in the background may hold that open: then it ended itself, and
        nothing has come for a while since.
        """
        deadline = time.monotonic() + call.seconds
        frames = Frames()
        piece, heard, has_ended = stream.early, time.monotonic(), False
        while True:
            for payload in frames.of(piece):
                call.output(payload)
            now = _in_time(call, deadline)
            self.watch()
            if select.select([stream.stream], [], [], min(_LOOK_AGAIN, deadline - now))[0]:
                heard, piece = now, _received(stream)
                if not piece:
                    return
            elif now - heard > _SILENCE:
                heard, piece = now, b""
                if has_ended:
                    return
                has_ended = not self._told(identifier).running
            else:
                piece = b""

    def _ended(self, identifier: str) -> int:
        until = time.monotonic() + _ENDED_WITHIN
        while time.monotonic() < until:
            told = self._told(identifier)
            if not told.running:
                return told.exit_code or 0
            time.sleep(_SHORTLY)
        raise EngineFailed("the engine does not say how a call ended")

    # --- its end ------------------------------------------------------------------------------------------------------

    def _end(self, identifier: str, mark: str) -> None:
        """A machine in which no process can be started any more begins anew."""
        try:
            self._signal("TERM", mark)
            until = time.monotonic() + GRACE
            while time.monotonic() < until and self._told(identifier).running:
                time.sleep(_LOOK_AGAIN)
            for _ in range(_TRIES):  # what has just been started is found by the next look
                if self._signal("KILL", mark) != 0:
                    return
        except EngineFailed:
            with suppress(EngineFailed):
                self.api.do("POST", f"/containers/{self.container}/restart", {"t": "0"})

    def _signal(self, name: str, mark: str) -> int:
        """Attached: podman does not tell how others end."""
        command = ["/bin/sh", "-c", _SIGNAL, "sh", name, f"{MARK}={mark}"]
        identifier = self._prepared({"AttachStdout": True, "Cmd": command})
        with self.api.hijacked(f"/exec/{identifier}/start", {"Detach": False, "Tty": False}) as stream:
            while _received(stream):
                pass
        return self._ended(identifier)

    def _prepared(self, body: Json) -> str:
        return self.api.do("POST", f"/containers/{self.container}/exec", body=body).read(Made).id

    def _told(self, identifier: str) -> _Told:
        return self.api.do("GET", f"/exec/{identifier}/json").read(_Told)


def _received(stream: Hijacked) -> bytes:
    try:
        return stream.stream.recv(_PIECE)
    except OSError as error:
        raise EngineFailed(f"the engine broke off: {error}") from None


def _in_time(call: Call, deadline: float) -> float:
    """Now."""
    now = time.monotonic()
    if call.canceled.is_set():
        raise Canceled
    if now > deadline:
        raise TimedOut
    return now


class Frames:
    """Takes the engine's frames apart: a head of eight bytes, whose last four are the length, then so many."""

    def __init__(self) -> None:
        self._head, self._left = b"", 0

    def of(self, piece: bytes) -> Iterator[bytes]:
        rest = memoryview(piece)
        while rest:
            if self._left:
                payload, rest = rest[: self._left], rest[self._left :]
                self._left -= len(payload)
                yield bytes(payload)
                continue
            taken = _HEAD - len(self._head)
            self._head += bytes(rest[:taken])
            rest = rest[taken:]
            if len(self._head) == _HEAD:
                self._left, self._head = int.from_bytes(self._head[4:]), b""


def _drained(stream: Hijacked) -> None:
    with suppress(EngineFailed):
        while _received(stream):
            pass


def _fed(stream: Hijacked, content: bytes) -> None:
    with suppress(OSError):  # it ended without reading all of it
        if content:
            stream.stream.sendall(content)
        stream.stream.shutdown(socket.SHUT_WR)
