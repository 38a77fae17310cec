"""Processes of a server that die come back, and one that cannot ends the server."""

import os
import signal

from tests.faults.serve.seen import Processes, processes_of, settled, status_of, wait_for_end
from tests.services import Registry, wait_until


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def test_a_web_worker_that_was_killed_comes_back(server: Registry) -> None:
    before = set(processes_of(server).web)
    kill(min(before))
    wait_until(lambda: len(set(processes_of(server).web) - before) == 1, "there is a new web worker")
    assert {status_of(server) for _ in range(8)} == {200}


def test_the_job_worker_that_was_killed_comes_back(server: Registry) -> None:
    (before,) = processes_of(server).jobs
    kill(before)
    wait_until(
        lambda: before not in (jobs := processes_of(server).jobs) and len(jobs) == 1, "there is a new job worker"
    )
    wait_until(lambda: "job_worker_died" in server.said, "the log says so")


def test_the_job_worker_stands_behind_the_web_workers(server: Registry) -> None:
    processes = settled(server)
    web, jobs = ({os.getpriority(os.PRIO_PROCESS, each) for each in few} for few in (processes.web, processes.jobs))
    assert min(jobs) > max(web)


def test_a_worker_that_dies_again_and_again_ends_the_server_with_an_error(server: Registry) -> None:
    def killed_until_the_end() -> bool:
        for process in processes_of(server).web:
            kill(process)
        return server.process.poll() is not None

    wait_until(killed_until_the_end, "the server gives up")
    assert server.process.wait() == 1
    assert "crash loop" in server.said


def test_a_server_that_lost_its_keeper_ends_with_an_error(server: Registry) -> None:
    (keeper,) = processes_of(server).keeper
    kill(keeper)
    assert wait_for_end(server) == 1
    assert "job_keeper_died" in server.said
    assert processes_of(server) == Processes((), (), ())
