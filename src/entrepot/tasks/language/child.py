"""The process in which task files are read on a server: `python -m entrepot.tasks.language.child`.

It has everything imported, has one thread, and forks for each task: so a task costs milliseconds, has limits of memory
and processor of its own, and leaves nothing behind. Messages are JSON, each after its length.
"""

import os
import resource
import selectors
import signal
import struct
import sys
from time import monotonic
from typing import BinaryIO, Final

import msgspec

from entrepot.tasks.language.findings import Finding, TaskInvalid
from entrepot.tasks.language.reading import Given, Run, Task, read_task
from entrepot.tasks.language.templates import render

LENGTH: Final = struct.Struct("!I")
MEMORY: Final = 512 * 1024**2
CPU_SECONDS: Final = 5
SECONDS: Final = 60.0
ANSWER_LIMIT: Final = 32 * 1024 * 1024

_PIECE: Final = 256 * 1024
_MEMORY_TOLD: Final = f"reading the task takes more memory than the {MEMORY // 1024**2} MiB that it may"
_CPU_TOLD: Final = f"reading the task takes more than the {CPU_SECONDS} seconds of a processor that it may"
_TIME_TOLD: Final = f"reading the task takes longer than the {SECONDS:.0f} seconds that it may"
_LENGTH_TOLD: Final = f"the task gets longer than {ANSWER_LIMIT // 1024**2} MiB when it is read"


class Ask(msgspec.Struct, frozen=True):
    """A task to read, or else ``texts`` to render. ``loaded``, ``unreadable``: sources of aliases, by their names."""

    run: Run
    values: dict[str, object]
    secrets: dict[str, str]
    images: dict[str, str]
    loaded: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    text: str | None = None
    texts: list[str] = []


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of these. ``wanted``: a source of aliases that is to be loaded first."""

    task: Task | None = None
    texts: list[str] | None = None
    findings: list[Finding] = []
    wanted: str | None = None


class _Wanted(Exception):
    """A source that was not handed in."""


def answer_of(ask: Ask) -> Answer:
    def load(source: str) -> str:
        if source in ask.unreadable:
            raise OSError(0, ask.unreadable[source])
        if source not in ask.loaded:
            raise _Wanted(source)
        return ask.loaded[source]

    given = Given(ask.run, ask.values, ask.secrets, ask.images, load)
    try:
        if ask.text is None:
            return Answer(texts=[render(text, given.root()) for text in ask.texts])
        return Answer(task=read_task(ask.text, given))
    except _Wanted as wanted:
        return Answer(wanted=str(wanted))
    except TaskInvalid as wrong:
        return _over(_MEMORY_TOLD) if _is_of_memory(wrong) else Answer(findings=list(wrong.findings))
    except MemoryError:
        return _over(_MEMORY_TOLD)


def _is_of_memory(error: BaseException | None) -> bool:
    """The template engine makes errors of its own of what its functions raise."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__ or error.__context__
    return error is not None


def _over(told: str) -> Answer:
    return Answer(findings=[Finding(told)])


def main() -> None:
    """Until whoever asks is gone."""
    render("{{ 1 }}", {})  # so that no fork has to make the table of functions
    while ask := read_message(sys.stdin.buffer):
        write_message(sys.stdout.buffer, _apart(ask))


def read_message(stream: BinaryIO) -> bytes:
    """Empty at the end."""
    head = stream.read(LENGTH.size)
    return stream.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else b""


def write_message(stream: BinaryIO, body: bytes) -> None:
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


def _apart(ask: bytes) -> bytes:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer_and_exit(ask, writing)
    os.close(writing)
    body, told = _read(reading)
    os.close(reading)
    if told:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if status and not told:
        told = _CPU_TOLD if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU else _MEMORY_TOLD
    return msgspec.json.encode(_over(told)) if told else body


def _answer_and_exit(ask: bytes, writing: int) -> None:
    """Never returns: the fork has a copy of everything, and none of it is to be cleaned up twice."""
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 2))
        body = msgspec.json.encode(answer_of(msgspec.json.decode(ask, type=Ask)))
        with os.fdopen(writing, "wb") as stream:
            stream.write(body)
        code = 0
    finally:
        os._exit(code)


def _read(reading: int) -> tuple[bytes, str]:
    """What the fork answers, and why it is to be ended, if it is."""
    body = bytearray()
    until = monotonic() + SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        while selector.select(max(0.0, until - monotonic())):
            piece = os.read(reading, _PIECE)
            if not piece:
                return bytes(body), ""
            body += piece
            if len(body) > ANSWER_LIMIT:
                return b"", _LENGTH_TOLD
    return b"", _TIME_TOLD


if __name__ == "__main__":
    main()
