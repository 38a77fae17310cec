"""How a server ends, and what becomes of requests in flight."""

import signal
import time
from pathlib import Path

import pytest
from tests.faults.serve.seen import (
    HalfAnUpload,
    interrupt_like_a_terminal,
    is_refused,
    lives,
    processes_of,
    wait_for_end,
)
from tests.services import Registry, entrepot, reserved_port, running, serve_command, wait_until


def test_a_request_in_flight_is_finished_while_new_ones_are_refused(server: Registry) -> None:
    upload = HalfAnUpload(server)
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: is_refused(server), "the server accepts no more")
    assert upload.finish() == 202
    assert wait_for_end(server) == 0


def test_a_request_that_takes_too_long_is_cut(data_dir: Path) -> None:
    with entrepot(data_dir, "--shutdown-seconds", "1") as server:
        upload = HalfAnUpload(server)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert wait_for_end(server) == 0
        assert time.monotonic() - begun > 1
        with pytest.raises(ConnectionError):
            upload.finish()


def test_ctrl_c_at_a_terminal_ends_the_server_as_politely(server: Registry) -> None:
    upload = HalfAnUpload(server)
    interrupt_like_a_terminal(server)
    wait_until(lambda: is_refused(server), "the server accepts no more")
    assert upload.finish() == 202
    assert wait_for_end(server) == 0
    assert "Traceback" not in server.said


def test_no_process_outlives_a_server_that_was_killed(server: Registry) -> None:
    processes = processes_of(server)
    assert [len(processes.web), len(processes.keeper), len(processes.jobs)] == [2, 1, 1]
    server.process.kill()
    wait_until(lambda: not any(map(lives, processes.every)), "every process has ended", within=2)


def test_a_killed_server_can_be_started_again_at_once(data_dir: Path) -> None:
    with entrepot(data_dir) as first:
        first.process.kill()
    with entrepot(data_dir) as second:
        assert second.user == first.user


def test_a_server_that_is_told_to_stop_while_it_starts_ends_at_once(data_dir: Path, tmp_path: Path) -> None:
    with (
        reserved_port() as port,
        (tmp_path / "log").open("w+b") as log,
        running(serve_command(data_dir, port), log) as process,
    ):
        wait_until((data_dir / "run").exists, "the server has the folder")
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: process.poll() is not None, "the server has ended", within=10)
    assert process.wait() == 0
    assert (tmp_path / "log").read_text() == ""
