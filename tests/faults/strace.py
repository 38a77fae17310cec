"""strace on a process that runs: watches what it asks of the kernel, or lets the kernel refuse it. No fixtures here."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.services import running, wait_until


@contextmanager
def strace(process: int, *options: str | Path) -> Iterator[None]:
    """It holds every thread of the process until the block ends."""
    command = ["strace", "-f", *options, "-p", str(process)]
    with tempfile.TemporaryFile() as said, running(command, said) as tracer:
        wait_until(lambda: tracer.poll() is not None or _every_thread_is_traced(process), "strace has attached")
        if tracer.poll() is not None:
            said.seek(0)
            raise RuntimeError(said.read().decode())
        yield


@contextmanager
def refusing(process: int, call: str, error: str, path: Path) -> Iterator[None]:
    """Every such system call of the process that concerns the path fails with this error, and does nothing."""
    injection = f"inject={call}:error={error}"
    with strace(process, "-o", "/dev/null", "-P", path, "-e", f"trace={call}", "-e", injection):
        yield


def _every_thread_is_traced(process: int) -> bool:
    threads = Path(f"/proc/{process}/task").glob("*/status")
    return all("\nTracerPid:\t0\n" not in status.read_text() for status in threads)


def may_trace() -> bool:
    """Whether this machine lets us follow a process that strace did not start: many containers do not."""
    restricted = Path("/proc/sys/kernel/yama/ptrace_scope")
    if os.geteuid() != 0 and restricted.exists() and restricted.read_text().strip() != "0":
        return False
    try:
        return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


# Nothing is skipped in CI.
needs_strace = pytest.mark.skipif(
    "CI" not in os.environ and not may_trace(), reason="this machine forbids to trace processes"
)
