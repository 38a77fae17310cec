"""Entrepot as an operator starts it: ``entrepot serve``, its own certificate, its own tokens (DESIGN section 3)."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from bench.contenders.docker import start_docker
from bench.contenders.lab import Lab, wait_until_ready
from bench.contenders.postgresql import PostgreSQL, start_postgresql
from bench.contenders.postgresql import version as postgresql_version
from bench.events import EntrepotEvents
from bench.garbage import EntrepotGarbage
from bench.management import Deployment
from bench.model import OURS, OURS_BUILDING, OURS_COLLECTING, OURS_ON_POSTGRESQL, OURS_TELLING, Running
from bench.probe import EntrepotJobs
from bench.processes import Command, free_port
from bench.registry import ChallengedTokens, OverHttp, basic
from bench.seed import EntrepotSeeder

ROOT: Final = Path(__file__).parents[2]
WORKERS: Final = 2


class Entrepot:
    """On SQLite and a folder, as it comes."""

    name = OURS
    options: tuple[str, ...] = ()

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def version(self) -> str:
        return f"{_package_version()} {_revision()}, Python {sys.version.split()[0]}".replace(" ,", ",")

    def start(self, folder: Path) -> Running:
        return self._serve(folder, None)

    def _serve(self, folder: Path, database: PostgreSQL | None) -> Running:
        port, data = free_port(), folder / "data"
        words = [sys.executable, "-m", "entrepot", "serve", "--data-dir", str(data), "--port", str(port)]
        words += ["--workers", str(WORKERS), *self.options, *(["--database-url", database.url] if database else [])]
        owned, url = self._lab.start(Command(words, _environment()), folder), f"https://127.0.0.1:{port}"
        seconds = wait_until_ready(owned, url, "/readyz")
        deployment = Deployment.of(data)
        tokens = ChallengedTokens(deployment.endpoint, basic(deployment.client_id, deployment.client_secret))
        shelf = OverHttp(deployment.endpoint, tokens)
        database_url = database.url if database else None

        def restart() -> float:
            self._lab.household.stop(owned)
            return wait_until_ready(self._lab.start(Command(words, _environment()), folder), url, "/readyz")

        return Running(
            self.name,
            deployment.endpoint,
            (owned, database.owned) if database else (owned,),
            seconds,
            tokens,
            shelf,
            folder,
            seeder=EntrepotSeeder(data, database_url, shelf),
            restart=restart,
            garbage=EntrepotGarbage(data, database_url, shelf),
            job_waits=EntrepotJobs(data, database_url).waits,
            database_url=database_url,
        )


class EntrepotOnPostgreSQL(Entrepot):
    """CPU and memory of the database count as its own."""

    name = OURS_ON_POSTGRESQL

    def version(self) -> str:
        return f"{super().version()}, PostgreSQL {postgresql_version()}"

    def start(self, folder: Path) -> Running:
        return self._serve(folder, start_postgresql(self._lab, folder))


class EntrepotCollecting(Entrepot):
    """With waits of a second instead of an hour, and a rate that leaves each blob's two reviews room."""

    name = OURS_COLLECTING
    options = ("--gc-condemn-seconds", "1", "--gc-retire-seconds", "1", "--gc-rate", "2500")


class EntrepotTelling(Entrepot):
    """With a receiver of webhooks on this machine, which it may call."""

    name = OURS_TELLING
    options = ("--outbound-allow", "127.0.0.1")

    def start(self, folder: Path) -> Running:
        running, port = super().start(folder), free_port()
        beside = folder / "receiver"
        beside.mkdir()
        self._lab.start(Command([sys.executable, "-m", "bench.receiver", str(port)]), beside)
        events = EntrepotEvents(folder / "data", None, running.shelf, f"http://127.0.0.1:{port}/")
        return replace(running, events=events)


class EntrepotBuilding(Entrepot):
    """With a docker engine of its own, and one run at a time."""

    name = OURS_BUILDING

    def start(self, folder: Path) -> Running:
        socket = start_docker(self._lab, folder)
        self.options = ("--task-engine", str(socket), "--task-runs", "1")
        return replace(super().start(folder), engine=socket)


def _environment() -> dict[str, str]:
    """Without settings that the caller's shell happens to have."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ENTREPOT_")}


def _package_version() -> str:
    try:
        return version("entrepot")
    except PackageNotFoundError:
        return "source tree"


def _revision() -> str:
    """The commit, marked when the tree differs from it."""
    git = shutil.which("git")
    if git is None:
        return ""
    words = [git, "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
    return f"({done.stdout.strip()})" if done.returncode == 0 else ""
