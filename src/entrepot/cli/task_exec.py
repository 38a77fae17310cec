"""`entrepot task exec`: a task file, run on this machine's docker against a registry anywhere."""

import argparse
import base64
import binascii
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from entrepot.cli.refusal import FAILED, INTERRUPTED, USAGE, Refusal

if TYPE_CHECKING:
    from entrepot.cli.local_task import Here, Ready
    from entrepot.cli.parsing import Commands
    from entrepot.tasks.engines.model import Order
    from entrepot.tasks.execution.model import Login, Outcome

TEXT: Final = "Run a task file on this machine's docker: the same steps and the same log as in the registry."
_ENGINE: Final = Path("/var/run/docker.sock")
_LIMIT: Final = 1024 * 1024
_HOUR: Final = 3600


def register(verbs: "Commands") -> None:
    parser = verbs.add_parser("exec", help=TEXT, description=TEXT, allow_abbrev=False)
    parser.add_argument("file", help="the task file")
    parser.add_argument("source", nargs="?", help="the folder that becomes /workspace; without it, it is empty")
    parser.add_argument("--registry", default="localhost:5000", metavar="HOST", help="the login server: $Registry")
    parser.add_argument("--username", help="sign in to it by this name; without it, as docker is signed in")
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a value: {{.Values.NAME}}")
    parser.add_argument("--set-secret", action="append", default=[], metavar="NAME=VALUE", help="one that is masked")
    parser.add_argument("--image", action="append", default=[], metavar="NAME=REFERENCE", help="the image of an alias")
    parser.add_argument(
        "--vaults", action="append", default=[], metavar="NAME=FOLDER", help="the files of a vault that secrets name"
    )
    parser.add_argument("--timeout", type=int, default=_HOUR, metavar="SECONDS", help="for the whole run: 3600")
    parser.add_argument("--engine", type=Path, default=_ENGINE, metavar="SOCKET", help=f"docker's socket: {_ENGINE}")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit codes: 0, 1 for a run that failed, 2 for what is no task, 130 when it was interrupted."""
    from entrepot.tasks.engines.model import Canceled, EngineFailed
    from entrepot.tasks.execution.model import Ending

    began, name, logins, canceled = time.monotonic(), f"local-{secrets.token_hex(4)}", _logins(arguments), _interrupt()
    with tempfile.TemporaryDirectory(prefix="entrepot-") as folder:
        try:
            ready = _ready(arguments, _here(arguments, name, logins, canceled, Path(folder)))
            left = arguments.timeout - (time.monotonic() - began)
            outcome = _execute(ready, _Run(arguments, name, logins, canceled, left), Path(folder))
        except Canceled:
            return INTERRUPTED
        except EngineFailed as failed:
            raise Refusal([f"docker at {arguments.engine}: {failed}"]) from None
    if outcome.ending is Ending.CANCELED:
        return INTERRUPTED
    print(f"Run ID: {name} {outcome.ending}" + (f". Error: {outcome.error}" if outcome.error else ""))
    return 0 if outcome.ending is Ending.SUCCEEDED else FAILED


def _interrupt() -> threading.Event:
    """Set by Ctrl-C, and by whoever ends the process."""
    canceled = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: canceled.set())
    return canceled


@dataclass(frozen=True, slots=True)
class _Run:
    """``seconds``: how much of its time is left."""

    arguments: argparse.Namespace
    name: str
    logins: "tuple[Login, ...]"
    canceled: threading.Event
    seconds: float


def _execute(ready: "Ready", run: _Run, folder: Path) -> "Outcome":
    """Raises EngineFailed."""
    from entrepot.tasks.engines.docker.engine import find
    from entrepot.tasks.execution.executor import execute
    from entrepot.tasks.execution.model import Work

    arguments = run.arguments
    machine = find(folder, run.name, arguments.engine).machine(_order(arguments, run.name, folder / "source"))
    try:
        work = Work(
            run.name,
            ready.task,
            arguments.registry,
            arguments.timeout,
            run.seconds,
            run.logins,
            fetched=ready.fetched,
        )
        return execute(work, machine, _Console(ready.secrets), run.canceled)
    finally:
        machine.close()


def _order(arguments: argparse.Namespace, name: str, source: Path) -> "Order":
    from entrepot.cli.local_task import registry_client
    from entrepot.tasks.engines.model import Order
    from entrepot.tasks.engines.registry import own_registry

    server = arguments.registry
    return Order(name, source, registry=own_registry(server, "https", partial(registry_client, server)))


class _Console:
    """The log, as it comes."""

    def __init__(self, hidden: list[str]) -> None:
        from entrepot.tasks.logs.masking import Masker

        self._masker = Masker(hidden)
        self._lock = threading.Lock()

    def say(self, text: str, /) -> None:
        with self._lock:
            line = f"{datetime.now(UTC):%Y/%m/%d %H:%M:%S} {text}\n".encode()
            self._write(self._masker.mask(line) + self._masker.end())

    def raw(self, output: bytes, /) -> None:
        with self._lock:
            self._write(self._masker.mask(output))

    def _write(self, shown: bytes) -> None:
        sys.stdout.buffer.write(shown)
        sys.stdout.buffer.flush()


def _here(
    arguments: argparse.Namespace, name: str, logins: "tuple[Login, ...]", canceled: threading.Event, folder: Path
) -> "Here":
    """With a copy of the source. Raises Refusal."""
    from entrepot.cli.local_task import Here

    source, scratch = folder / "source", folder / "scratch"
    _copy(arguments.source, source)
    scratch.mkdir(mode=0o700)
    images, vaults = _pairs(arguments.image, "--image"), _pairs(arguments.vaults, "--vaults")
    return Here(name, arguments.registry, source, scratch, images, vaults, logins, canceled)


def _ready(arguments: argparse.Namespace, here: "Here") -> "Ready":
    """Nothing has run yet when it refuses. Raises Refusal, Canceled."""
    from entrepot.cli.local_task import read_here
    from entrepot.tasks.contexts.model import ContextFailed
    from entrepot.tasks.language.findings import TaskInvalid
    from entrepot.tasks.runs.model import Steps

    work = Steps(text=_text(arguments.file), values=_pairs(arguments.set, "--set"))
    try:
        return read_here(here, work, _pairs(arguments.set_secret, "--set-secret"))
    except TaskInvalid as wrong:
        raise Refusal([f"{arguments.file}: {finding}" for finding in wrong.findings], USAGE) from wrong
    except ContextFailed as wrong:
        raise Refusal([f"{arguments.file}: {wrong}"], USAGE) from wrong


def _text(name: str) -> str:
    """Raises Refusal."""
    try:
        with Path(name).open(encoding="utf-8", newline="") as file:
            return file.read(_LIMIT)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise Refusal([f"{name}: {reason}"], USAGE) from None


def _pairs(given: list[str], flag: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not name or not sign:
            raise Refusal([f"{flag} {name}: NAME=VALUE is expected"], USAGE)
        pairs[name] = value
    return pairs


def _copy(source: str | None, folder: Path) -> None:
    """The run owns its files: what it does to them is not done to the user's. Raises Refusal."""
    try:
        if source is None:
            folder.mkdir()
        else:
            shutil.copytree(source, folder, symlinks=True)
    except (OSError, shutil.Error) as error:
        raise Refusal([f"{source}: {error}"], USAGE) from None


