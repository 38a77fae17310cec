"""Prepares the data folder, then keeps one job worker running beside the web workers, and starts it again when it dies.

A process of its own, forked from the server before that has threads: a fork is only safe without them. So the server
never opens the catalog, loads the web side meanwhile, and no secret stands on a command line.
"""

import gc
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import TYPE_CHECKING, Final, Self

import structlog

from entrepot.app.parts import open_content
from entrepot.app.processes import become_child
from entrepot.errors import Problem
from entrepot.settings import SettingError, Settings
from entrepot.telemetry.metric_files import reserve_space

if TYPE_CHECKING:
    from entrepot.app.first_start import Bootstrap

log = structlog.stdlib.get_logger(__name__)

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
# A worker that lived so long was well: the next one starts at once.
_WELL_AFTER_SECONDS: Final = 120.0
# Of the job worker (nice(2)): pulls come first, and work in the background takes what the web workers leave.
# A lower one still would let it be stopped for longer while it holds the catalog's lock (docs/performance.md).
_NICENESS: Final = 10
_HEARD: Final = frozenset({signal.SIGTERM, signal.SIGCHLD})
_fork: Final = multiprocessing.get_context("fork")


class JobKeeper:
    """The handle of the keeper in the server."""

    def __init__(self, settings: Settings, listeners: Sequence[socket.socket]) -> None:
        """The listeners are the server's own: an open copy of them here would keep the port from being given up."""
        self._seconds = settings.shutdown_seconds
        self._told, tell = _fork.Pipe(duplex=False)
        self._process = _fork.Process(target=_keep, args=(settings, listeners, os.getpid(), tell), name="job-keeper")
        self._process.start()
        tell.close()  # so that the keeper's end is an end of file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for its end; end it by force when it takes longer than requests in flight may."""
        self.stop()
        self._process.join(self._seconds)
        if self._process.is_alive():
            log.warning("job_worker_killed", waited_seconds=self._seconds)
            self._process.kill()  # takes the job worker with it
            self._process.join()

    def bootstrap(self) -> "Bootstrap":
        """Wait until the data folder is prepared. Raises SettingError."""
        try:
            answer: Bootstrap | SettingError = self._told.recv()
        except EOFError:
            raise SettingError("data_dir", "could not be prepared; the error is above") from None
        if isinstance(answer, SettingError):
            raise answer
        return answer

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def stop(self) -> None:
        """Ask the job worker to end; returns at once."""
        self._process.terminate()


def pauses() -> Iterator[float]:
    """How long to wait before each new start in a row."""
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)


def _keep(settings: Settings, listeners: Sequence[socket.socket], parent: int, tell: Connection) -> None:
    become_child(parent, "entrepot-keeper")
    for listener in listeners:
        listener.close()
    if not _prepared(settings, tell):
        return
    gc.freeze()  # what is loaded by now stays shared with the workers; here nothing more comes that could be garbage
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    waits = pauses()
    while True:
        started = time.monotonic()
        worker = _fork.Process(target=_work, args=(settings, os.getpid()), name="job-worker")
        worker.start()
        if _asked_to_stop(worker):
            worker.terminate()
            worker.join()
            return
        if time.monotonic() - started > _WELL_AFTER_SECONDS:
            waits = pauses()
        pause = next(waits)
        log.error("job_worker_died", exit_code=worker.exitcode, again_in_seconds=pause)
        if signal.sigtimedwait({signal.SIGTERM}, pause):
            return


def _prepared(settings: Settings, tell: Connection) -> bool:
    try:
        answer = _prepare(settings)
    except SettingError as error:
        answer = error
    with tell:
        tell.send(answer)
    return not isinstance(answer, SettingError)


def _prepare(settings: Settings) -> "Bootstrap | SettingError":
    from entrepot.app.first_start import prepare  # noqa: PLC0415  # loads while the server loads the web side

    try:
        _check_content(settings)
        return prepare(settings)
    except Problem as problem:
        setting = "data_dir" if settings.database_url is None else "database_url"
        return SettingError(setting, str(problem.detail.get("reason", problem.kind.name)))
    except OSError as error:
        return SettingError("data_dir", f"cannot write {error.filename or settings.data_dir}: {error.strerror}")


def _check_content(settings: Settings) -> None:
    """Only whether the URL makes sense: opening the store makes no request, and starts no thread."""
    try:
        open_content(settings)
    except Problem as problem:
        setting = "data_dir" if settings.blob_url is None else "blob_url"
        raise SettingError(setting, str(problem.detail.get("reason", problem.kind.name))) from problem


def _asked_to_stop(worker: ForkProcess) -> bool:
    """Wait until we are asked to stop, or the worker has ended (a stopped one has not)."""
    while worker.is_alive():
        if signal.sigwait(_HEARD) == signal.SIGTERM:
            return True
    return False


def _work(settings: Settings, keeper: int) -> None:
    become_child(keeper, "entrepot-jobs")
    try:
        reserve_space()
        from entrepot.app.worker import run  # noqa: PLC0415  # the keeper itself never needs it

        gc.freeze()
        gc.enable()  # off since the command began (cli/serve.py)
        # Not before: what it imports takes a second of a processor. Nor later: only threads to come inherit it.
        os.nice(_NICENESS)
        drain = min(settings.task_drain_seconds, settings.shutdown_seconds // 2)
        run(settings.model_copy(update={"task_drain_seconds": drain}))
    except SettingError as error:
        log.error("cannot_work", setting=error.setting, reason=error.reason)  # noqa: TRY400  # no bug: no traceback
        sys.exit(1)
