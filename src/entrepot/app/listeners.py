"""The server's listening sockets: one for each web worker, held by the parent.

The kernel spreads connections over them (SO_REUSEPORT). With one socket for all, whichever worker woke first took every
connection of a burst (docs/decisions/0004).
"""

import contextlib
import errno
import os
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Final

from entrepot.settings import SettingError, Settings

BACKLOG: Final = 4096
_OPTIONS: Final = (
    (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    # Accepted connections inherit these: the end of a client that vanished, or that takes no byte for five minutes.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 300_000),
)
_WHY_NOT: Final = {
    errno.EADDRINUSE: ("port", "is in use by another program"),
    errno.EACCES: ("port", "is a port that only root may use"),
    errno.EADDRNOTAVAIL: ("host", "is not an address of this machine"),
}


@contextlib.contextmanager
def listening(settings: Settings) -> Generator[list[socket.socket]]:
    """Sockets that listen on the host and port, one for each web worker. Raises SettingError."""
    with contextlib.ExitStack() as held:
        with _naming(settings):
            found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, _, _, _, address = found[0]
            with _socket(family) as alone:
                # Without SO_REUSEPORT: a second server of the same user would get half of the connections.
                alone.bind(address)
            listeners = [held.enter_context(_socket(family)) for _ in range(settings.workers or available_cores())]
            for listener in listeners:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                listener.bind(address)
                listener.listen(BACKLOG)
        yield listeners


def _socket(family: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    for option in _OPTIONS:
        made.setsockopt(*option)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return made


@contextlib.contextmanager
def _naming(settings: Settings) -> Generator[None]:
    try:
        yield
    except socket.gaierror as error:
        raise SettingError("host", f"{settings.host} has no address: {error.strerror}") from error
    except OSError as error:
        setting, reason = _WHY_NOT.get(error.errno or 0, ("host", f"cannot be listened on: {error.strerror}"))
        raise SettingError(setting, f"{settings.host}:{settings.port} {reason}") from error


def available_cores() -> int:
    """The cores that this process may use: its affinity and the container's limit."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))