# --- signing in -------------------------------------------------------------------------------------------------------


class _Auth(msgspec.Struct):
    auth: str = ""


class _Docker(msgspec.Struct):
    auths: dict[str, _Auth] = {}


def _logins(arguments: argparse.Namespace) -> "tuple[Login, ...]":
    """By name and password, or all that docker itself is signed in to. Raises Refusal."""
    from entrepot.tasks.execution.model import Login

    if arguments.username:
        if not arguments.password_stdin:
            raise Refusal(["--username needs --password-stdin"], USAGE)
        return (Login(arguments.registry, arguments.username, sys.stdin.readline().rstrip("\r\n")),)
    return tuple(Login(server, *pair) for server, pair in _of_docker(os.environ).items())


def _of_docker(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """What stands in docker's own configuration; nothing of what a credential helper keeps."""
    folder = environment.get("DOCKER_CONFIG") or Path(environment.get("HOME", "/root")) / ".docker"
    try:
        kept = msgspec.json.decode((Path(folder) / "config.json").read_bytes(), type=_Docker)
    except (OSError, msgspec.MsgspecError):
        return {}
    found: dict[str, tuple[str, str]] = {}
    for server, each in kept.auths.items():
        try:
            user, colon, password = base64.b64decode(each.auth).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            continue
        if colon and user:
            found[server] = (user, password)
    return found
