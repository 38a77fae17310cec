"""`entrepot serve`: prepares the data folder, then looks after web workers, the job worker and the certificate."""

import gc
import logging
import multiprocessing
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from entrepot.app.certificates import ServedCertificate
from entrepot.app.job_keeper import JobKeeper
from entrepot.app.listeners import listening
from entrepot.app.metrics_listener import serve_metrics
from entrepot.app.readiness import announce, is_ready, notify_systemd, warn_of_lockout
from entrepot.settings import SettingError, Settings
from entrepot.telemetry.logs import Format, configure_logs

if TYPE_CHECKING:
    from entrepot.app.web_workers import WebWorkers

log = structlog.stdlib.get_logger(__name__)

METRICS_FOLDER: Final = "metrics"
_LOOK_SECONDS: Final = 5.0
_PROBE_SECONDS: Final = 0.02


def serve(settings: Settings, run: Path) -> int:
    """Serve until SIGTERM; the exit code. ``run`` is the fresh folder for files of this run.

    Raises SettingError for what cannot be served with these settings.
    """
    log_format: Format = settings.log_format or ("console" if sys.stderr.isatty() else "json")
    configure_logs(log_format, settings.log_level)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every plugin that it finds
    # Python 3.14 no longer forks by default; job_keeper tells why we do.
    multiprocessing.set_start_method("fork", force=True)
    with listening(settings) as listeners, JobKeeper(settings, listeners) as jobs:
        from entrepot.app.web_workers import WebWorkers  # noqa: PLC0415  # loads while the keeper prepares

        certificate = _certificate(settings, run)
        workers = WebWorkers(settings, listeners, certificate and certificate.file)
        serve_metrics(settings, run / METRICS_FOLDER, workers.quiet)
        warn_of_lockout(settings, listeners[0].getsockname()[0])
        bootstrap = jobs.bootstrap()
        gc.freeze()  # what is loaded by now stays shared with the children
        gc.enable()  # off since the command began (cli/serve.py)
        caretaker = Caretaker(settings, workers, jobs, certificate)
        return caretaker.serve(ready=lambda: announce(settings, bootstrap, log_format))


class Caretaker:
    """Beside the workers, in a thread: tells when they are ready, then looks after certificate and processes."""

    def __init__(
        self, settings: Settings, workers: "WebWorkers", jobs: JobKeeper, certificate: ServedCertificate | None
    ) -> None:
        self._settings = settings
        self._workers = workers
        self._jobs = jobs
        self._certificate = certificate
        self._stopped = threading.Event()
        self._exit_code = 0

    def serve(self, ready: Callable[[], None]) -> int:
        """Run the workers until they are told to stop; the exit code."""
        if self._certificate is not None:
            self._workers.on_reload(self._certificate.refresh)
        self._workers.on_stopping = self._stop
        thread = threading.Thread(target=self._watch, args=(ready,), name="caretaker")
        self._workers.on_startup(thread.start)
        try:
            self._workers.run()
        finally:
            self._stopped.set()
        thread.join()
        return self._exit_code

    def _stop(self) -> None:
        self._stopped.set()
        self._jobs.stop()
        notify_systemd("STOPPING=1")

    def _watch(self, ready: Callable[[], None]) -> None:
        while not self._stopped.wait(_PROBE_SECONDS):
            with self._workers.quiet:
                answered = is_ready(self._settings)
            if answered:
                ready()
                notify_systemd("READY=1")
                break
        while not self._stopped.wait(_LOOK_SECONDS):
            try:
                with self._workers.quiet:
                    self._look()
            except Exception:
                # The loop goes on: who else would renew the certificate?
                log.exception("look_failed")

    def _look(self) -> None:
        if self._certificate is not None and self._certificate.refresh():
            self._workers.reload()
        self._workers.end_old_workers()
        if not self._jobs.is_alive() and not self._stopped.is_set():
            log.error("job_keeper_died", consequence="the server stops")
            self._exit_code = 1
            self._workers.end()


def _certificate(settings: Settings, run: Path) -> ServedCertificate | None:
    try:
        return None if settings.no_tls else ServedCertificate(settings, run / "serving.pem")
    except OSError as error:
        raise SettingError("data_dir", f"cannot write {error.filename or run}: {error.strerror}") from error
