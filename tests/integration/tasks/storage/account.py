"""The storage of runs as clients see it, with what the management API does for them done by hand."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, insert, select, update
from tests.registry import Registry
from tests.wire import Answer, Body, Client

from entrepot.app.parts import open_content
from entrepot.app.secret_key import open_sealer
from entrepot.catalog.files.keep import keep
from entrepot.catalog.files.model import KeptFile, NewFile
from entrepot.catalog.model import RegistryId
from entrepot.content.model import ContentStore
from entrepot.db.tables import registry as registries
from entrepot.db.task_tables import task_run
from entrepot.tasks.logs.queries import append_log, set_file
from entrepot.tasks.storage.links import Links, find_source, log_url, upload_url

BLOCK_BLOB = {"x-ms-blob-type": "BlockBlob"}


@dataclass(frozen=True)
class Source:
    """A place for a source. ``target``: what a client puts into the request line."""

    http: Client
    target: str
    relative_path: str

    @property
    def file(self) -> str:
        return self.relative_path.rpartition("/")[2].partition(".")[0]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    async def put(self, body: Body, **headers: str) -> Answer:
        lines = {**BLOCK_BLOB, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return await self.http.put(self.target, body, lines)

    async def put_block(self, name: str, body: Body) -> Answer:
        """``name`` is base64 as it stands in a list."""
        encoded = name.replace("=", "%3D").replace("+", "%2B").replace("/", "%2F")
        return await self.http.put(self.target.replace("?", f"?comp=block&blockid={encoded}&"), body)

    async def put_list(self, *names: str) -> Answer:
        entries = "".join(f"<Latest>{name}</Latest>" for name in names)
        body = f"<?xml version='1.0' encoding='utf-8'?>\n<BlockList>{entries}</BlockList>".encode()
        return await self.http.put(self.target.replace("?", "?comp=blocklist&"), body)

    async def get(self, **headers: str) -> Answer:
        return await self.http.get(self.target, {name.replace("_", "-"): text for name, text in headers.items()})


@dataclass(frozen=True)
class Log:
    """A run's log: written by the run, read by a client."""

    account: "Account"
    run: int
    target: str

    def write(self, text: bytes) -> None:
        self.account.registry.query(append_log, self.run, text)

    def finish(self, status: str) -> None:
        self.account.registry.query(_finish, self.run, status, self.account.registry.clock())

    def become_a_file(self, content: bytes, expires_at: datetime | None = None) -> str:
        registry = self.account.registry
        file = NewFile(uuid4().hex, self.account.registry_id, registry.clock(), expires_at)
        keep(registry.database, self.account.store, file, [content])
        registry.query(set_file, self.run, file.id)
        return file.id

    async def head(self) -> Answer:
        return await self.account.registry.nobody.head(self.target)

    async def get(self, **headers: str) -> Answer:
        lines = {name.replace("_", "-"): text for name, text in headers.items()}
        return await self.account.registry.nobody.get(self.target, lines)


@dataclass(frozen=True)
class Account:
    """Of one registry."""

    registry: Registry
    name: str = "local"

    @property
    def registry_id(self) -> RegistryId:
        return self.registry.query(_id_of, self.name)

    @property
    def store(self) -> ContentStore:
        return open_content(self.registry.settings)

    @property
    def links(self) -> Links:
        return Links.of(open_sealer(self.registry.settings), f"http://{self.registry.host}")

    def source(self) -> Source:
        upload = self.registry.query(upload_url, self.links, self.registry_id, uuid4().hex, self.registry.clock())
        return Source(self.registry.nobody, self._target(upload.url), upload.relative_path)

    def find(self, source: Source) -> KeptFile | None:
        return self.registry.query(find_source, self.registry_id, source.relative_path)

    def content(self, source: Source) -> bytes:
        file = self.find(source)
        assert file is not None
        return b"".join(self.store.read(file.pieces, 0, file.length))

    def log(self, number: int = 1) -> Log:
        run = self.registry.query(_insert_run, self.registry_id, number, self.registry.clock())
        return Log(self, run, self._target(self.log_url(run)))

    def log_url(self, run: int) -> str:
        return self.registry.query(log_url, self.links, run, self.registry.clock())

    def _target(self, url: str) -> str:
        return url.removeprefix(f"http://{self.registry.host}")

    def advance(self, by: timedelta) -> None:
        self.registry.clock.now += by


def _id_of(tx: Connection, name: str) -> RegistryId:
    return RegistryId(tx.execute(select(registries.c.id).where(registries.c.name == name)).scalar_one())


def _insert_run(tx: Connection, registry_id: RegistryId, number: int, now: datetime) -> int:
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


def _finish(tx: Connection, run: int, status: str, now: datetime) -> None:
    tx.execute(update(task_run).where(task_run.c.id == run).values(status=status, finished_at=now))
