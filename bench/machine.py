"""The machine that the figures belong to. Source: proc(5)."""

import os
import platform
import re
from pathlib import Path

from bench.processes import file_system


def describe(folder: Path) -> dict[str, str]:
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "cpu": _first(r"^model name\s*: (.+)$", Path("/proc/cpuinfo")) or platform.machine(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "kernel": platform.release(),
        "system": _first(r'^PRETTY_NAME="(.+)"$', Path("/etc/os-release")) or platform.system(),
        "file system of the data": file_system(folder),
        "load before the run": f"{os.getloadavg()[0]:.2f}",
    }


def _first(pattern: str, file: Path) -> str | None:
    if not file.exists():
        return None
    found = re.search(pattern, file.read_text(errors="replace"), re.MULTILINE)
    return None if found is None else found[1].strip()
