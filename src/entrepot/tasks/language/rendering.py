"""Task files read in a process of its own: a template may eat memory and time, but not the server's.

See docs/decisions/0013-task-language.md.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import msgspec

from entrepot.tasks.language.child import Answer, Ask, read_message, write_message
from entrepot.tasks.language.documents import TEXT_LIMIT
from entrepot.tasks.language.findings import Finding, TaskInvalid
from entrepot.tasks.language.reading import Given, Task

_SOURCES: Final = 32


@dataclass(slots=True)
class Renderer:
    """For a process; safe in many threads, one task at a time. ``close`` when it ends."""

    _process: "subprocess.Popen[bytes] | None" = None
    _lock: Lock = field(default_factory=Lock)

    def read(self, text: str, given: Given) -> Task:
        """As ``read_task``. Raises TaskInvalid, also for what takes too much."""
        if len(text) > TEXT_LIMIT:
            raise TaskInvalid([Finding(f"the task is longer than {TEXT_LIMIT} characters")])
        answer = self._answered(_ask(given, text=text), given)
        if answer.task is None:
            raise TaskInvalid(answer.findings)
        return answer.task

    def texts(self, texts: Sequence[str], given: Given) -> list[str]:
        """Each text with its actions carried out: the names and arguments of a quick build. Raises TaskInvalid."""
        answer = self._answered(_ask(given, texts=texts), given)
        if answer.texts is None:
            raise TaskInvalid(answer.findings)
        return answer.texts

    def _answered(self, ask: Ask, given: Given) -> Answer:
        for _ in range(_SOURCES):
            answer = self._asked(ask)
            if answer.wanted is None:
                return answer
            ask = _with_source(ask, answer.wanted, given)
        raise TaskInvalid([Finding(f"unable to search/replace aliases in task: more than {_SOURCES} sources")])

    def _asked(self, ask: Ask) -> Answer:
        body = msgspec.json.encode(ask)
        with self._lock:
            try:
                said = self._exchange(body)
            except OSError:  # it was killed since: another one is as good
                said = b""
            if not said:
                self._end()
                said = self._exchange(body)
        return msgspec.json.decode(said, type=Answer)

    def _exchange(self, body: bytes) -> bytes:
        if self._process is None:
            self._process = _started()
        sent, said = self._process.stdin, self._process.stdout
        if sent is None or said is None:
            raise AssertionError("it was made with pipes")
        write_message(sent, body)  # pyright: ignore[reportArgumentType]  a pipe is a binary stream
        return read_message(said)  # pyright: ignore[reportArgumentType]  the same

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def close(self) -> None:
        with self._lock:
            self._end()


def _started() -> "subprocess.Popen[bytes]":
    """Without this process's environment, which may hold secrets, and without what it has open."""
    return subprocess.Popen(
        [sys.executable, "-I", "-m", "entrepot.tasks.language.child"],
        env={"LC_ALL": "C.UTF-8"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _ask(given: Given, text: str | None = None, texts: Sequence[str] = ()) -> Ask:
    return Ask(given.run, dict(given.values), dict(given.secrets), dict(given.images), text=text, texts=list(texts))


def _with_source(ask: Ask, source: str, given: Given) -> Ask:
    """What reads files and addresses stays here."""
    try:
        text, told = given.load(source), ""
    except OSError as error:
        text, told = "", error.strerror or str(error)
    if len(text) > TEXT_LIMIT:
        told = f"it is longer than {TEXT_LIMIT} characters"
    if told:
        return msgspec.structs.replace(ask, unreadable={**ask.unreadable, source: told})
    return msgspec.structs.replace(ask, loaded={**ask.loaded, source: text})
