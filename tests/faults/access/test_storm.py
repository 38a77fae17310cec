"""Wrong passwords by the thousand do not stop pulls, nor eat the memory: what is slow to verify is bounded."""

import base64
import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import quantiles

import pytest
from tests.content import an_image
from tests.faults.access.deployment import PULL, connect
from tests.faults.plain import OWNER, OWNER_SECRET, plain_server, repository_of
from tests.faults.serve.test_memory import watched
from tests.services import Registry

GUESSERS = 24
PULLS = 400
# Of one worker: what two verifications at once take, and what a busy worker grows by anyway.
ALLOWED_GROWTH_MIB = 2 * 19 + 40


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Registry]:
    with plain_server(tmp_path / "data", "--workers", "2", "--access-log", "off") as registry:
        with repository_of(registry) as app:
            assert app.push(an_image(), "v1").status_code == 201
        yield registry


class Guesser(threading.Thread):
    """Tries one password after the other, for the owner or for a name that nobody has."""

    def __init__(self, server: Registry, name: str, stopped: threading.Event) -> None:
        super().__init__()
        self._server, self._name, self._stopped = server, name, stopped
        self.seen: Counter[int] = Counter()

    def run(self) -> None:
        with closing(connect(self._server)) as connection:
            number = 0
            while not self._stopped.is_set():
                number += 1
                self.seen[_ask(connection, "/oauth2/token", _basic(self._name, f"guess {number}"))] += 1


@contextmanager
def guessing(server: Registry) -> Iterator[list[Guesser]]:
    stopped = threading.Event()
    guessers = [Guesser(server, OWNER if at % 2 else f"nobody-{at}", stopped) for at in range(GUESSERS)]
    for guesser in guessers:
        guesser.start()
    try:
        yield guessers
    finally:
        stopped.set()
        for guesser in guessers:
            guesser.join()


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _ask(connection: http.client.HTTPConnection, target: str, authorization: str) -> int:
    connection.request("GET", target, headers={"authorization": authorization})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _seconds_of_pulls(server: Registry) -> list[float]:
    seconds: list[float] = []
    with closing(connect(server)) as connection:
        for _ in range(PULLS):
            started = time.monotonic()
            assert _ask(connection, PULL, _basic(OWNER, OWNER_SECRET)) == 200
            seconds.append(time.monotonic() - started)
    return seconds


def test_pulls_go_on_beside_a_flood_of_wrong_passwords(server: Registry) -> None:
    _seconds_of_pulls(server)
    with watched(server) as grown, guessing(server) as guessers:
        seconds = _seconds_of_pulls(server)
    seen = sum((guesser.seen for guesser in guessers), Counter[int]())
    assert set(seen) <= {401, 429}
    assert seen[401] > 0
    tenths = quantiles(seconds, n=10)
    assert tenths[4] < 0.1, "half of the pulls"
    assert tenths[8] < 0.5, "nine tenths of the pulls"
    assert max(grown.values()) < ALLOWED_GROWTH_MIB, grown
