"""Writers in processes of their own (``writer.py``), to be ordered about and killed."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.contract.content.backends import Upload

from entrepot.content.model import Piece

WRITER = Path(__file__).with_name("writer.py")


class Writer:
    """One such process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, do: str, upload: Upload, start: int = 0, stop: int = 0) -> dict[str, Any]:
        """Give an order and wait for its answer."""
        self.tell(do, upload, start, stop)
        return self.answer()

    def tell(self, do: str, upload: Upload, start: int = 0, stop: int = 0) -> None:
        """Give an order."""
        sealed = [asdict(piece) for piece in upload.sealed]
        order = {"do": do, "session": upload.session, "sealed": sealed, "start": start, "stop": stop}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def append(self, upload: Upload, start: int, stop: int) -> None:
        """Append and seal there, record it here."""
        answer = self.ask("append", upload, start, stop)
        assert "problem" not in answer, answer
        upload.record(Piece(**answer["piece"]) if answer["piece"] else None)

    def answer(self) -> dict[str, Any]:
        """The next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the writer ended with {self._process.wait()}"
        return json.loads(line)

    @property
    def pid(self) -> int:
        return self._process.pid

    def finish(self) -> None:
        """Let the process end by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait() == 0

    def kill(self) -> None:
        """SIGKILL, and wait until the kernel has taken the process away."""
        self._process.kill()
        self._process.wait()


@contextmanager
def writer(spec: str, before: Sequence[str] = ()) -> Generator[Writer]:
    """A process that has the store open. ``before`` is a command that starts it, such as strace."""
    with subprocess.Popen(
        [*before, sys.executable, str(WRITER), spec],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    ) as process:
        started = Writer(process)
        try:
            assert started.answer() == {}
            yield started
        finally:
            process.kill()
