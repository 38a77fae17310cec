"""An unprivileged user's docker or podman, and what he runs beside it. It needs root, to make the user.

The user is one of a private ``/etc`` alone, with numbers of his own in the user namespaces that he makes.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest
from tests.e2e.docker.dockerd import Engine, dockerd
from tests.e2e.namespaces import Inside
from tests.e2e.tasks.engine.podman import podman_service
from tests.services import wait_until

USER = 61_617
# What his containers' other users are on this machine.
THEIRS = range(1_061_617_000, 1_061_617_000 + 65_536)
NAME = "rootless"
ENDS_WITHIN = 20.0
# It starts dockerd by rootlesskit; where Debian's package has it.
DOCKERD = "dockerd-rootless.sh"
CONTRIB = "/usr/share/docker.io/contrib"
LOCK = Path("/dev/shm") / f"libpod_rootless_lock_{USER}"

# $0: a folder in memory. slirp4netns opens /dev/net/tun as the user, which some machines keep for root.
DEVICE = """
set -e
mkdir -p /dev/net
[ -e /dev/net/tun ] || : >/dev/net/tun
mount -t tmpfs tmpfs "$0"
mknod -m 666 "$0/tun" c 10 200
mount --bind "$0/tun" /dev/net/tun
"""
# $0: a folder on the way to the interpreter that only root may enter (often /root); $1: an empty one.
OPENED = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir -m 755 "$1/upper"
mkdir "$1/work"
mount -t overlay overlay -o "lowerdir=$0,upperdir=$1/upper,workdir=$1/work" "$0"
"""


@dataclass(frozen=True)
class Rootless:
    """``inside``: commands of the user in the namespaces; ``root``: of root. ``folder``: his own, with a short path.

    ``trust``: where the engine finds the CA of the registry that it is to trust.
    """

    root: Inside
    inside: Inside
    folder: Path
    engine: Engine
    trust: Path


@contextmanager
def rootless_engine(kind: str, inside: Inside, registry: str) -> Iterator[Rootless]:
    """``kind``: docker or podman. Skips where users make no user namespaces here."""
    folder = Path(tempfile.mkdtemp(prefix="user-"))
    os.chown(folder, USER, USER)
    his = _as_user(inside, folder)
    # BuildKit sees those folders of certificates that are there when its engine starts.
    trusted = {"docker": folder / ".config" / "docker", "podman": inside.etc / "containers"}[kind]
    trust = trusted / "certs.d" / registry
    trust.mkdir(parents=True)
    if trust.is_relative_to(folder):
        subprocess.run(["chown", "--recursive", f"{USER}:{USER}", folder / ".config"], check=True)
    try:
        _expect_namespaces(his)
        with _SERVICES[kind](his) as engine:
            yield Rootless(inside, his, folder, engine, trust / "ca.crt")
    finally:
        _end_all()
        shutil.rmtree(folder)
        LOCK.unlink(missing_ok=True)


def _docker(his: Inside) -> AbstractContextManager[Engine]:
    return dockerd(his.command, ["--storage-driver=vfs"], shutil.which(DOCKERD) or f"{CONTRIB}/{DOCKERD}", USER)


def _podman(his: Inside) -> AbstractContextManager[Engine]:
    return podman_service(his.command, USER)


_SERVICES: Final = {"docker": _docker, "podman": _podman}


def _as_user(inside: Inside, folder: Path) -> Inside:
    for file, line in (
        ("passwd", f"{NAME}:x:{USER}:{USER}::{folder}:/bin/sh"),
        ("group", f"{NAME}:x:{USER}:"),
        ("subuid", f"{NAME}:{THEIRS.start}:{len(THEIRS)}"),
        ("subgid", f"{NAME}:{THEIRS.start}:{len(THEIRS)}"),
    ):
        with (inside.etc / file).open("a") as table:
            table.write(f"{line}\n")
    for name, script, words in (("device", DEVICE, []), *_closed()):
        (folder / name).mkdir()
        subprocess.run([*inside.command, "sh", "-c", script, *words, folder / name], check=True)
    (folder / "run").mkdir(mode=0o700)
    os.chown(folder / "run", USER, USER)
    become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    environment = ["env", "-u", "TMPDIR", f"HOME={folder}", f"XDG_RUNTIME_DIR={folder / 'run'}"]
    return replace(inside, command=[*inside.command, *become, *environment])


def _closed() -> Iterator[tuple[str, str, list[str | Path]]]:
    """Our program has to be read by the user; what is closed is opened in the namespaces alone."""
    needed = {Path(sys.executable).absolute(), Path(sys.executable).resolve(), Path(__file__).resolve()}
    parents = sorted({parent for path in needed for parent in path.parents})
    for number, parent in enumerate(each for each in parents if not each.stat().st_mode & 0o001):
        yield f"opened{number}", OPENED, [parent]


def _expect_namespaces(his: Inside) -> None:
    tried = subprocess.run([*his.command, "unshare", "--user", "true"], check=False, capture_output=True, text=True)
    if tried.stderr.startswith("unshare:"):
        pytest.skip(f"users make no user namespaces here, which a rootless engine needs: {tried.stderr}")
    tried.check_returncode()


def _end_all() -> None:
    """What podman, for one, leaves for its next start: the process that keeps its namespaces, the network, monitors."""
    for process in _theirs():
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    wait_until(lambda: not _theirs(), "the user's processes are gone", ENDS_WITHIN)


def _theirs() -> list[int]:
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):  # it has just ended
            if folder.name.isdecimal() and (folder.stat().st_uid == USER or folder.stat().st_uid in THEIRS):
                found.append(int(folder.name))
    return found
