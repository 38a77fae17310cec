"""The web workers: Granian's supervisor with three changes, each told in docs/decisions/0004.

The parent holds the listening sockets, so a connection that waits in a queue outlives the worker. A reload starts all
new workers first and keeps the old ones if they fail. Old workers then finish what they are doing, however long a
download takes.
"""

# Granian's supervisor is typed in part; what we override keeps its untyped signatures.
# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false, reportMissingParameterType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

import asyncio
import functools
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

import structlog
from granian._granian import SocketHolder  # the listener Granian takes on other systems; no public name
from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels
from granian.server.mp import MPServer, WorkerProcess

from entrepot.app.application import Application
from entrepot.app.processes import become_child
from entrepot.settings import SettingError, Settings
from entrepot.telemetry.metric_files import reserve_space
from entrepot.web.rates import Buckets

log = structlog.stdlib.get_logger(__name__)

# ASGI's own types: what a message holds is known where it is read.
Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AnyApplication = Callable[[Scope, Receive, Send], Awaitable[None]]
Loader = Callable[..., AnyApplication]
Target = Callable[..., None]  # what Granian runs in a worker

# Granian counts connections, not requests, and accepts no more when they are all held.
CONNECTIONS_PER_WORKER: Final = 8192
HEADER_SECONDS: Final = 30
# A piece of an uploaded body is as large as this at most, and so is a request's head; smaller pieces cost more (64 KiB:
# half as much again per byte, docs/decisions/0004).
_HTTP1: Final = HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=256 * 1024)
# Go clients (crane, oras) speak HTTP/2. A frame of 16 KiB, the default, costs six times more per byte.
_HTTP2: Final = HTTP2Settings(
    max_frame_size=256 * 1024,
    initial_stream_window_size=2 * 1024 * 1024,
    initial_connection_window_size=4 * 1024 * 1024,
    max_headers_size=64 * 1024,
    keep_alive_interval=60_000,
)
STOP_ACCEPTING: Final = signal.SIGUSR1
_START_SECONDS: Final = 60
_HANDSHAKE_SECONDS: Final = 5
_SETTLE_SECONDS: Final = 0.25
# Its connections may be those of clients that no longer read.
_OLD_WORKER_SECONDS: Final = 3600


