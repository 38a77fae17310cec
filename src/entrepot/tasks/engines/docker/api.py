"""The Docker Engine API over the unix socket of this machine. Source: Docker Engine API 1.41.

Nothing here goes over a network: the engine is the operator's own, on the worker's machine.
"""

import socket
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from entrepot.tasks.engines.model import EngineFailed

Json: TypeAlias = dict[str, object]
Query: TypeAlias = Mapping[str, str]

# Seconds in which the engine begins to answer. A container that does not heed its end is killed after ten.
PATIENCE: Final = 120.0
ANSWER_LIMIT: Final = 64 * 1024 * 1024


class Made(msgspec.Struct, rename="pascal"):
    """What the engine tells of what it has just made."""

    id: str


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("docker")
        self._path = path

    def connect(self) -> None:
        self.sock = connected(self._path, PATIENCE)


def connected(path: Path, seconds: float | None) -> socket.socket:
    """A stream to a unix socket. Raises OSError."""
    stream = socket.socket(socket.AF_UNIX)
    try:
        stream.settimeout(seconds)
        stream.connect(str(path))
    except OSError:
        stream.close()
        raise
    return stream


class _Message(msgspec.Struct):
    message: str = ""


_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    def read(self, kind: type[_Read]) -> _Read:
        """Raises EngineFailed when it is something else."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.MsgspecError as error:
            raise EngineFailed(f"the engine's answer is not what was expected: {error}") from None

    @property
    def message(self) -> str:
        """What the engine says went wrong."""
        try:
            return self.read(_Message).message
        except EngineFailed:
            return self.body[:500].decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Api:
    """``socket``: of the engine. ``version``: of the API, such as 1.41; empty: the engine's own."""

    socket: Path
    version: str = ""

    def ask(self, method: str, path: str, query: Query | None = None, body: object = None) -> Answer:
        """Whatever the engine answers. ``body``: sent as JSON, or as it is where it is bytes. Raises EngineFailed."""
        content, kind = _content(body)
        try:
            with closing(_UnixConnection(self.socket)) as connection:
                connection.request(method, self.target(path, query), content, {"Content-Type": kind})
                with connection.getresponse() as response:
                    answer = response.read(ANSWER_LIMIT + 1)
        except (OSError, HTTPException) as error:
            raise EngineFailed(f"the docker engine at {self.socket} does not answer: {error}") from None
        if len(answer) > ANSWER_LIMIT:
            raise EngineFailed(f"{method} {path}: the engine's answer has no end")
        return Answer(response.status, answer)

    def do(
        self, method: str, path: str, query: Query | None = None, body: object = None, *, besides: tuple[int, ...] = ()
    ) -> Answer:
        """What the engine answers when it agrees. ``besides``: other statuses that are fine. Raises EngineFailed."""
        answer = self.ask(method, path, query, body)
        if answer.status >= HTTPStatus.BAD_REQUEST and answer.status not in besides:
            raise EngineFailed(f"{method} {path}: {answer.status} {answer.message}")
        return answer

    def target(self, path: str, query: Query | None = None) -> str:
        version = f"/v{self.version}" if self.version else ""
        return f"{version}{quote(path)}" + (f"?{urlencode(query)}" if query else "")

    @contextmanager
    def hijacked(self, path: str, body: object) -> Generator["Hijacked"]:
        """A POST whose connection becomes a raw stream. Raises EngineFailed."""
        content, kind = _content(body)
        head = (
            f"POST {self.target(path)} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        try:
            stream = connected(self.socket, PATIENCE)
        except OSError as error:
            raise EngineFailed(f"the docker engine at {self.socket} does not answer: {error}") from None
        with stream:
            try:
                stream.sendall(head.encode() + content)
                hijacked = _after_the_head(stream, path)
            except OSError as error:
                raise EngineFailed(f"the docker engine at {self.socket} broke off: {error}") from None
            try:
                yield hijacked
            finally:
                with suppress(OSError):
                    stream.shutdown(socket.SHUT_RDWR)  # wakes whoever still writes to it


@dataclass(frozen=True, slots=True)
class Hijacked:
    """``early``: what came together with the head."""

    stream: socket.socket
    early: bytes = field(default=b"")


def _after_the_head(stream: socket.socket, path: str) -> Hijacked:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = stream.recv(4096)
        if not piece or len(received) > ANSWER_LIMIT:
            raise EngineFailed(f"POST {path}: the engine closed the connection")
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1]
    if status not in {b"101", b"200"}:
        raise EngineFailed(f"POST {path}: {status.decode(errors='replace')} {rest[:500].decode(errors='replace')}")
    return Hijacked(stream, rest)


def _content(body: object) -> tuple[bytes, str]:
    if isinstance(body, bytes):
        return body, "application/x-tar"
    return (b"" if body is None else msgspec.json.encode(body)), "application/json"
