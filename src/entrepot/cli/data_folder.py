"""The data folder as a server holds it: made when missing, locked against a second server, its run folder fresh.

The lock is ``flock`` on ``serve.lock``. The server's processes share it, so it is free only when the last has ended.
"""

import fcntl
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from entrepot.settings import SettingError

LOCK_FILE: Final = "serve.lock"
RUN_FOLDER: Final = "run"
# Processes of a server that was killed end with it, but not at the same instant.
_PATIENCE_SECONDS: Final = 3.0
_PAUSE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A data folder that this process holds until it ends."""

    path: Path
    run: Path
    lock: int


def hold(path: Path) -> DataFolder:
    """Make the folder when missing and take its lock. Raises SettingError for ``data_dir``."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _take(lock, path)
        os.truncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return DataFolder(path, _fresh(path / RUN_FOLDER), lock)
    except OSError as error:
        raise SettingError("data_dir", f"cannot use the folder {path}: {error.strerror}") from error


def _take(lock: int, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _taken(lock):
        holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
        if _is_alive(holder) or time.monotonic() > deadline:
            raise SettingError("data_dir", f"another server (process {holder}) uses {path.resolve()}; stop it first")
        time.sleep(_PAUSE_SECONDS)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(process: str) -> bool:
    return process.isdecimal() and Path("/proc", process).exists()


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder
