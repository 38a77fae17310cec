"""Request rates: docker and containerd meet a 429, say so, and get their image once they waited as they are told.

Neither waits by itself: docker ends at the first, containerd after some tries at once.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.e2e import containerd as daemon
from tests.e2e.clients import Shell, http_of
from tests.e2e.docker.dockerd import Build
from tests.services import Registry, entrepot, wait_until

pytestmark = pytest.mark.xdist_group("docker")

# Ten flow in each second, and a pull of an image with one layer takes four.
RATES = {
    "ENTREPOT_REQUEST_RATES": "true",
    "ENTREPOT_TIER_LIMITS": "Premium.dataplaneReadPerIdentity=600,Premium.listReferrersPerIdentity=30",
    "ENTREPOT_WORKERS": "3",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with entrepot(tmp_path_factory.mktemp("rates") / "data", environment=RATES) as registry:
        yield registry


@pytest.fixture
def pushed(docker: Shell, build: Build, image: str) -> str:
    build(f"{image}:v1")
    docker.run("docker", "push", f"{image}:v1")
    docker.run("docker", "rmi", f"{image}:v1")
    return f"{image}:v1"


@pytest.fixture
def ctr(shell: Shell, server: Registry, tmp_path: Path) -> Iterator[Callable[[], list[str | Path]]]:
    """The command that pulls with containerd."""
    hosts = daemon.hosts_for(server, tmp_path / "hosts")
    with daemon.containerd() as socket:
        yield lambda: [
            *("ctr", f"--address={socket}", "images", "pull"),
            *(f"--hosts-dir={hosts}", f"--user={server.user}:{server.password}"),
        ]


@contextmanager
def flooded(http: httpx.Client, path: str) -> Iterator[list[int]]:
    """The same identity asks as often as it can. The last that it was told to wait is in the list at the end."""
    told: list[int] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            answer = http.get(path)
            if answer.status_code == 429:
                told[:] = [int(answer.headers["retry-after"])]

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        wait_until(lambda: bool(told), "the rate is used up")
        yield told
    finally:
        over.set()
        thread.join()


def test_docker_says_that_there_were_too_many_and_pulls_after_the_wait(
    docker: Shell, pushed: str, repository: str, http: httpx.Client
) -> None:
    with flooded(http, f"/v2/{repository}/manifests/v1") as told:
        assert "toomanyrequests: too many requests" in docker.refused("docker", "pull", pushed)
    time.sleep(told[0])  # what it is told is the subject
    docker.run("docker", "pull", pushed)


def test_containerd_says_so_and_pulls_after_the_wait(
    shell: Shell, ctr: Callable[[], list[str | Path]], pushed: str, repository: str, http: httpx.Client
) -> None:
    with flooded(http, f"/v2/{repository}/manifests/v1") as told:
        assert "429 Too Many Requests" in shell.refused(*ctr(), pushed)
    time.sleep(told[0])  # the same
    shell.run(*ctr(), pushed)


def test_the_workers_of_a_server_count_together(tmp_path: Path) -> None:
    """Each connection is another worker's: with counts of their own they would let all of these in.

    On a server of its own: a question for referrers is a read as well, and the others use up what may be read.
    """
    with entrepot(tmp_path / "data", environment=RATES) as server:
        begun = time.monotonic()

        def status() -> int:
            with http_of(server) as http:
                return http.get(f"/v2/app/referrers/sha256:{'0' * 64}").status_code

        statuses = [status() for _ in range(80)]
    let_in = len(statuses) - statuses.count(429)
    assert 30 <= let_in <= 31 + (time.monotonic() - begun) / 2
