"""Calls on an engine that is slow to hand over what was said."""

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import ClassVar

import pytest

from entrepot.tasks.engines.docker.api import Api
from entrepot.tasks.engines.docker.calls import Calls
from entrepot.tasks.engines.model import Call


class StandInEngine(socketserver.StreamRequestHandler):
    """Its exec has ended from the beginning, and says its last words later; its stream stays open."""

    late_seconds: ClassVar[float] = 1.5

    def handle(self) -> None:
        method, path, _ = self.rfile.readline().decode().split()
        length = 0
        while line := self.rfile.readline().strip():
            name, _, value = line.decode().partition(":")
            length = int(value) if name.lower() == "content-length" else length
        self.rfile.read(length)
        if path.endswith("/start"):
            self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\n\r\n")
            time.sleep(self.late_seconds)
            self.wfile.write(bytes([1, 0, 0, 0, 0, 0, 0, 5]) + b"words")
            time.sleep(self.late_seconds * 2)
            return
        told = {"Id": "e1"} if method == "POST" else {"Running": False, "ExitCode": 3}
        body = json.dumps(told).encode()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Api]:
    path = tmp_path / "s"
    with Server(str(path), StandInEngine) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield Api(path)
        server.shutdown()
        serving.join()


def test_the_last_words_of_a_call_are_waited_for(engine: Api) -> None:
    said: list[bytes] = []
    assert Calls(engine, "machine").run(["true"], Call(said.append, 30.0, Event())) == 3
    assert said == [b"words"]
