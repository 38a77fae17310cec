"""A backup of a server that is pushed to, deleted from and collected meanwhile, and what is restored from it."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest
from tests.content import Manifest, an_image
from tests.faults.kill.pusher import client_of
from tests.invariants import assert_clean
from tests.services import Registry, entrepot, wait_until

# Collection is at work within the seconds that the server lives.
IMPATIENT = (
    *("--workers", "2", "--access-log", "off"),
    *("--gc-unlinked-grace-seconds", "2", "--gc-condemn-seconds", "1", "--gc-retire-seconds", "1"),
)
CLIENTS = 3
SOME = 10


class Client(threading.Thread):
    """Pushes image after image into a repository of its own, and deletes every second one some pushes later."""

    def __init__(self, registry: Registry, repository: str) -> None:
        super().__init__()
        self.repository = repository
        self.kept: list[Manifest] = []  # acknowledged, and never to be deleted
        self.failures: list[Exception] = []
        self._registry = registry
        self._stopped = threading.Event()

    def run(self) -> None:
        try:
            with client_of(self._registry) as http:
                self._push_and_delete(http)
        except (AssertionError, httpx.HTTPError) as error:
            self.failures.append(error)

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def _push_and_delete(self, http: httpx.Client) -> None:
        doomed: list[Manifest] = []
        for number in count():
            if self._stopped.is_set():
                return
            image = an_image(f"{self.repository}/{number}", size=20_000)
            self._push(http, image)
            (doomed if number % 2 else self.kept).append(image)
            if len(doomed) > SOME:
                deleted = http.delete(f"/v2/{self.repository}/manifests/{doomed.pop(0).digest}")
                assert deleted.status_code == httpx.codes.ACCEPTED, deleted.text

    def _push(self, http: httpx.Client, image: Manifest) -> None:
        for digest, content in image.blobs.items():
            pushed = http.post(f"/v2/{self.repository}/blobs/uploads/?digest={digest}", content=content)
            assert pushed.status_code == httpx.codes.CREATED, pushed.text
        headers = {"content-type": image.media_type}
        pushed = http.put(f"/v2/{self.repository}/manifests/{image.digest}", content=image.body, headers=headers)
        assert pushed.status_code == httpx.codes.CREATED, pushed.text


@contextmanager
def clients_of(registry: Registry) -> Iterator[list[Client]]:
    clients = [Client(registry, f"team/app-{number}") for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.stop()


def command(*words: str | Path) -> str:
    """What the command said, which has to succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "entrepot", *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def more_pushes(clients: list[Client]) -> None:
    """Every client has kept some more images."""
    wanted = [len(client.kept) + SOME for client in clients]
    wait_until(
        lambda: (
            any(client.failures for client in clients)
            or all(len(client.kept) >= kept for client, kept in zip(clients, wanted, strict=True))
        ),
        "the clients push",
    )


@pytest.mark.timeout(180)
def test_a_backup_beside_pushes_and_collection_restores_to_whole_images(data_dir: Path, tmp_path: Path) -> None:
    with entrepot(data_dir, *IMPATIENT) as server, clients_of(server) as clients:
        more_pushes(clients)
        command("backup", tmp_path / "backup", "--data-dir", data_dir)
        more_pushes(clients)
        acknowledged = {client.repository: list(client.kept) for client in clients}
        command("backup", tmp_path / "backup", "--data-dir", data_dir)  # the second one into the same folder
        more_pushes(clients)
    assert [client.failures for client in clients] == [[], [], []]
    restored = tmp_path / "restored"
    command("restore", tmp_path / "backup", "--data-dir", restored)
    assert assert_clean(restored).manifests >= sum(map(len, acknowledged.values()))
    with entrepot(restored) as again:
        assert (again.user, again.password) == (server.user, server.password)
        with client_of(again) as http:
            for repository, images in acknowledged.items():
                for image in images:
                    assert http.get(f"/v2/{repository}/manifests/{image.digest}").content == image.body