class WebWorkers(MPServer):
    """Granian's supervisor, changed. The methods with a leading underscore are Granian's own names."""

    def __init__(self, settings: Settings, listeners: Sequence[socket.socket], certificate: Path | None) -> None:
        """One worker for each of the listening sockets."""
        super().__init__(
            "entrepot",
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGI,
            workers=len(listeners),
            loop=Loops.uvloop,
            http=HTTPModes.auto,
            websockets=False,
            backpressure=_connections(),
            http1_settings=_HTTP1,
            http2_settings=_HTTP2,
            log_level=LogLevels.debug if settings.log_level == "debug" else LogLevels.warning,
            log_dictconfig={"loggers": {"_granian": {"propagate": True}}},
            ssl_cert=certificate,
            ssl_key=certificate,
            ssl_protocol_min=SSLProtocols.tls12,
            workers_kill_timeout=settings.shutdown_seconds,
            respawn_failed_workers=True,
        )
        # Held while a thread of the parent works and while it forks: a lock that a thread holds at that instant would
        # stay locked for ever in the child.
        self.quiet = threading.Lock()
        self.on_stopping: Callable[[], None] = lambda: None
        self._listeners = listeners
        self._old: list[tuple[WorkerProcess, float]] = []
        every = [listener.fileno() for listener in listeners]
        # Made before the fork, so that all workers count in the same memory.
        buckets = Buckets() if settings.request_rates else None
        self._load: Loader = functools.partial(load_application, settings, os.getpid(), every, buckets=buckets)

    def run(self) -> None:
        """Serve until SIGTERM. Raises SystemExit when the workers crash again and again."""
        self.serve(target_loader=self._load, wrap_loader=False)

    def reload(self) -> None:
        """Start new workers, which read the certificate anew; as SIGHUP does. For any thread."""
        self.signal_handler_reload()

    def end(self) -> None:
        """Stop serving; as SIGTERM does. For any thread."""
        self.signal_handler_interrupt()

    def end_old_workers(self) -> None:
        """After a reload: let the old workers finish once their handshakes are through, and not longer than an hour."""
        for worker, since in self._old:
            age = time.monotonic() - since
            if age > _OLD_WORKER_SECONDS:
                log.warning("old_worker_killed", pid=worker.inner.pid)
                worker.kill()
            elif age > _HANDSHAKE_SECONDS:
                worker.terminate()
        self._old = [old for old in self._old if old[0].is_alive()]

    def _init_shared_socket(self) -> None:
        self._ssp = self._shd = self._sfd = self._sso = None

    def _drop_shared_socket(self) -> None:
        self.on_stopping()
        # A worker closes its own when it has stopped to accept, and connections to it are refused from then on. Never
        # shutdown(): Granian's accept loop would spin on the error and no longer hear the signal to stop.
        for listener in self._listeners:
            listener.close()

    def _spawn_worker(self, idx: int, target: Target, callback_loader: Loader) -> WorkerProcess:
        own = self._listeners[idx].fileno()
        not_unix = False
        self._shd = SocketHolder(own, not_unix, self.backlog)  # pyright: ignore[reportCallIssue]  # its stub lacks them
        return super()._spawn_worker(idx, target, functools.partial(callback_loader, own))

    def _spawn_workers(self, spawn_target: Target, target_loader: Loader) -> None:
        with self.quiet:
            super()._spawn_workers(spawn_target, target_loader)

    def _respawn_workers(
        self, workers: list[int], spawn_target: Target, target_loader: Loader, delay: float = 0
    ) -> None:
        with self.quiet:
            super()._respawn_workers(workers, spawn_target, target_loader, delay)

    def _stop_workers(self) -> None:
        self.wrks += [worker for worker, _ in self._old if worker.is_alive()]
        super()._stop_workers()

    def _reload(self, spawn_target: Target, target_loader: Loader) -> None:
        self.main_loop_interrupt.clear()
        self.reload_signal = False
        self._call_hooks(self.hooks_reload)
        with self.quiet:
            fresh = [self._start_beside(index, spawn_target, target_loader) for index in range(self.workers)]
        if self._have_started([told for _, told in fresh]):
            self._replace([worker for worker, _ in fresh])
        else:
            log.error("reload_failed", reason="the new workers did not start; the old ones go on")
            for worker, _ in fresh:
                worker.kill()
        if self.interrupt_signal or self.interrupt_children:
            self.main_loop_interrupt.set()

    def _start_beside(
        self, index: int, spawn_target: Target, target_loader: Loader
    ) -> tuple[WorkerProcess, Connection]:
        told, tell = get_context("fork").Pipe(duplex=False)
        worker = self._spawn_worker(index, spawn_target, functools.partial(target_loader, tell=tell))
        worker.inner.start()
        tell.close()  # so that the worker's end is an end of file
        return worker, told

    def _have_started(self, told: list[Connection]) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while told and not self.interrupt_signal and time.monotonic() < deadline:
            wait(told, timeout=0.2)
            for one in [one for one in told if one.poll()]:
                try:
                    one.recv_bytes()
                except EOFError:
                    return False
                told.remove(one)
        return not told

    def _replace(self, fresh: list[WorkerProcess]) -> None:
        old, self.wrks = self.wrks, fresh
        for worker in fresh:
            worker._watch()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # Granian's start() does it too early
        for worker in old:
            worker.interrupt_by_parent = True
            os.kill(worker.inner.pid, STOP_ACCEPTING)
        with self.quiet:
            self._old += [(worker, time.monotonic()) for worker in old]


def load_application(  # noqa: PLR0913  Granian calls it with what the parent has bound before
    settings: Settings,
    parent: int,
    listeners: Sequence[int],
    own: int,
    tell: Connection | None = None,
    *,
    buckets: Buckets | None = None,
) -> AnyApplication:
    """In a web worker: end with the parent, build the application, tell when it has started."""
    become_child(parent, "entrepot-web")
    # Until Granian serves: told to stop while it starts its threads, it waits for itself for ever.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    for listener in listeners:
        if listener != own:
            os.close(listener)  # or it would stay open when its worker stops to accept
    try:
        reserve_space()
        application = Application(settings, buckets=buckets)
    except SettingError as error:
        log.error("cannot_serve", setting=error.setting, reason=error.reason)  # noqa: TRY400  # no bug: no traceback
        sys.exit(1)

    def announced(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "lifespan":
            return application(scope, receive, functools.partial(_send_lifespan, send, own, tell))
        return application(scope, receive, send)

    return announced


async def _send_lifespan(send: Send, listener: int, tell: Connection | None, message: Message) -> None:
    await send(message)
    if message["type"] != "lifespan.startup.complete":
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(STOP_ACCEPTING, _stop_accepting, listener)
    # Granian's worker takes Ctrl-C by itself; it is for the parent to say when to stop.
    loop.remove_signal_handler(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Twice: the loop pauses while Granian starts, and only then the second wait begins.
    loop.call_later(_SETTLE_SECONDS, loop.call_later, _SETTLE_SECONDS, _hear_the_end)
    if tell is not None:
        tell.send_bytes(b"started")
        tell.close()


def _hear_the_end() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _stop_accepting(listener: int) -> None:
    """Put a socket on which nobody calls in the listener's place, in this process only.

    Granian forgets TLS handshakes under way when it is told to stop, so it must first run out of new ones.
    """
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind("")  # Linux picks an abstract name
        nobody.listen(1)
        nobody.settimeout(0)
        os.dup2(nobody.fileno(), listener, inheritable=False)


def _connections() -> int:
    """How many connections a worker may hold: each needs a file of its own, and often one that it reads or writes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(128, min(CONNECTIONS_PER_WORKER, (hard - 256) // 2))
