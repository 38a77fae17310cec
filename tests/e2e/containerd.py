"""A containerd of the tests' own: its data and its socket lie in a temporary folder."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.documents import ROOT, blocks_of
from tests.services import Registry, running, wait_until

# The CRI plugin wants a network set up for pods; nothing here needs it.
CONFIGURATION = """
version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{folder}/containerd.sock"
"""
# What the guide tells to write, and where.
GUIDE = ROOT / "docs" / "guide" / "tls.md"
HOSTS_FOLDER = "/etc/containerd/certs.d"


@contextmanager
def containerd() -> Iterator[Path]:
    """The socket of a daemon whose folder's name is short: a Unix socket's path may have 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="containerd-"))
    (folder / "config.toml").write_text(CONFIGURATION.format(folder=folder))
    socket = folder / "containerd.sock"
    try:
        log = folder / "log"
        with log.open("wb") as out, running(["containerd", f"--config={folder / 'config.toml'}"], out) as process:
            wait_until(lambda: process.poll() is not None or socket.exists(), "containerd listens")
            assert process.poll() is None, log.read_text()
            yield socket
    finally:
        shutil.rmtree(folder)


def hosts_for(server: Registry, folder: Path) -> Path:
    """The guide's ``hosts.toml``, with the CA where it says; in a folder of the test's instead of /etc."""
    (shown,) = [block.text for block in blocks_of(GUIDE) if "hosts.toml" in block.text]
    of_server = folder / server.login_server
    of_server.mkdir(parents=True)
    text = shown.replace("HOST", server.login_server).replace(HOSTS_FOLDER, str(folder))
    (of_server / "hosts.toml").write_text(text)
    shutil.copy(server.ca, of_server / "ca.crt")
    return folder
