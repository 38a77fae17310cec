"""A network of its own with one address, and an ``/etc`` that nobody else sees: there a server has a name and any port.

It needs root.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.e2e.clients import Shell
from tests.e2e.docker.dockerd import PRIVATE_ETC
from tests.services import Registry, log_of, ready_registry, running, serve_command, wait_until

ADDRESS: Final = "10.88.0.1"
DOMAIN: Final = "registry.test"

_NAMESPACE: Final = f"""
{PRIVATE_ETC}
ip link set lo up
ip address add {ADDRESS}/32 dev lo
echo "{ADDRESS} {{names}}" >>/etc/hosts
echo ready
exec sleep infinity
"""


@dataclass(frozen=True)
class Inside:
    """Commands that run in the namespaces."""

    command: list[str]
    etc: Path  # the new /etc, as it is seen from outside

    def of(self, shell: Shell) -> Shell:
        return replace(shell, prefix=self.command)


@contextmanager
def namespaces(folder: Path, names: Sequence[str]) -> Iterator[Inside]:
    """``names``: what the one address is called."""
    (folder / "etc").mkdir()
    said = folder / "log"
    script = _NAMESPACE.format(names=" ".join(names))
    make = ["unshare", "--mount", "--net", "sh", "-c", script, folder / "etc"]
    with said.open("wb") as log, running(make, log) as holder:
        wait_until(lambda: holder.poll() is not None or b"ready" in said.read_bytes(), "the namespaces are made")
        assert holder.poll() is None, said.read_text()
        enter = ["nsenter", f"--target={holder.pid}", "--mount", "--net", "--"]
        yield Inside(enter, Path(f"/proc/{holder.pid}/root/etc"))


@contextmanager
def named_server(inside: Inside, data_dir: Path, port: int, *flags: str) -> Iterator[Registry]:
    """A server whose address is not loopback and whose login servers have names. ``flags``: further settings."""
    data_dir.mkdir(exist_ok=True)
    command = [*inside.command, *serve_command(data_dir, port, f"--host={ADDRESS}", f"--domain={DOMAIN}", *flags)]

    def ready(ca: Path) -> bool:
        ask = ["curl", "--silent", "--fail", "--cacert", ca, f"https://local.{DOMAIN}:{port}/readyz"]
        return subprocess.run([*inside.command, *ask], check=False, capture_output=True).returncode == 0

    with log_of(data_dir).open("wb") as log, running(command, log) as process:
        yield ready_registry(data_dir, process, ready)
