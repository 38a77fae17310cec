"""A run's socket: it listens, has a thread for each connection, and ends with all of them."""

import os
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Semaphore, Thread
from typing import Final

from entrepot.tasks.engines.docker.api import connected
from entrepot.tasks.engines.docker.proxy.channel import Channel, Closed
from entrepot.tasks.engines.docker.proxy.exchange import serve
from entrepot.tasks.engines.docker.proxy.model import Run
from entrepot.tasks.engines.model import EngineFailed

# A ``docker run`` needs three. More of them wait until others end.
CONNECTIONS: Final = 256
_WAITING: Final = 128
_ENDS_WITHIN: Final = 10.0
_LOOK_AGAIN: Final = 0.1


class Proxy:
    """``place``: where it listens; ``engine``: the engine's own socket."""

    def __init__(self, place: Path, engine: Path, run: Run) -> None:
        self._engine, self._run = engine, run
        self._listener = _listening(place)
        self._slots = Semaphore(CONNECTIONS)
        self._lock = Lock()
        self._streams: set[socket.socket] = set()
        self._threads: set[Thread] = set()
        self._closed = False
        self._accepting = Thread(target=self._accept, name=f"socket of {run.name}", daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """No connection and no thread is left afterwards."""
        with self._lock:
            self._closed = True
            streams, threads = list(self._streams), list(self._threads)
        for stream in [self._listener, *streams]:
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        self._slots.release()  # where all are taken, the thread that accepts waits for one
        for thread in [self._accepting, *threads]:
            thread.join(_ENDS_WITHIN)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            self._slots.acquire()
            try:
                stream, _ = self._listener.accept()
            except OSError:  # closed; or too many files are open for now
                if self._closed:
                    return
                self._slots.release()
                time.sleep(_LOOK_AGAIN)
                continue
            thread = Thread(target=self._serve, args=(stream,), name=f"connection of {self._run.name}", daemon=True)
            with self._lock:
                if self._closed:
                    stream.close()
                    return
                self._streams.add(stream)
                self._threads.add(thread)
            thread.start()

    def _serve(self, stream: socket.socket) -> None:
        try:
            serve(Channel(stream), self._run, self._reached)
        finally:
            with self._lock:
                self._streams.discard(stream)
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)  # wakes whoever still reads of it
            stream.close()
            with self._lock:
                self._threads = {thread for thread in self._threads if thread.is_alive()}
            self._slots.release()

    @contextmanager
    def _reached(self) -> Generator[socket.socket]:
        with connected(self._engine, None) as stream:
            with self._lock:
                if self._closed:
                    raise Closed
                self._streams.add(stream)
            try:
                yield stream
            finally:
                with self._lock:
                    self._streams.discard(stream)


def _listening(place: Path) -> socket.socket:
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
