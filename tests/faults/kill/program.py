"""``entrepot serve`` that kills its own process group with SIGKILL the Nth time it passes a named point.

Run as ``python program.py POINT N ARMED serve ...``: it counts from the moment the file ARMED is there. The points
stand around the steps that durability hangs on; they are put in from here, so that the product has none.
"""

import functools
import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from entrepot.cli import main
from entrepot.content import folder
from entrepot.db.sqlite import LockingConnection
from entrepot.gate import gate

WEB_WORKER = "granian-worker"

# An owner (module or class), the name in it, whether the kill comes before or after the call.
POINTS: dict[str, tuple[Any, str, str]] = {
    "after-write": (folder.FolderAppender, "write", "after"),
    "after-fsync": (folder.os, "fsync", "after"),
    "after-rename": (folder.os, "rename", "after"),
    "after-folder-sync": (folder, "_sync_folder", "after"),
    "before-commit": (LockingConnection, "commit", "before"),
    "after-commit": (LockingConnection, "commit", "after"),
    "before-answer": (gate, "deliver", "before"),
    "after-unlink": (folder.FolderStore, "delete", "after"),
}
# In the job worker; the others are where requests are answered.
IN_JOBS = {"after-unlink"}


def arm(point: str, hits: int, armed: Path) -> None:
    owner, name, when = POINTS[point]
    original: Callable[..., Any] = getattr(owner, name)
    passed = itertools.count(1)
    parent = os.getpid()

    def hit() -> None:
        is_web_worker = multiprocessing.current_process().name == WEB_WORKER
        here = os.getpid() != parent and (not is_web_worker if point in IN_JOBS else is_web_worker)
        if here and armed.exists() and next(passed) >= hits:
            os.killpg(os.getpgid(0), signal.SIGKILL)

    @functools.wraps(original)
    def passing(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  it stands in for any of the points
        if when == "before":
            hit()
            return original(*args, **kwargs)
        answer = original(*args, **kwargs)
        hit()
        return answer

    setattr(owner, name, passing)


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    sys.exit(main(sys.argv[4:]))
