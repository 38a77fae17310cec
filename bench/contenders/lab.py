"""What starting any contender needs: the household, certificates, a port, and waiting until it answers."""

import shutil
import ssl
import subprocess
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Final

from bench.certificates import Certificates, TokenSigner, make_certificates
from bench.model import Unavailable, Wrong
from bench.processes import Command, Household, Owned
from bench.wire import Client

START_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Lab:
    """Shared by all contenders of a run."""

    household: Household
    certificates: Certificates
    signer: TokenSigner

    @classmethod
    def furnish(cls, household: Household) -> "Lab":
        keys = household.folder / "keys"
        keys.mkdir()
        return cls(household, make_certificates(keys), TokenSigner(keys))

    def start(self, command: Command, folder: Path) -> Owned:
        return self.household.start(command, folder / "log")


def wait_until_ready(owned: Owned, url: str, path: str, *statuses: int) -> float:
    """Seconds from its start until the server answers so; Unavailable when it ends or takes too long."""
    while time.perf_counter() - owned.begun < START_SECONDS:
        if owned.process.poll() is not None:
            raise Unavailable(f"ended with {owned.process.returncode} at the start: {owned.last_words()}")
        if _answers(url, path, statuses):
            return time.perf_counter() - owned.begun
        time.sleep(POLL_SECONDS)
    raise Unavailable(f"did not answer within {START_SECONDS:.0f} s: {owned.last_words()}")


def _answers(url: str, path: str, statuses: tuple[int, ...]) -> bool:
    client = Client(url)
    try:
        return client.ask("GET", path).status in (statuses or (HTTPStatus.OK,))
    except (OSError, HTTPException, ssl.SSLError, Wrong):
        return False
    finally:
        client.close()


def program(*names: str, folders: tuple[Path, ...] = ()) -> Path:
    """The first of the names that is on PATH or in one of the folders."""
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
        for folder in folders:
            if (folder / name).is_file():
                return folder / name
    raise Unavailable(f"{names[0]} is not installed")


def first_line(*words: str | Path) -> str:
    """What a program says about its version, on whichever stream."""
    try:
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=30, check=False)
    except OSError as error:
        raise Unavailable(f"{words[0]}: {error.strerror}") from error
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"
