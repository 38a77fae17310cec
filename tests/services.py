"""What tests start and end: ``entrepot serve`` and a throw-away PostgreSQL, each in a fresh folder.

No fixtures here; a conftest makes them of these context managers. Whatever is started leads a process group of its own
and is ended by its id.
"""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO

import psycopg

READY_WITHIN = 60.0  # generous: several test workers may start servers at once on two cores
END_WITHIN = 20.0
LOOK_AGAIN_AFTER = 0.05
FIRST_WITH_ICU_ORDER = 15  # PostgreSQL


@dataclass(frozen=True)
class Registry:
    """A running ``entrepot serve``, and what a client needs to use it."""

    login_server: str  # host:port, as image names begin
    endpoint: str  # https://host:port
    user: str
    password: str
    ca: Path
    data_dir: Path
    process: "subprocess.Popen[bytes]"

    @property
    def said(self) -> str:
        """What the server has logged so far."""
        return log_of(self.data_dir).read_text(errors="replace")


def wait_until(condition: Callable[[], bool], what: str, within: float = READY_WITHIN) -> None:
    """Looks again and again until the condition holds; fails, naming ``what``, at the deadline."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {within:.0f} s still not: {what}")
        time.sleep(LOOK_AGAIN_AFTER)


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port from the kernel that nobody else is given while the block lasts, and that a server may listen on.

    A bound socket that does not listen keeps the port out of the kernel's choice, for other tests and for outgoing
    connections; both flags let a server bind it all the same.
    """
    with socket.socket() as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.bind(("127.0.0.1", 0))
        yield reservation.getsockname()[1]


@contextmanager
def running(
    command: Sequence[str | Path],
    log: IO[bytes],
    environment: Mapping[str, str] | None = None,
    ending: signal.Signals = signal.SIGTERM,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Starts a process group, and ends it with the block: politely, then SIGKILL for whatever is left of the group.

    A leader that does not heed ``ending`` fails the test that used it.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=os.environ | dict(environment or {}),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process, ending)


def _end(process: "subprocess.Popen[bytes]", ending: signal.Signals) -> None:
    try:
        if process.poll() is None:
            process.send_signal(ending)
            process.wait(END_WITHIN)
    finally:
        with suppress(ProcessLookupError):  # nothing is left of the group
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(END_WITHIN)


# --- entrepot serve ---------------------------------------------------------------------------------------------------


def log_of(data_dir: Path) -> Path:
    """Beside the data folder, not in it: that one belongs to the server."""
    return data_dir.with_name(f"{data_dir.name}.log")


def serve_command(data_dir: Path, port: int, *flags: str) -> list[str]:
    return [sys.executable, "-m", "entrepot", "serve", "--data-dir", str(data_dir), "--port", str(port), *flags]


@contextmanager
def entrepot(data_dir: Path, *flags: str, environment: Mapping[str, str] | None = None) -> Iterator[Registry]:
    """A server of its own on a free port, ready to be used. ``flags`` and ``environment`` are its settings."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (
        reserved_port() as port,
        log_of(data_dir).open("ab") as log,
        running(serve_command(data_dir, port, *flags), log, environment) as process,
    ):
        yield ready_registry(data_dir, process, lambda ca: answers(port, ca))


def ready_registry(data_dir: Path, process: "subprocess.Popen[bytes]", ready: Callable[[Path], bool]) -> Registry:
    """Waits for a server that was started with ``serve_command``; ``ready`` asks it, trusting this CA."""
    bootstrap = data_dir / "bootstrap.json"
    try:
        wait_until(
            lambda: process.poll() is not None or (bootstrap.exists() and ready(_told(data_dir, process).ca)),
            "entrepot serve is ready",
        )
    except TimeoutError as error:
        raise TimeoutError(f"{error}\n{log_of(data_dir).read_text(errors='replace')}") from None
    if process.poll() is not None:
        said = log_of(data_dir).read_text(errors="replace")
        raise RuntimeError(f"entrepot serve ended with {process.returncode}:\n{said}")
    return _told(data_dir, process)


def _told(data_dir: Path, process: "subprocess.Popen[bytes]") -> Registry:
    told = json.loads((data_dir / "bootstrap.json").read_bytes())
    return Registry(
        login_server=told["loginServer"],
        endpoint=told["endpoint"],
        user=told["clientId"],
        password=told["clientSecret"],
        ca=Path(told["caFile"]),
        data_dir=data_dir,
        process=process,
    )


def answers(port: int, ca: Path) -> bool:
    try:
        trust = ssl.create_default_context(cafile=ca)
        with urllib.request.urlopen(f"https://localhost:{port}/readyz", timeout=5, context=trust) as answer:
            return answer.status == HTTPStatus.OK
    except OSError:  # not listening, or listening and not ready (HTTPError is an OSError)
        return False


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


@contextmanager
def postgres() -> Iterator[str]:
    """A new PostgreSQL with one empty database; yields its URL, ``postgresql+psycopg://...``.

    It runs as the user ``postgres`` when the tests run as root (PostgreSQL refuses root), trusts whoever reaches its
    loopback port, and does not sync to disk: its files are gone with the block.
    """
    folder = Path(tempfile.mkdtemp(prefix="entrepot-postgres-"))
    try:
        _give_to_postgres(folder)
        with reserved_port() as port, (folder / "log").open("w+b") as log:
            subprocess.run([*_initdb(), "--pgdata", folder / "cluster"], check=True, stdout=log, stderr=log)
            with running(_postgres_server(folder, port), log, ending=signal.SIGINT):  # SIGTERM would wait for clients
                _make_database(port, folder / "log")
                yield f"postgresql+psycopg://entrepot@127.0.0.1:{port}/entrepot"
    finally:
        shutil.rmtree(folder)


def _give_to_postgres(folder: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")


def postgres_program(name: str) -> list[str]:
    """Debian and Ubuntu keep them off PATH, one folder per version; the newest is taken."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"PostgreSQL's {name} is not installed (package postgresql)")
    as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    return [*as_postgres, found] if os.geteuid() == 0 else [found]


def _initdb() -> list[str]:
    """English order on purpose: a statement that sorts names and forgets its collation shall be seen in a test."""
    command = postgres_program("initdb")
    said = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True).stdout
    major = int(said.split()[2].partition(".")[0])
    order = ["--locale-provider=icu", "--icu-locale=en-US"] if major >= FIRST_WITH_ICU_ORDER else []
    return [*command, "--auth=trust", "--username=entrepot", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", *order]


def _postgres_server(folder: Path, port: int) -> list[str | Path]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "max_connections": 200,
    }
    chosen = [f"--{name}={value}" for name, value in settings.items()]
    return [*postgres_program("postgres"), "-D", folder / "cluster", *chosen]


def _make_database(port: int, log: Path) -> None:
    try:
        wait_until(lambda: _made_database(port), "PostgreSQL answers")
    except TimeoutError as error:
        raise TimeoutError(f"{error}\n{log.read_text(errors='replace')}") from None


def _made_database(port: int) -> bool:
    try:
        with psycopg.connect(f"postgresql://entrepot@127.0.0.1:{port}/postgres", autocommit=True) as session:
            session.execute("CREATE DATABASE entrepot")
    except psycopg.OperationalError:  # not listening yet, or still starting up
        return False
    return True
