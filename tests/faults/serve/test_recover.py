"""`entrepot recover` beside a running server: every web worker learns of it."""

import subprocess
import sys

from tests.faults.kill.pusher import client_of
from tests.services import Registry, wait_until


def recovered(server: Registry) -> tuple[str, str]:
    """Client id and secret, as the command prints them."""
    command = [sys.executable, "-m", "entrepot", "recover", "--data-dir", str(server.data_dir)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    client_id, secret = (line.partition(": ")[2].strip() for line in told.splitlines())
    return client_id, secret


def statuses(server: Registry, password: str) -> set[int]:
    """Of several requests, each on a connection of its own: both workers are asked."""
    found: set[int] = set()
    for _ in range(8):
        with client_of(server) as http:
            found.add(http.get("/v2/", auth=(server.user, password)).status_code)
    return found


def test_the_new_secret_works_and_the_old_one_stops_at_every_worker(server: Registry) -> None:
    assert statuses(server, server.password) == {200}
    client_id, secret = recovered(server)
    assert client_id == server.user
    wait_until(lambda: statuses(server, server.password) == {401}, "no worker takes the old secret", within=5)
    assert statuses(server, secret) == {200}
