"""A docker engine of the bench's own, in a network of its own, with an image to run. It needs root."""

import io
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.contenders.lab import START_SECONDS, Lab, program
from bench.model import Unavailable
from bench.processes import Command

IMAGE: Final = "bench/tools:1"
_TOOLS: Final = ("sh", "true", "yes", "head", "sleep")
# dockerd writes into /etc/docker whatever it is told: it gets an /etc that ends with it.
_NAMESPACE: Final = """
set -e
mount -t tmpfs tmpfs "$0"
mkdir "$0/upper" "$0/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$0/upper,workdir=$0/work" /etc
ip link set lo up
exec "$@"
"""


def start_docker(lab: Lab, folder: Path) -> Path:
    """Its socket; in a short path, because a socket's has 107 characters at most. Raises Unavailable."""
    busybox, engine = program("busybox"), program("dockerd")
    home = Path(tempfile.mkdtemp(prefix="d-", dir=lab.household.folder))
    beside = folder / "docker"
    beside.mkdir()
    (home / "etc").mkdir()
    (home / "daemon.json").write_text("{}")
    socket = home / "docker.sock"
    places = {"data-root": "data", "exec-root": "exec", "pidfile": "pid", "config-file": "daemon.json"}
    words = [str(engine), f"--host=unix://{socket}", *(f"--{flag}={home / name}" for flag, name in places.items())]
    wrapped = ["unshare", "--mount", "--net", "sh", "-c", _NAMESPACE, str(home / "etc"), *words]
    owned = lab.start(Command(wrapped), beside)
    until = time.monotonic() + START_SECONDS
    while docker(socket, "version", check=False):
        if owned.process.poll() is not None or time.monotonic() > until:
            raise Unavailable(f"dockerd did not start: {owned.last_words()}")
        time.sleep(0.1)
    docker(socket, "import", "-", IMAGE, given=_tar_of(busybox))
    return socket


def docker(socket: Path, *words: str | Path, given: bytes = b"", check: bool = True) -> int:
    """Run the client as the machines of runs do; its exit code."""
    environment = {"DOCKER_HOST": f"unix://{socket}", "HOME": "/nonexistent", "DOCKER_BUILDKIT": "1", "PATH": "/"}
    client = next(path for path in ("/usr/bin/docker", shutil.which("docker") or "docker") if Path(path).exists())
    command = [client, *map(str, words)]
    done = subprocess.run(command, input=given, env=environment, check=False, capture_output=True, timeout=600)
    if check and done.returncode:
        raise Unavailable(f"docker {words[0]}: {done.stderr.decode(errors='replace')[-300:]}")
    return done.returncode


def _tar_of(busybox: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in _TOOLS:
            member = archive.gettarinfo(busybox, f"bin/{name}")
            with busybox.open("rb") as content:
                archive.addfile(member, content)
    return packed.getvalue()
