"""A throw-away PostgreSQL from the system's own package, with its default settings: durable commits included."""

import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.contenders.lab import START_SECONDS, Lab, first_line
from bench.model import Unavailable
from bench.processes import Command, Owned, free_port

ACCOUNT: Final = "postgres"


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """A running server and the URL of its database."""

    owned: Owned
    url: str


def version() -> str:
    return first_line(_binary("postgres"), "--version").removeprefix("postgres (PostgreSQL) ")


def start_postgresql(lab: Lab, folder: Path) -> PostgreSQL:
    """It refuses to run as root, so root lends it the package's own account."""
    account, port, data = _account(), free_port(), folder / "postgresql"
    data.mkdir()
    if account is not None:
        shutil.chown(data, account, account)
    words = [str(_binary("initdb")), "-D", str(data), "-U", ACCOUNT, "--auth=trust", "--encoding=UTF8", "--locale=C"]
    done = subprocess.run(
        words, user=account, group=account, cwd="/", capture_output=True, text=True, timeout=START_SECONDS, check=False
    )
    if done.returncode != 0:
        raise Unavailable(f"initdb failed: {done.stderr.strip()[-300:]}")
    options = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={data}"]
    command = Command([str(_binary("postgres")), "-D", str(data), *options], farewell=signal.SIGINT, user=account)
    owned = lab.household.start(command, folder / "postgresql.log")
    _wait(owned, port)
    return PostgreSQL(owned, f"postgresql+psycopg://{ACCOUNT}@127.0.0.1:{port}/{ACCOUNT}")


def _wait(owned: Owned, port: int) -> None:
    words = [str(_binary("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
    for _ in range(int(START_SECONDS * 10)):
        if subprocess.run(words, check=False, timeout=START_SECONDS).returncode == 0:
            return
        if owned.process.poll() is not None:
            break
        _pause(owned)
    raise Unavailable(f"PostgreSQL did not start: {owned.last_words()}")


def _pause(owned: Owned) -> None:
    """A tenth of a second, less when it ends before."""
    try:
        owned.process.wait(0.1)
    except subprocess.TimeoutExpired:
        return


def _account() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(ACCOUNT).pw_name
    except KeyError as error:
        raise Unavailable("PostgreSQL does not run as root, and there is no account postgres") from error


def _binary(name: str) -> Path:
    """The newest installed version; Debian keeps them off PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    for folder in reversed(folders):
        if (folder / name).is_file():
            return folder / name
    found = shutil.which(name)
    if found is None:
        raise Unavailable("PostgreSQL is not installed")
    return Path(found)
