"""What a running server tells: to Prometheus, to systemd, to its log."""

import json
import signal
from pathlib import Path
from urllib.request import urlopen

from tests.content import digest_of, some_bytes
from tests.faults.kill.pusher import client_of
from tests.faults.serve.seen import processes_of, service_manager, status_of, wait_for_end
from tests.services import entrepot, reserved_port, wait_until


def counted(port: int, name: str = "entrepot_http_requests_total") -> float:
    """A counter so far, over all its labels, as Prometheus would read it."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def test_metrics_are_the_sum_of_all_workers_and_survive_a_reload(data_dir: Path) -> None:
    with reserved_port() as port, entrepot(data_dir, "--workers", "2", "--metrics-port", str(port)) as server:
        before, old = counted(port), set(processes_of(server).web)
        for _ in range(10):
            status_of(server, "/v2/")
        assert counted(port) == before + 10
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not old & set(processes_of(server).web), "the old workers have ended")
        status_of(server, "/v2/")
        assert counted(port) == before + 11


def test_the_progress_of_collection_and_the_bytes_it_freed_are_metrics(data_dir: Path) -> None:
    at_once = ("--gc-unlinked-grace-seconds", "1", "--gc-condemn-seconds", "1", "--gc-retire-seconds", "1")
    content = some_bytes(5000)
    with (
        reserved_port() as port,
        entrepot(data_dir, "--metrics-port", str(port), *at_once) as server,
        client_of(server) as http,
    ):
        pushed = http.post(f"/v2/app/blobs/uploads/?digest={digest_of(content)}", content=content)
        assert pushed.status_code == 201
        wait_until(lambda: counted(port, "entrepot_gc_freed_bytes_total") == len(content), "its bytes are freed")
        assert counted(port, "entrepot_gc_deleted_blobs_total") == 1
        assert counted(port, 'entrepot_gc_reviews_total{verdict="condemned"}') == 1
        assert counted(port, 'entrepot_gc_reviews_total{verdict="unlinked"}') == 1
        wait_until(lambda: counted(port, "entrepot_gc_queue_due") == 0, "nothing is due any more")


def test_metrics_are_nowhere_but_on_their_own_listener(data_dir: Path) -> None:
    with entrepot(data_dir) as server:
        assert status_of(server, "/metrics") == 404


def test_systemd_is_told_when_the_server_is_ready_and_when_it_stops(data_dir: Path, tmp_path: Path) -> None:
    with service_manager(tmp_path) as (address, told):
        with entrepot(data_dir, environment={"NOTIFY_SOCKET": address}) as server:
            wait_until(lambda: told() == ["READY=1"], "systemd is told of the start")
            server.process.send_signal(signal.SIGTERM)
            wait_for_end(server)
        assert told() == ["READY=1", "STOPPING=1"]


def test_a_person_is_told_how_to_begin_and_no_secret(data_dir: Path) -> None:
    with entrepot(data_dir, "--log-format", "console") as server:
        wait_until(lambda: "docker login" in server.said, "the lines are there")
        said = server.said
    assert f"docker login {server.login_server} -u {server.user}" in said
    assert str(server.ca) in said
    assert server.password not in said


def test_a_machine_is_told_by_one_event_in_json(data_dir: Path) -> None:
    with entrepot(data_dir, "--log-format", "json") as server:
        wait_until(lambda: '"ready"' in server.said, "the event is there")
        events = [json.loads(line) for line in server.said.splitlines()]
    (ready,) = [event for event in events if event["event"] == "ready"]
    assert (ready["login_server"], ready["endpoint"]) == (server.login_server, server.endpoint)
    assert server.password not in json.dumps(events)
