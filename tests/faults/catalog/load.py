"""Clients that push and pull all the time, and hold the server to its word. No fixtures here."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx
from tests.content import Manifest, an_image
from tests.faults.plain import Repository, repository_of, told
from tests.services import Registry, wait_until

UNAVAILABLE = (503, "UNAVAILABLE")


@dataclass
class Client:
    """One repository's only writer; each image is another one, so that none is pushed by chance before."""

    registry: Registry
    name: str
    stopped: threading.Event
    pushed: dict[str, Manifest] = field(default_factory=dict)
    refused: int = 0
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        number = 0
        with repository_of(self.registry, self.name) as repository:
            while not self.stopped.is_set():
                number += 1
                try:
                    self._push(repository, f"v{number}", an_image(f"{self.name}/{number}", layers=1))
                    self._pull(repository)
                except Exception as error:  # noqa: BLE001  the thread's end would go unnoticed
                    self.failures.append(repr(error))

    def _push(self, repository: Repository, tag: str, image: Manifest) -> None:
        answer = repository.push(image, tag)
        if answer.status_code == HTTPStatus.CREATED:
            self.pushed[tag] = image
        else:
            self._note(answer)

    def _pull(self, repository: Repository) -> None:
        """What was promised last is there, or the server says that it cannot tell."""
        for tag, image in list(self.pushed.items())[-1:]:
            answer = repository.http.get(repository.path(f"manifests/{tag}"))
            if answer.status_code != HTTPStatus.OK:
                self._note(answer)
            elif answer.content != image.body:
                self.failures.append(f"{tag} is another manifest")

    def _note(self, answer: httpx.Response) -> None:
        if told(answer) == UNAVAILABLE and "retry-after" in answer.headers:
            self.refused += 1
        else:
            self.failures.append(f"{answer.request.method} {answer.url.path}: {answer.status_code} {answer.text}")

    def verify(self) -> None:
        """Every promise is kept, and nothing but promises and clear refusals was answered."""
        assert self.failures == []
        with repository_of(self.registry, self.name) as repository:
            for tag, image in self.pushed.items():
                assert repository.pull(tag) == image


@contextmanager
def load(registry: Registry, clients: int = 3) -> Iterator[list[Client]]:
    """At work from the first promise of each one on; after the block they have stopped, and each is verified."""
    stopped = threading.Event()
    working = [Client(registry, f"app-{number}", stopped) for number in range(clients)]
    threads = [threading.Thread(target=client.run) for client in working]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: all(client.pushed for client in working), "every client has pushed")
        yield working
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
    for client in working:
        client.verify()
