"""The certificate changes while clients use the server, and none of them notices."""

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.serve.seen import HalfAnUpload, processes_of, served_certificate, status_of
from tests.services import Registry, log_of, reserved_port, running, serve_command, wait_until

from entrepot.app.certificates import made_certificate

CLIENTS = 4


class Clients(threading.Thread):
    """Ask again and again, on a new connection each time."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._registry = registry
        self._stopped = threading.Event()
        self.answers: list[int] = []
        self.failures: list[str] = []

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.answers.append(status_of(self._registry))
            except OSError as error:
                self.failures.append(repr(error))

    def stop(self) -> None:
        self._stopped.set()
        self.join()


@contextmanager
def busy(registry: Registry) -> Iterator[list[Clients]]:
    clients = [Clients(registry) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.stop()


def pair(folder: Path, name: str) -> Path:
    """A folder with server.crt and server.key, of a CA of its own."""
    made_certificate(folder / name, ("localhost", "127.0.0.1"), datetime.now(UTC))
    return folder / name


def install(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for file in ("server.crt", "server.key"):
        shutil.copy(source / file, target / f".{file}")
        (target / f".{file}").replace(target / file)


@contextmanager
def serving(data_dir: Path, certificates: Path) -> Iterator[Registry]:
    """A server with an operator's certificate."""
    files = ["--tls-cert", str(certificates / "server.crt"), "--tls-key", str(certificates / "server.key")]
    with (
        reserved_port() as port,
        log_of(data_dir).open("ab") as log,
        running(serve_command(data_dir, port, "--workers", "2", *files), log) as process,
    ):
        endpoint = f"https://localhost:{port}"
        registry = Registry(f"localhost:{port}", endpoint, "", "", certificates / "server.crt", data_dir, process)
        wait_until(lambda: '"ready"' in registry.said, "the server is ready")
        yield registry


def test_files_that_an_operator_replaces_are_served_without_one_failed_request(data_dir: Path, tmp_path: Path) -> None:
    install(pair(tmp_path, "first"), tmp_path / "live")
    with serving(data_dir, tmp_path / "live") as server, busy(server) as clients:
        before, old = served_certificate(server), set(processes_of(server).web)
        install(pair(tmp_path, "second"), tmp_path / "live")
        wait_until(lambda: served_certificate(server) != before, "the new certificate is served")
        wait_until(lambda: not old & set(processes_of(server).web), "the old workers have ended")
    assert [failure for client in clients for failure in client.failures] == []
    assert {answer for client in clients for answer in client.answers} == {200}


def test_a_replacement_that_cannot_serve_is_told_and_not_served(data_dir: Path, tmp_path: Path) -> None:
    install(pair(tmp_path, "first"), tmp_path / "live")
    with serving(data_dir, tmp_path / "live") as server:
        before = served_certificate(server)
        (tmp_path / "live" / "server.crt").write_text("not a certificate")
        wait_until(lambda: "certificate_refused" in server.said, "the log says so")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(processes_of(server).web) > 2, "workers are started anew all the same")
        assert served_certificate(server) == before


def test_our_own_certificate_is_made_anew_on_sighup_and_without_one_failed_request(server: Registry) -> None:
    with busy(server) as clients:
        before, old = served_certificate(server), set(processes_of(server).web)
        (server.data_dir / "tls" / "server.crt").unlink()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: served_certificate(server) != before, "the new certificate is served")
        wait_until(lambda: not old & set(processes_of(server).web), "the old workers have ended")
    assert [failure for client in clients for failure in client.failures] == []
    assert {answer for client in clients for answer in client.answers} == {200}


def test_an_upload_that_was_under_way_at_a_reload_is_finished_by_the_old_worker(server: Registry) -> None:
    upload, old = HalfAnUpload(server), set(processes_of(server).web)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(old & set(processes_of(server).web)) == 1, "only the worker with the upload is left")
    assert upload.finish() == 202
    wait_until(lambda: not old & set(processes_of(server).web), "the old workers have ended")
