"""Machines as a run's steps use them: a line goes in, an exit code and what was said come out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from uuid import uuid4

import pytest
from tests.e2e.docker.dockerd import Engine

from entrepot.tasks.engines.docker.engine import DockerEngine
from entrepot.tasks.engines.model import Allowance, Call, Machine, Order

BOTH = pytest.mark.engines("docker", "podman")
PATIENCE = 100.0
METADATA = "169.254.169.254"
SOCKET = "--volume /var/run/docker.sock:/var/run/docker.sock"


@dataclass(frozen=True)
class Host:
    """The machine that the engine runs on: a network of its own. ``image``: has busybox and the docker client."""

    daemon: Engine
    engine: DockerEngine
    image: str


@dataclass(frozen=True)
class Bench:
    """One machine. ``source``: becomes the workspace."""

    machine: Machine
    run: str
    source: Path
    image: str
    canceled: Event = field(default_factory=Event)

    def call(self, seconds: float = PATIENCE, **more: object) -> tuple[list[bytes], Call]:
        said: list[bytes] = []
        return said, Call(said.append, seconds, self.canceled, **more)  # type: ignore[arg-type]  the members of Call

    def tried(self, line: str, seconds: float = PATIENCE, **more: object) -> tuple[int, str]:
        said, call = self.call(seconds, **more)
        code = self.machine.shell(line, call)
        return code, b"".join(said).decode(errors="replace")

    def says(self, line: str, seconds: float = PATIENCE, **more: object) -> str:
        code, said = self.tried(line, seconds, **more)
        assert code == 0, f"{line} ended with {code}: {said}"
        return said

    def refuses(self, line: str) -> str:
        code, said = self.tried(line)
        assert code != 0, f"{line} should have failed, and said: {said}"
        return said

    def step(self, flags: str, command: str = "") -> str:
        """What a container with these flags says."""
        return self.says(f"docker run --rm {flags} {self.image} {command}")

    def detached(self, name: str, flags: str = "", command: str = "sleep 1000") -> None:
        self.says(f"docker run --detach --name {name} {flags} {self.image} {command}")


@contextmanager
def machine(host: Host, folder: Path, allowance: Allowance | None = None, **more: object) -> Iterator[Bench]:
    """``more``: further members of its Order."""
    bench = opened(host, folder, allowance, **more)
    try:
        yield bench
    finally:
        bench.machine.close()


def opened(host: Host, folder: Path, allowance: Allowance | None = None, **more: object) -> Bench:
    run = f"run-{uuid4().hex[:10]}-1"
    source = folder / run
    source.mkdir(parents=True)
    order = Order(run, source, allowance or Allowance(), **more)  # type: ignore[arg-type]  the members of Order
    return Bench(host.engine.machine(order), run, source, host.image)


def seconds_of(bench: Bench, line: str) -> float:
    began = time.monotonic()
    bench.says(line)
    return time.monotonic() - began
