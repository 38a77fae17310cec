"""What a running process asks of the kernel, call by call, as strace sees it. No fixtures here."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.strace import strace
from tests.services import wait_until

# What makes things last, what gives them names, and what tells a client.
_CALLS = "fsync,fdatasync,rename,renameat,renameat2,write,writev,pwrite64,sendto,sendmsg"
_SENT = frozenset({"write", "writev", "sendto", "sendmsg"})
_RENAMED = frozenset({"rename", "renameat", "renameat2"})
_LINE = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. \w+ resumed>(?P<rest>.*)|(?P<call>\w+\(.*))")
_UNFINISHED = " <unfinished ...>"
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<answer>-?\d+).*")
_PATH = re.compile(r"\d+<(?P<path>/[^>]*)>")
_NAMES = re.compile(r'"(?P<path>/[^"]*)"')
_STATUS = re.compile(r"<TCP.*\"HTTP/1\.1 (?P<status>\d{3}) ")


@dataclass(frozen=True)
class Call:
    """One system call. ``begun`` and ``ended`` are places in the trace: calls of two threads may overlap."""

    name: str
    arguments: str
    answer: int
    begun: int
    ended: int

    @property
    def step(self) -> str | None:
        """What it does, if that matters: ``sync PATH``, ``rename PATH PATH``, ``write PATH``, ``answer STATUS``."""
        if self.name in _RENAMED:
            return " ".join(("rename", *_NAMES.findall(self.arguments)))
        sent = _STATUS.search(self.arguments) if self.name in _SENT else None
        if sent is not None:
            return f"answer {sent['status']}"
        file = _PATH.match(self.arguments)
        if file is None:
            return None
        return f"{'sync' if 'sync' in self.name else 'write'} {file['path']}"


class Trace:
    """A trace that grows."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen = 0

    def until_answered(self, status: int) -> list[Call]:
        """Every call since the last look, up to the answer that a client has by now."""
        wait_until(lambda: self._answered(status) is not None, f"the trace shows the answer {status}", within=10)
        calls = self._calls()[self._seen :]
        self._seen += len(calls)
        return calls

    def _answered(self, status: int) -> Call | None:
        return next((call for call in self._calls()[self._seen :] if call.step == f"answer {status}"), None)

    def _calls(self) -> list[Call]:
        """In the order in which they ended."""
        begun: dict[str, tuple[int, str]] = {}
        calls: list[Call] = []
        for number, line in enumerate(self._file.read_text(errors="replace").splitlines()):
            match = _LINE.fullmatch(line)
            if match is None:  # a signal, a thread's end, a line that is still being written
                continue
            thread = match["thread"]
            at, text = begun.pop(thread, (number, "")) if match["call"] is None else (number, "")
            text += match["call"] or match["rest"]
            if text.endswith(_UNFINISHED):
                begun[thread] = at, text.removesuffix(_UNFINISHED)
            elif (call := _CALL.fullmatch(text)) is not None:
                calls.append(Call(call["name"], call["arguments"], int(call["answer"]), at, number))
        return calls


@contextmanager
def traced(process: int) -> Iterator[Trace]:
    """Follow every thread of a process of ours."""
    with tempfile.TemporaryDirectory(prefix="entrepot-trace-") as folder:
        file = Path(folder, "trace")
        with strace(process, "-yy", "-s", "32", "-o", file, "-e", f"trace={_CALLS}"):
            yield Trace(file)
