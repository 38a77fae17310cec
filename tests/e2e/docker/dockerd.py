"""A Docker Engine of the tests' own: its data, its containerd and its socket lie in a temporary folder."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.clients import Shell
from tests.services import running, wait_until

STARTS_WITHIN = 60.0

Build = Callable[..., None]  # makes an image of this name in the engine

# A mount namespace in which /etc is a copy: dockerd writes into /etc/docker whatever it is told, and its mounts shall
# end with it. $0 is an empty folder; the copy's upper half lies in memory, because an overlay cannot lie on an overlay.
PRIVATE_ETC = """
set -e
mount -t tmpfs tmpfs "$0"
mkdir "$0/upper" "$0/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$0/upper,workdir=$0/work" /etc
"""

# Nothing of the machine's network is touched: containers have none, or the host's.
NO_NETWORK = ("--bridge=none", "--iptables=false", "--ip6tables=false")


@dataclass(frozen=True)
class Engine:
    """One dockerd, as the docker command line reaches it from a test's own home."""

    socket: Path
    log: Path

    @property
    def process(self) -> int:
        """Its id."""
        return int(self.socket.with_name("pid").read_text())

    def seen_from(self, shell: Shell) -> Shell:
        return shell.having(DOCKER_HOST=f"unix://{self.socket}")


@contextmanager
def dockerd(
    within: Sequence[str | Path] = (), flags: Sequence[str] = NO_NETWORK, program: str = "dockerd", owner: int = 0
) -> Iterator[Engine]:
    """``within`` is a command that starts it in namespaces of the caller's choice, and as this user, ``owner``.

    The folder's name is short, because a Unix socket's path may have 107 characters and containerd adds its own.
    """
    folder = Path(tempfile.mkdtemp(prefix="dockerd-"))
    (folder / "etc").mkdir()
    (folder / "daemon.json").write_text("{}")
    engine = Engine(folder / "docker.sock", folder / "log")
    start = within or ["unshare", "--mount", "sh", "-c", PRIVATE_ETC + 'exec "$@"', folder / "etc"]
    try:
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner, owner)
        command = [*start, program, *_places(folder, engine), *flags]
        with engine.log.open("wb") as log, running(command, log) as process:
            _wait_for(engine, process)
            yield engine
    finally:
        shutil.rmtree(folder)


def _places(folder: Path, engine: Engine) -> list[str]:
    places = {"data-root": "data", "exec-root": "exec", "pidfile": "pid", "config-file": "daemon.json"}
    flags = [f"--{flag}={folder / name}" for flag, name in places.items()]
    return [f"--host=unix://{engine.socket}", *flags]


def _wait_for(engine: Engine, process: "subprocess.Popen[bytes]") -> None:
    try:
        wait_until(lambda: process.poll() is not None or _answers(engine), "dockerd answers", STARTS_WITHIN)
        assert process.poll() is None, f"dockerd ended with {process.returncode}"
    except (AssertionError, TimeoutError) as error:
        raise RuntimeError(f"{error}\n{engine.log.read_text(errors='replace')}") from None


def _answers(engine: Engine) -> bool:
    asked = ["curl", "--silent", "--fail", "--unix-socket", engine.socket, "http://docker/_ping"]
    return subprocess.run(asked, check=False, capture_output=True).returncode == 0
