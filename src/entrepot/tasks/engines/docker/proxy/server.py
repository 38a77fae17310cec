"""A run's socket, behind which its engine is."""

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from entrepot.tasks.engines.docker.api import connected
from entrepot.tasks.engines.docker.proxy.channel import Channel
from entrepot.tasks.engines.docker.proxy.exchange import serve
from entrepot.tasks.engines.docker.proxy.model import Run
from entrepot.tasks.engines.docker.serving import Server
from entrepot.tasks.engines.model import EngineFailed

_WAITING: Final = 128


class Proxy(Server):
    """``place``: where it listens; ``engine``: the engine's own socket. A ``docker run`` needs three connections."""

    def __init__(self, place: Path, engine: Path, run: Run) -> None:
        self._engine, self._run = engine, run
        super().__init__(listening(place), run.name, self._one)

    def _one(self, stream: socket.socket, _: Server) -> None:
        serve(Channel(stream), self._run, self._reached)

    @contextmanager
    def _reached(self) -> Generator[socket.socket]:
        with self.ending(connected(self._engine, None)) as stream:
            yield stream


def listening(place: Path) -> socket.socket:
    """Everybody in a container of the run may use it, whatever user the container has; its folder is the worker's."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        folder = os.open(place.parent, os.O_DIRECTORY)
        try:
            # A socket's path may have 107 bytes, and a data folder's more.
            listener.bind(f"/proc/self/fd/{folder}/{place.name}")
        finally:
            os.close(folder)
        place.chmod(0o666)
        listener.listen(_WAITING)
    except OSError as error:
        listener.close()
        raise EngineFailed(f"{place}: {error}") from None
    return listener
