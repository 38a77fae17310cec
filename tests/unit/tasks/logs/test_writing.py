"""A run's log as it is kept: whole lines with CRLF, masked, in order, bounded."""

import re
import threading
import time

import pytest

from entrepot.tasks.logs import writing
from entrepot.tasks.logs.writing import LogWriter

LIMIT = 1024 * 1024


class Kept:
    """What was kept, and what the keeping failed with."""

    def __init__(self) -> None:
        self.content = b""
        self.lost: list[BaseException] = []

    def keep(self, piece: bytes) -> None:
        self.content += piece

    def writer(self, *secrets: str, limit: int = LIMIT) -> LogWriter:
        return LogWriter(self.keep, self.lost.append, secrets, limit)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_lines_end_with_crlf_however_they_come(kept: Kept) -> None:
    with kept.writer() as log:
        for chunk in (b"a\n", b"b\r\n", b"c\r", b"\nd", b"\n", b"e"):
            log.raw(chunk)
    assert kept.content == b"a\r\nb\r\nc\r\nd\r\ne"


def test_a_line_of_ours_has_the_time_and_begins_a_line(kept: Kept) -> None:
    with kept.writer() as log:
        log.raw(b"no end of line")
        log.say("Executing step ID: build")
        log.line("Run ID: ca1 was successful after 5s")
    first, said, last, rest = kept.content.decode().split("\r\n")
    assert first == "no end of line"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d Executing step ID: build", said)
    assert (last, rest) == ("Run ID: ca1 was successful after 5s", "")


def test_a_secret_that_is_split_over_chunks_is_masked(kept: Kept) -> None:
    with kept.writer("hunter2hunter2") as log:
        log.raw(b"it is hunter2")
        log.raw(b"hunter2, he said\n")
    assert kept.content == b"it is ***, he said\r\n"


def test_lines_are_kept_while_the_run_goes_on(kept: Kept) -> None:
    came = threading.Event()

    def keep(piece: bytes) -> None:
        kept.keep(piece)
        came.set()

    with LogWriter(keep, kept.lost.append, (), LIMIT) as log:
        log.line("first")
        assert came.wait(30)
        assert kept.content == b"first\r\n"


def test_of_a_log_that_is_too_long_the_beginning_and_the_end_are_kept(kept: Kept) -> None:
    with kept.writer(limit=64 * 1024) as log:
        log.line("the beginning")
        for _ in range(64):
            log.raw(b"x" * 65_535 + b"\n")
        log.line("the end")
    assert kept.content.startswith(b"the beginning\r\n")
    assert kept.content.endswith(b"the end\r\n")
    assert b"bytes are left out: the log has reached its limit" in kept.content
    assert len(kept.content) < 256 * 1024
    found = re.search(rb"\.\.\. (\d+) bytes", kept.content)
    assert found is not None
    assert int(found[1]) > 3_900_000


def test_a_secret_at_the_limit_is_masked(kept: Kept) -> None:
    for at in range(1, 40):
        with kept.writer("correct-horse-battery", limit=64 * 1024) as log:
            log.raw(b"x" * (64 * 1024 - at))
            for piece in (b"correct-horse-", b"battery", b" and more"):
                log.raw(piece)
        assert b"horse" not in kept.content
        assert kept.content.endswith(b"x*** and more")


def test_whoever_writes_beyond_the_limit_is_slowed_down(kept: Kept) -> None:
    chunk = b"y\n" * 128 * 1024
    with kept.writer(limit=64 * 1024) as log:
        log.raw(chunk)
        began = time.monotonic()
        for _ in range(8):
            log.raw(chunk)
    assert 0.2 < time.monotonic() - began < 10


def test_what_cannot_be_kept_ends_the_writing_and_is_told(kept: Kept) -> None:
    lost = RuntimeError("the run is another worker's")

    def keep(piece: bytes) -> None:
        raise lost

    with LogWriter(keep, kept.lost.append, (), LIMIT) as log:
        for _ in range(40):
            log.raw(b"y" * 1_000_000)
    assert kept.lost == [lost]


def test_a_run_that_says_nothing_says_now_and_then_that_it_goes_on(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(writing, "_FLUSH_SECONDS", 0.01)
    until = time.monotonic() + 30
    with kept.writer():
        while b"Still running" not in kept.content:
            assert time.monotonic() < until
            time.sleep(0.01)
