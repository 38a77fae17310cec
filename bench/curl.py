"""Pulls one large blob with ``curl`` and throws it away: no client at hand costs less per byte.

Source: curl(1), "--write-out".
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.model import Unavailable, Wrong
from bench.wrk import client_environment

MOST_SECONDS: Final = 900


@dataclass(frozen=True, slots=True)
class Download:
    """Seconds run from the connection's first packet to the last byte."""

    status: int
    size: int
    seconds: float


def download(url: str, headers: Mapping[str, str]) -> Download:
    program = shutil.which("curl")
    if program is None:
        raise Unavailable("curl is not installed")
    words = [program, "--silent", "--show-error", "--insecure", "--http1.1", "--output", "/dev/null"]
    for name, value in headers.items():
        words += ["--header", f"{name}: {value}"]
    done = subprocess.run(
        [*words, "--write-out", "%{json}", url],
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
        env=client_environment(),
    )
    if done.returncode != 0:
        raise Wrong(f"curl failed: {done.stderr.strip()[-300:]}")
    return parse(done.stdout)


def parse(text: str) -> Download:
    told = json.loads(text)
    return Download(int(told["http_code"]), int(told["size_download"]), float(told["time_total"]))
