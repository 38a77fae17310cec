"""A run's log while it runs: lines with CRLF as az reads them, secrets masked, bounded, kept a few times a second.

A step that says much is slowed down: to take it costs the machine as much as the pulls of many clients.

Source: ACR-TASKS 6.5; AZ-CLI-FLOWS 4 (the client shows what stands before the last CRLF).
"""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, Self

from entrepot.tasks.logs.masking import Masker
from entrepot.tasks.logs.tail import Tail

_FLUSH_SECONDS: Final = 0.5
# What may wait to be kept; a step that writes faster waits.
_WAITING: Final = 4 * 1024 * 1024
_PIECE: Final = 256 * 1024
# Bytes a second that are taken, and for how many seconds more may come at once.
_SPEED: Final = 2 * 1024 * 1024
_AT_ONCE: Final = 0.5
_SILENCE_SECONDS: Final = 60.0


class LogWriter:
    """Takes what a run says, from any thread. ``keep`` appends bytes to the log, in one thread, in order.

    What ``keep`` raises ends the writing: ``lost`` is called with it, and nothing more is kept. Beyond ``limit`` bytes
    only the last ones are, when the log is closed.
    """

    def __init__(
        self,
        keep: Callable[[bytes], object],
        lost: Callable[[BaseException], object],
        secrets: Iterable[str],
        limit: int,
    ) -> None:
        self._keep = keep
        self._lost = lost
        self._masker = Masker(secrets)
        self._left = limit
        self._tail: Tail | None = None
        self._paid = 0.0
        self._waiting = bytearray()
        self._last = b"\n"
        self._state = threading.Condition()
        self._is_closed = False
        self._failed = False
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="task-log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Keep what waits, and end."""
        with self._state:
            self._is_closed = True
            self._state.notify_all()
        self._thread.join()

    def hide(self, secrets: Iterable[str]) -> None:
        """From now on these are secrets too."""
        with self._state:
            self._masker.add(secrets)

    def say(self, text: str) -> None:
        """A line of ours, with the time in UTC; it begins a line."""
        self.raw(f"{datetime.now(UTC):%Y/%m/%d %H:%M:%S} {text}\n".encode(), whole_lines=True)

    def line(self, text: str) -> None:
        """A line without a time."""
        self.raw(f"{text}\n".encode(), whole_lines=True)

    def raw(self, chunk: bytes, *, whole_lines: bool = False) -> None:
        """What a container says, as it comes. Waits while too much is not kept yet, or is said too fast."""
        with self._state:
            while len(self._waiting) >= _WAITING and not self._failed:
                self._state.wait()
            self._heard(chunk, whole_lines=whole_lines)
            pause = self._pay(len(chunk))
        if pause > 0 and not self._failed:
            time.sleep(pause)

    def _heard(self, chunk: bytes, *, whole_lines: bool) -> None:
        if self._tail is None:
            if whole_lines:
                shown = self._masker.mask(chunk) + self._masker.end()
                start = b"" if self._last == b"\n" else b"\n"
                self._take(start + shown)
            else:
                self._take(self._masker.mask(chunk))
            if len(self._waiting) >= _PIECE:
                self._state.notify_all()
            return
        starts = b"\n" if whole_lines and self._last != b"\n" else b""
        self._tail.add(starts + chunk, self._masker.longest)
        self._last = chunk[-1:] or self._last

    def _pay(self, size: int) -> float:
        """Seconds to wait before more may be said."""
        now = time.monotonic()
        self._paid = max(self._paid, now - _AT_ONCE) + size / _SPEED
        return self._paid - now

    def _take(self, shown: bytes) -> None:
        """To what is kept; what is beyond the limit begins its end."""
        if not shown:
            return
        lines = _with_crlf(shown, self._last)
        self._last = lines[-1:]
        fits, rest = lines[: self._left], lines[self._left :]
        self._left -= len(fits)
        self._waiting += fits
        if rest:
            self._tail = Tail()
            self._tail.add(rest + self._masker.end(), self._masker.longest)

    # --- the thread that keeps ----------------------------------------------------------------------------------------

    def _work(self) -> None:
        silent_since = time.monotonic()
        while True:
            with self._state:
                self._state.wait_for(lambda: self._is_closed or len(self._waiting) >= _PIECE, _FLUSH_SECONDS)
                is_closed = self._is_closed
                if is_closed:
                    self._finish()
                piece = bytes(self._waiting)
            if piece:
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > _SILENCE_SECONDS:
                silent_since = time.monotonic()
                self.say(f"Still running, {int(silent_since - self._began)} s since the start")
                continue
            if not self._kept(piece) or is_closed:
                return

    def _finish(self) -> None:
        self._take(self._masker.end())
        if self._tail is not None:
            end, left_out = self._tail.shown(self._masker)
            if left_out:
                note = f"\r\n... {left_out} bytes are left out: the log has reached its limit ...\r\n"
                self._waiting += note.encode()
            self._waiting += _with_crlf(end, bytes(self._waiting[-1:]))

    def _kept(self, piece: bytes) -> bool:
        if not piece:
            return True
        try:
            self._keep(piece)
        except BaseException as error:  # noqa: BLE001  the run's thread raises it, also where it is no Exception
            self._failed = True
            self._lost(error)
        with self._state:
            del self._waiting[: len(piece)]
            if self._failed:
                self._waiting.clear()
            self._state.notify_all()
        return not self._failed


def _with_crlf(text: bytes, before: bytes) -> bytes:
    lines = text.replace(b"\r\n", b"\n") if b"\r\n" in text else text
    if before == b"\r" and lines[:1] == b"\n":
        return b"\n" + lines[1:].replace(b"\n", b"\r\n")
    return lines.replace(b"\n", b"\r\n")
