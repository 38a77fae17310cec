"""What a worker runs tasks with: its engine, its folder, the registries, and where sources and logs lie."""

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from entrepot.access.sealing import Sealer
from entrepot.app import queries
from entrepot.app.parts import hosts_of, new_id, open_outbound
from entrepot.catalog.files.keep import keep
from entrepot.catalog.files.model import NewFile
from entrepot.catalog.files.queries import set_expiry
from entrepot.catalog.model import RegistryId
from entrepot.content.model import ContentStore
from entrepot.db.database import Database
from entrepot.jobs.model import Workflow
from entrepot.jobs.run import Body, Run
from entrepot.jobs.wake import Jobs
from entrepot.settings import Settings
from entrepot.tasks import firing
from entrepot.tasks.contexts.model import ContextFailed
from entrepot.tasks.engines.docker.engine import DockerEngine, find
from entrepot.tasks.engines.model import Allowance, Engine
from entrepot.tasks.language.rendering import Renderer
from entrepot.tasks.runs import jobs as runs
from entrepot.tasks.runs.attempt import Site
from entrepot.tasks.runs.reading import Reader
from entrepot.tasks.runs.schedule import Scheduler
from entrepot.tasks.storage.links import find_source

# A log that no run names, because its worker died just before.
_UNNAMED: Final = timedelta(days=1)


class Engines:
    """The worker's engine: looked for when a run first needs it, and again when it was not there."""

    def __init__(self, folder: Path, deployment: Callable[[], str], socket: Path) -> None:
        self._folder, self._deployment, self._socket = folder, deployment, socket
        self._found: DockerEngine | None = None
        self._lock = threading.Lock()

    def get(self) -> Engine:
        """Raises EngineFailed."""
        with self._lock:
            if self._found is None:
                self._found = find(self._folder, self._deployment(), self._socket)
            return self._found


def workflows(settings: Settings, database: Database, store: ContentStore, sealer: Sealer) -> Mapping[Workflow, Body]:
    """What a job worker runs for tasks. Raises SettingError."""
    folder = settings.data_dir.absolute() / "tasks"
    hosts = hosts_of(settings)

    def registry(registry_id: int) -> tuple[str, str]:
        name = database.read(queries.name_of_registry, registry_id)
        return name, hosts.login_server(name)

    site = Site(
        Engines(folder, lambda: database.read(queries.deployment_id), settings.task_engine).get,
        folder,
        open_outbound(settings),
        sealer,
        _upload_from(database, store),
        registry,
        Allowance(settings.task_memory_bytes, None, settings.task_processes),
        settings.task_log_bytes,
        Reader(Renderer(), dict(each.split("=", 1) for each in settings.task_images)),
    )
    keeping = runs.Keeping(_keep_in(store), set_expiry, timedelta(seconds=settings.task_keep_seconds))
    return {
        **runs.workflows(site, keeping, settings.task_runs),
        **firing.workflows(Scheduler(sealer, Jobs(database))),
    }


def _keep_in(store: ContentStore) -> Callable[[Run, int, Iterable[bytes]], str]:
    def keep_log(run: Run, registry_id: int, pieces: Iterable[bytes]) -> str:
        file = NewFile(new_id(), RegistryId(registry_id), run.now, run.now + _UNNAMED)
        keep(run, store, file, pieces)
        return file.id

    return keep_log


def _upload_from(database: Database, store: ContentStore) -> Callable[[int, str], Iterable[bytes]]:
    def upload(registry_id: int, path: str) -> Iterable[bytes]:
        """Raises ContextFailed."""
        found = database.read(find_source, RegistryId(registry_id), path)
        if found is None:
            raise ContextFailed("the uploaded source is gone: it is kept for a week after the run was asked for")
        return store.read(found.pieces, 0, found.length)

    return upload
