"""A podman service of the tests' own, with its interface of docker's on a socket. It needs root."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.docker.dockerd import STARTS_WITHIN, Engine
from tests.services import running, wait_until

# ``podman container cleanup``, which ends each container, finds the database below the images and nowhere else.
ENGINE = """
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
static_dir = "{folder}/images/libpod"
tmp_dir = "{folder}/tmp"
volume_path = "{folder}/volumes"
"""
STORAGE = """
[storage]
driver = "{driver}"
graphroot = "{folder}/images"
runroot = "{folder}/run"
"""
START = 'echo $$ >"$0"; exec "$@"'


@contextmanager
def podman_service(within: Sequence[str | Path], owner: int = 0) -> Iterator[Engine]:
    """``within``: a command that starts it in namespaces of the caller's choice, and as this user, ``owner``."""
    folder = Path(tempfile.mkdtemp(prefix="podman-"))
    engine = Engine(folder / "podman.sock", folder / "log")
    try:
        command = [*within, *_command(folder, engine, _driver(folder) if owner == 0 else "vfs")]
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, owner)
        with engine.log.open("wb") as log, running(command, log) as process:
            _wait_for(engine, process)
            yield engine
    finally:
        wait_until(lambda: _is_removed(folder), "podman's folder is removed", STARTS_WITHIN)


def _is_removed(folder: Path) -> bool:
    """What podman starts for a container that ended still writes for a moment after its service is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _driver(folder: Path) -> str:
    """Of storage: an overlay cannot lie on an overlay."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True).stdout
    return "vfs" if "overlay" in kind else "overlay"


def _command(folder: Path, engine: Engine, driver: str) -> list[str | Path]:
    (folder / "storage.conf").write_text(STORAGE.format(folder=folder, driver=driver))
    (folder / "containers.conf").write_text(ENGINE.format(folder=folder))
    (folder / ".config" / "containers").mkdir(parents=True)
    (folder / ".config" / "containers" / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    names = {"STORAGE_CONF": "storage.conf", "CONF": "containers.conf"}
    configured = [f"CONTAINERS_{name}={folder / file}" for name, file in names.items()]
    environment = [
        "env",
        "-i",
        f"PATH={os.environ['PATH']}",
        f"HOME={folder}",
        f"XDG_RUNTIME_DIR={folder}",
        *configured,
    ]
    service = ["podman", "system", "service", "--time=0", f"unix://{engine.socket}"]
    return [*environment, "sh", "-c", START, folder / "pid", *service]


def _wait_for(engine: Engine, process: "subprocess.Popen[bytes]") -> None:
    asked = ["curl", "--silent", "--fail", "--unix-socket", engine.socket, "http://podman/_ping"]

    def answers() -> bool:
        return subprocess.run(asked, check=False, capture_output=True).returncode == 0

    wait_until(lambda: process.poll() is not None or answers(), "podman answers", STARTS_WITHIN)
    assert process.poll() is None, engine.log.read_text(errors="replace")
