"""Runs of tasks as a client asks for them, and the same by the engine's own client."""

import base64
import io
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from bench.contenders.docker import docker
from bench.management import Deployment
from bench.model import Wrong
from entrepot.cli.online.packing import pack
from entrepot.client.account import Account
from entrepot.client.http import Http
from entrepot.client.management import Management
from entrepot.client.runs import Run, Runs

_PLATFORM: Final = {"os": "linux"}
_LOOK_SECONDS: Final = 0.1


@dataclass(slots=True)
class Building:
    """A deployment whose worker runs tasks on the engine behind the socket."""

    runs: Runs
    socket: Path
    _count: int = field(default=0, init=False)

    @classmethod
    def of(cls, data: Path, socket: Path) -> Self:
        told = Deployment.of(data)
        ca = (data / "tls" / "ca.crt").read_text()
        account = Account(told.endpoint, told.client_id, told.tenant, told.client_secret, ca=ca)
        management = Management(Http(ca), account)
        return cls(Runs(management, next(iter(management.registries())).id), socket)

    def build(self) -> float:
        """Seconds of a build from the request to its end, of a context that no cache knows."""
        with self._context() as folder:
            packed = io.BytesIO()
            pack(Path(folder), "Dockerfile", packed)
            began = time.perf_counter()
            request = {"type": "DockerBuildRequest", "dockerFilePath": "Dockerfile", "platform": _PLATFORM}
            named = {"imageNames": ["bench/app:v1"], "isPushEnabled": False}
            self.wait(self.runs.schedule({**request, **named, "sourceLocation": self.runs.upload([packed.getvalue()])}))
            return time.perf_counter() - began

    def build_plainly(self) -> float:
        with self._context() as folder:
            began = time.perf_counter()
            docker(self.socket, "build", "--tag", "bench/plain:v1", folder)
            return time.perf_counter() - began

    def _context(self) -> "tempfile.TemporaryDirectory[str]":
        self._count += 1
        made = tempfile.TemporaryDirectory(prefix="context-")
        (Path(made.name) / "Dockerfile").write_text("FROM scratch\nCOPY greeting /\n")
        (Path(made.name) / "greeting").write_text(f"{time.time_ns()} {self._count}\n")
        return made

    def steps(self, commands: list[str]) -> Run:
        """Ask for a run of these commands, one after the other."""
        lines = "".join(f"  - cmd: {command}\n" for command in commands)
        content = base64.b64encode(f"version: v1.1.0\nsteps:\n{lines}".encode()).decode()
        return self.runs.schedule(
            {"type": "EncodedTaskRunRequest", "encodedTaskContent": content, "platform": _PLATFORM}
        )

    def time_steps(self, commands: list[str]) -> float:
        began = time.perf_counter()
        self.wait(self.steps(commands))
        return time.perf_counter() - began

    def wait(self, run: Run) -> None:
        """Raises Wrong for one that failed."""
        for _ in self.runs.follow(run.name):
            pass
        ended = self.runs.get(run.name).properties
        if ended.status != "Succeeded":
            raise Wrong(f"the run {run.name} ended as {ended.status}: {ended.run_error_message}")

    def wait_for_number(self, run: Run) -> None:
        """The same without its log."""
        while (ended := self.runs.get(run.name).properties).finish_time is None:
            time.sleep(_LOOK_SECONDS)
        if ended.status != "Succeeded":
            raise Wrong(f"the run {run.name} ended as {ended.status}: {ended.run_error_message}")
