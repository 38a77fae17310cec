"""What is killed in these tests: a worker that delivers, and a receiver that writes down what it hears."""

import asyncio
import json
import os
import random
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import structlog
from tests.faults.here import PACE

from entrepot.app.parts import hosts_of, open_outbound
from entrepot.app.secret_key import open_sealer
from entrepot.db.database import open_database
from entrepot.jobs.worker import worker_process
from entrepot.settings import Settings
from entrepot.webhooks.jobs import Habits, Parts, workflows
from entrepot.webhooks.rules import Patience

HABITS = Habits(
    look=0.02, seconds=1.0, margin=0.5, keep=timedelta(days=1), patience=Patience(0.05, 0.2, give_up_after=3600.0)
)


def deliver(settings: Settings, log: Path) -> None:
    """To be called in a process of its own."""
    with log.open("ab") as said:
        os.dup2(said.fileno(), sys.stdout.fileno())
        os.dup2(said.fileno(), sys.stderr.fileno())
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    url = settings.database_url
    database = open_database(url.get_secret_value() if url else None, settings.data_dir)
    parts = Parts(open_sealer(settings), open_outbound(settings), hosts_of(settings).login_server, HABITS)
    worker_process(database, workflows(parts), PACE)


class Receiver(asyncio.Protocol):
    """Writes a line for each call into the file, then answers it; ``fails``: as if it had not heard."""

    def __init__(self, lines: int, fails: Callable[[], bool]) -> None:
        self._lines, self._fails, self._came = lines, fails, b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, end, body = self._came.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if self._transport is None or not end or length is None or len(body) < int(length[1]):
            return
        told = json.loads(body)
        hook, target = head.split(b" ", 2)[1][1:].decode(), told["target"]
        os.write(self._lines, f"{hook} {told['id']} {target['repository']} {target['tag']}\n".encode())
        status = b"503 Sorry" if self._fails() else b"204 Heard"
        self._transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\n\r\n")
        self._transport.close()


def receive(port: int, heard: Path, percent: int) -> None:
    """To be called in a process of its own. ``percent``: of the calls that it hears and answers as if it had not."""
    lines = os.open(heard, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    chance = random.Random(port)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Receiver(lines, lambda: chance.randrange(100) < percent), "127.0.0.1", port, reuse_port=True
        )
        await server.serve_forever()

    asyncio.run(serve())
