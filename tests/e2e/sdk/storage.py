"""What the management API does for clients of task storage, done beside a running server on its data folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Connection, func, insert, select, update
from tests.services import Registry

from entrepot.app.parts import open_content
from entrepot.app.secret_key import open_sealer
from entrepot.app.upkeep import open_existing
from entrepot.catalog.model import RegistryId
from entrepot.content.hashes import hash_pieces
from entrepot.content.model import ContentStore
from entrepot.db.database import Database
from entrepot.db.tables import registry
from entrepot.db.task_tables import task_run
from entrepot.oci.digest import CANONICAL, Digest
from entrepot.settings import Settings
from entrepot.tasks.logs.queries import append_log
from entrepot.tasks.storage.links import Links, Upload, find_source, log_url, upload_url


@dataclass(frozen=True)
class Storage:
    """Of the registry ``local``."""

    database: Database
    store: ContentStore
    links: Links

    @property
    def _registry(self) -> RegistryId:
        local = select(registry.c.id).where(registry.c.name == "local")
        return RegistryId(self.database.read(lambda tx: tx.execute(local).scalar_one()))

    def upload(self) -> Upload:
        return self.database.write(upload_url, self.links, self._registry, uuid4().hex, datetime.now(UTC))

    def digest(self, upload: Upload) -> tuple[int, Digest] | None:
        """Of the source that came in there: how long it is, and what it hashes to."""
        file = self.database.read(find_source, self._registry, upload.relative_path)
        return None if file is None else (file.length, hash_pieces(self.store, file.pieces, CANONICAL))

    def begin_run(self) -> int:
        return self.database.write(_begin_run, self._registry, datetime.now(UTC))

    def log_url(self, run: int) -> str:
        return self.database.read(log_url, self.links, run, datetime.now(UTC))

    def write(self, run: int, text: bytes) -> None:
        self.database.write(append_log, run, text)

    def finish(self, run: int, status: str) -> None:
        ended = update(task_run).where(task_run.c.id == run).values(status=status, finished_at=datetime.now(UTC))
        self.database.write(lambda tx: tx.execute(ended))


@contextmanager
def storage_of(server: Registry, origin: str) -> Iterator[Storage]:
    """``origin``: how clients reach the server."""
    settings = Settings(data_dir=server.data_dir)
    database = open_existing(settings)
    try:
        yield Storage(database, open_content(settings), Links.of(open_sealer(settings), origin))
    finally:
        database.close()


def _begin_run(tx: Connection, registry_id: RegistryId, now: datetime) -> int:
    number = tx.execute(select(func.coalesce(func.max(task_run.c.number), 0) + 1)).scalar_one()
    values = {
        "registry_id": registry_id,
        "number": number,
        "name": f"ca{number}",
        "type": "QuickRun",
        "status": "Running",
        "request": "{}",
        "created_at": now,
        "updated_at": now,
    }
    return tx.execute(insert(task_run).values(values).returning(task_run.c.id)).scalar_one()
