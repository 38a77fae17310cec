"""The engine that a worker runs tasks on."""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import structlog

from entrepot.app import queries
from entrepot.db.database import Database
from entrepot.settings import Settings
from entrepot.tasks.engines.docker.engine import DockerEngine, Room, find
from entrepot.tasks.engines.docker.image import found_programs
from entrepot.tasks.engines.docker.report import report
from entrepot.tasks.engines.model import Engine

log: Final = structlog.stdlib.get_logger(__name__)


class Engines(Protocol):
    """Where a worker's engine comes from."""

    def get(self) -> Engine:
        """Raises EngineFailed."""
        ...

    def name(self) -> str | None:
        """With its version, once it was found."""
        ...


class FoundEngine:
    """The worker's engine: looked for when a run first needs it, and again when it was not there."""

    def __init__(self, folder: Path, deployment: Callable[[], str], settings: Settings) -> None:
        self._folder, self._deployment, self._socket = folder, deployment, settings.task_engine
        self._room = Room(settings.task_disk_bytes, settings.task_disk_free_bytes)
        self._found: DockerEngine | None = None
        self._lock = threading.Lock()

    def get(self) -> Engine:
        with self._lock:
            if self._found is None:
                self._found = find(self._folder, self._deployment(), self._socket, room=self._room)
                told = {"engine": self._found.name, "version": self._found.version}
                capped = [str(limit["Name"]) for limit in self._found.site.ulimits]
                rights = self._found.site.rights
                log.info(
                    "task_engine_found",
                    **told,
                    buildx=self._found.site.grpc,
                    capped=capped,
                    rootless=rights.is_rootless,
                    unbounded=list(rights.unbounded),
                )
            return self._found

    def name(self) -> str | None:
        found = self._found
        return None if found is None else f"{found.name} {found.version}"


def found_engine(settings: Settings, database: Database) -> FoundEngine:
    folder = settings.data_dir.absolute() / "tasks"
    return FoundEngine(folder, lambda: database.read(queries.deployment_id), settings)


def engine_lines(settings: Settings) -> list[str]:
    """What there is for runs on this machine. It does what a worker does first, so it leaves the machine's image.

    Raises EngineFailed, with what is missing.
    """
    programs = found_programs()
    with tempfile.TemporaryDirectory(prefix="entrepot-") as folder:
        return list(report(find(Path(folder), "check", settings.task_engine, programs), programs))
