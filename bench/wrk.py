"""The load generator: runs ``wrk`` and reads what it prints. Source: github.com/wg/wrk, README."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.model import Unavailable, Wrong

HERE: Final = Path(__file__).parent
LUA: Final = HERE / "lua"
SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
TOTALS: Final = re.compile(r"(\d+) requests in ([\d.]+)(us|ms|s|m|h), ")
PERCENTILE: Final = re.compile(r"^\s+(\d+)%\s+([\d.]+)(us|ms|s|m|h)\s*$", re.MULTILINE)
SOCKET_ERRORS: Final = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
BAD_STATUSES: Final = re.compile(r"Non-2xx or 3xx responses: (\d+)")
GRACE_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Load:
    """What to send. ``threads`` times one connection at least; a script's threads share nothing."""

    url: str
    connections: int
    threads: int
    seconds: float
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    script: str | None = None
    arguments: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What wrk saw; latencies in milliseconds by percentile."""

    requests: int
    seconds: float
    latency_ms: Mapping[int, float]
    socket_errors: int
    bad_statuses: int
    text: str

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    def checked(self) -> "Outcome":
        """Fast wrong answers are no answers."""
        if self.bad_statuses or self.socket_errors or not self.requests:
            raise Wrong(
                f"of {self.requests} requests {self.bad_statuses} failed, with {self.socket_errors} socket errors"
            )
        return self


def run_wrk(load: Load) -> Outcome:
    program = shutil.which("wrk")
    if program is None:
        raise Unavailable("wrk is not installed")
    done = subprocess.run(
        [program, *_words(load)],
        capture_output=True,
        text=True,
        timeout=load.seconds + GRACE_SECONDS,
        check=False,
        env=client_environment(),
    )
    if done.returncode != 0 or "requests in" not in done.stdout:
        raise Wrong(f"wrk failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return parse(done.stdout)


def client_environment() -> dict[str, str]:
    """Makes OpenSSL's clients offer one cipher (client.cnf)."""
    return os.environ | {"OPENSSL_CONF": str(HERE / "client.cnf")}


def parse(text: str) -> Outcome:
    totals = TOTALS.search(text)
    if totals is None:
        raise Wrong("wrk printed no totals")
    sockets, statuses = SOCKET_ERRORS.search(text), BAD_STATUSES.search(text)
    return Outcome(
        requests=int(totals[1]),
        seconds=float(totals[2]) * SECONDS[totals[3]],
        latency_ms={int(at): float(value) * SECONDS[unit] * 1e3 for at, value, unit in PERCENTILE.findall(text)},
        socket_errors=0 if sockets is None else sum(int(count) for count in sockets.groups()),
        bad_statuses=0 if statuses is None else int(statuses[1]),
        text=text,
    )


def _words(load: Load) -> list[str]:
    words = [f"-t{load.threads}", f"-c{load.connections}", f"-d{max(1, round(load.seconds))}s", "--latency"]
    for name, value in load.headers.items():
        words += ["-H", f"{name}: {value}"]
    if load.script is not None:
        words += ["-s", str(LUA / load.script)]
    return [*words, load.url, *(["--", *load.arguments] if load.arguments else [])]
