"""Connections of a run, of one kind: a thread for each, and all of them end together."""

import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from threading import Lock, Semaphore, Thread
from typing import Final, TypeAlias

CONNECTIONS: Final = 256
_ENDS_WITHIN: Final = 10.0
_LOOK_AGAIN: Final = 0.1


class Ended(Exception):
    """The run is over, and so are its connections."""


class Server:
    """``listener``: is closed by ``close``. ``serve``: one connection, which is closed after it. ``connections``: at a
    time; more of them wait until others end.
    """

    def __init__(self, listener: socket.socket, name: str, serve: "Serve", connections: int = CONNECTIONS) -> None:
        self._listener, self._name, self._work = listener, name, serve
        self._slots = Semaphore(connections)
        self._lock = Lock()
        self._streams: set[socket.socket] = set()
        self._threads: set[Thread] = set()
        self._closed = False
        self._accepting = Thread(target=self._accept, name=f"socket of {name}", daemon=True)
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

    @contextmanager
    def ending(self, stream: socket.socket) -> Generator[socket.socket]:
        """Another stream, that ends with the run at the latest. Raises Ended."""
        with stream:
            with self._lock:
                if self._closed:
                    raise Ended
                self._streams.add(stream)
            try:
                yield stream
            finally:
                with self._lock:
                    self._streams.discard(stream)

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
            thread = Thread(target=self._serve, args=(stream,), name=f"connection of {self._name}", daemon=True)
            with self._lock:
                if self._closed:
                    stream.close()
                    return
                self._streams.add(stream)
                self._threads.add(thread)
            thread.start()

    def _serve(self, stream: socket.socket) -> None:
        try:
            with suppress(Ended):
                self._work(stream, self)
        finally:
            with self._lock:
                self._streams.discard(stream)
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)  # wakes whoever still reads of it
            stream.close()
            with self._lock:
                self._threads = {thread for thread in self._threads if thread.is_alive()}
            self._slots.release()


Serve: TypeAlias = Callable[[socket.socket, Server], None]
