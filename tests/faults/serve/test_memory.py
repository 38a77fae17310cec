"""Memory stays flat, however large a blob is: a gigabyte through a server over TLS.

Neither side ever holds the blob: it is made while it is sent, and hashed while it comes back.
"""

import hashlib
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.faults.serve.seen import processes_of
from tests.services import Registry

MIB = 2**20
SMALL = 8
ALLOWED_GROWTH = 64
EVERY_SECONDS = 0.02


def blob(mebibytes: int) -> Iterator[bytes]:
    """No two mebibytes are the same, so nothing on the way can save itself the work."""
    rest = hashlib.shake_256(b"a blob").digest(MIB - 8)
    for number in range(mebibytes):
        yield number.to_bytes(8) + rest


class Curl:
    """The client: one request each, over TLS and the HTTP that is asked for."""

    def __init__(self, server: Registry, version: str) -> None:
        self._endpoint = server.endpoint
        identity = f"{server.user}:{server.password}"
        self._command = [
            "curl",
            "--silent",
            "--show-error",
            "--fail",
            version,
            "--cacert",
            server.ca,
            "--user",
            identity,
        ]

    def begin(self) -> str:
        said = self._said("--request", "POST", "--dump-header", "-", f"{self._endpoint}/v2/large/blobs/uploads/")
        return next(line.split(": ")[1] for line in said.splitlines() if line.lower().startswith("location"))

    def push(self, content: Iterator[bytes]) -> str:
        """As one chunk of unknown length; the digest."""
        location, running = self._endpoint + self.begin(), hashlib.sha256()
        with subprocess.Popen(
            [*self._command, "--request", "PATCH", "--upload-file", "-", location], stdin=subprocess.PIPE
        ) as sending:
            assert sending.stdin is not None
            for piece in content:
                running.update(piece)
                sending.stdin.write(piece)
        assert sending.returncode == 0
        digest = f"sha256:{running.hexdigest()}"
        self._said("--request", "PUT", "--data", "", f"{location}?digest={digest}")
        return digest

    def pull(self, digest: str) -> str:
        """The digest of what came."""
        running = hashlib.sha256()
        with subprocess.Popen(
            [*self._command, f"{self._endpoint}/v2/large/blobs/{digest}"], stdout=subprocess.PIPE
        ) as receiving:
            assert receiving.stdout is not None
            while piece := receiving.stdout.read(MIB):
                running.update(piece)
        assert receiving.returncode == 0
        return f"sha256:{running.hexdigest()}"

    def _said(self, *words: str) -> str:
        return subprocess.run([*self._command, *words], check=True, capture_output=True, text=True, timeout=60).stdout


class Memory(threading.Thread):
    """The most that each web worker had of its own: what no file backs."""

    def __init__(self, workers: tuple[int, ...]) -> None:
        super().__init__()
        self.peaks = {worker: anonymous(worker) for worker in workers}
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(EVERY_SECONDS):
            self.peaks = {worker: max(peak, anonymous(worker)) for worker, peak in self.peaks.items()}

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def anonymous(process: int) -> float:
    """MiB. Source: proc(5), /proc/PID/status."""
    with suppress(FileNotFoundError, ProcessLookupError):
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon:"))
    return 0.0


@contextmanager
def watched(server: Registry) -> Iterator[dict[int, float]]:
    """By how many MiB each web worker grew at most, once the block has ended."""
    memory = Memory(processes_of(server).web)
    before, grown = dict(memory.peaks), dict[int, float]()
    memory.start()
    try:
        yield grown
    finally:
        memory.stop()
        grown.update({worker: peak - before[worker] for worker, peak in memory.peaks.items()})


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("version", "mebibytes"), [("--http1.1", 1000), ("--http2", 400)], ids=["HTTP/1.1", "HTTP/2"])
def test_a_large_blob_pushed_and_pulled_leaves_a_workers_memory_flat(
    server: Registry, version: str, mebibytes: int
) -> None:
    curl = Curl(server, version)
    for _ in range(4):  # each worker has seen one: code and buffers that any request loads are no growth
        curl.pull(curl.push(blob(SMALL)))
    with watched(server) as pushing:
        digest = curl.push(blob(mebibytes))
    with watched(server) as pulling:
        assert curl.pull(digest) == digest
    assert len(pushing) == 2
    assert max(pushing.values()) < ALLOWED_GROWTH, pushing
    assert max(pulling.values()) < ALLOWED_GROWTH, pulling
