"""The real registry in this process: its application over ASGI, a clock that the test moves, and catalogs in no time.

``Registry`` is what tests of /v2 hold; ``Repository`` and ``Upload`` are what a client does all day. Fixtures that make
them stand in the conftest of each folder (tests/integration/conftest.py has those for both databases).
"""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from pydantic import SecretStr
from sqlalchemy import Connection, update
from sqlalchemy.engine import make_url
from tests.content import Manifest, digest_of
from tests.wire import Answer, Body, Client, Headers, Lifespan

from entrepot.access.secrets import hash_generated
from entrepot.app.application import Application
from entrepot.app.first_start import prepare
from entrepot.app.queries import set_anonymous_pull
from entrepot.db.access_tables import credential
from entrepot.db.database import CATALOG_FILE, Database, open_database
from entrepot.settings import Settings
from entrepot.web.rates import Buckets

OWNER = "the-owner"
OWNER_SECRET = "the-owner's-secret"
HOST = "localhost:5000"
# 32 bytes in base64. Catalogs are copied, so every copy is opened with it.
SECRET_KEY = "dGhlIGtleSBvZiBhbGwgY2F0YWxvZ3MgaW4gdGVzdHM="

# Long past, so that nothing agrees with the machine's clock by chance.
BEGINNING = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


class FakeClock:
    """A clock that stands still until the test moves it."""

    def __init__(self, now: datetime = BEGINNING) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        """By what ``timedelta`` takes: ``seconds=5``, ``minutes=61``."""
        self.now += timedelta(**by)


@dataclass
class Registry:
    """One worker's application, started. ``http`` is its owner's client; ``nobody`` carries no credential."""

    app: Application
    settings: Settings
    clock: FakeClock
    database: Database
    host: str = HOST

    @property
    def nobody(self) -> Client:
        return Client(self.app, self.host)

    @property
    def http(self) -> Client:
        return self.nobody.signed_in(OWNER, OWNER_SECRET)

    def repository(self, name: str = "app", http: Client | None = None) -> "Repository":
        return Repository(http or self.http, name)

    async def token(self, *scopes: str, client: Client | None = None) -> str:
        """An access token as a client gets it. Scopes as ``repository:app:pull,push``."""
        query = "&".join(["service=" + self.host, *(f"scope={scope}" for scope in scopes)])
        answer = await (client or self.http).get(f"/oauth2/token?{query}")
        assert answer.status == 200, answer.body
        return answer.json()["access_token"]

    async def bearer(self, *scopes: str) -> Client:
        """A client with a token for these scopes of the owner's."""
        return self.nobody.bearing(await self.token(*scopes))

    def query(self, work: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401  what the work takes and answers
        """Look into the catalog, or set what no interface sets yet, past the application."""
        return self.database.write(work, *args)


@asynccontextmanager
async def started(
    settings: Settings, clock: FakeClock | None = None, buckets: Buckets | None = None
) -> AsyncIterator[Registry]:
    """A worker on a catalog that ``prepare`` (or ``Catalogs``) has made. ``buckets``: what it counts requests in."""
    clock = clock or FakeClock()
    url = settings.database_url
    with closing(open_database(url.get_secret_value() if url else None, settings.data_dir, pool_size=2)) as database:
        database.write(set_anonymous_pull, "local", settings.anonymous_pull)
        app = Application(settings, clock, buckets)
        async with Lifespan(app):
            yield Registry(app, settings, clock, database)


# --- catalogs: made once, copied for each test ------------------------------------------------------------------------


def settings_for(data_dir: Path, **more: Any) -> Settings:  # noqa: ANN401  any setting's value
    """Plain HTTP, quiet, with the owner that tests sign in as."""
    chosen: dict[str, Any] = {
        "data_dir": data_dir,
        "no_tls": True,
        "bootstrap_client_id": OWNER,
        "bootstrap_client_secret": SecretStr(OWNER_SECRET),
        "secret_key": SecretStr(SECRET_KEY),
        "access_log": "off",
        "log_level": "error",
    }
    return Settings(**{**chosen, **more})


@contextmanager
def sqlite_catalog(template: Path, data_dir: Path) -> Iterator[None]:
    """A copy in the data folder of the catalog that ``prepared_sqlite`` made in ``template``."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(template / CATALOG_FILE, data_dir / CATALOG_FILE)
    yield


def prepared_sqlite(folder: Path) -> Path:
    _prepare(settings_for(folder))
    return folder


def _prepare(settings: Settings) -> None:
    """With the owner's secret kept as one of ours is: argon2 would take half of most tests' time."""
    prepare(settings)
    url = settings.database_url
    with closing(open_database(url.get_secret_value() if url else None, settings.data_dir, pool_size=1)) as database:
        database.write(_make_fast)


def _make_fast(tx: Connection) -> None:
    tx.execute(update(credential).values(secret_hash=hash_generated(OWNER_SECRET)))


@contextmanager
def postgres_catalog(template: str) -> Iterator[str]:
    """The URL of a copy of the database that ``prepared_postgres`` made; dropped with the block."""
    with _database(template, make_url(template).database) as url:
        yield url


@contextmanager
def empty_postgres(beside: str) -> Iterator[str]:
    """The URL of an empty database on the same server; dropped with the block."""
    with _database(beside, "template1") as url:
        yield url


@contextmanager
def _database(beside: str, template: str | None) -> Iterator[str]:
    name = f"entrepot_{uuid4().hex}"
    source = make_url(beside)
    with _administration(beside) as server:
        # Since PostgreSQL 15 the default writes the copy to the log, which costs twice as much as copying its files.
        strategy = "STRATEGY file_copy" if server.info.server_version >= 150000 else ""
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template} {strategy}".encode())
    try:
        yield source.set(database=name).render_as_string(hide_password=False)
    finally:
        with _administration(beside) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def prepared_postgres(url: str, folder: Path) -> str:
    """Prepares the empty database at the URL to be a template."""
    _prepare(settings_for(folder, database_url=SecretStr(url)))
    return url


@contextmanager
def _administration(url: str) -> Iterator[psycopg.Connection]:
    """A session in a database that nobody copies or drops."""
    address = make_url(url).set(drivername="postgresql", database="postgres")
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as session:
        yield session


# --- what clients do --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Repository:
    """A repository as a client with some credential sees it."""

    http: Client
    name: str

    def path(self, rest: str = "") -> str:
        return f"/v2/{self.name}/{rest}"

    async def start(self, query: str = "") -> "Upload":
        """Begin an upload session."""
        answer = await self.http.post(self.path("blobs/uploads/") + query)
        assert answer.status == 202, answer
        return Upload(self.http, answer["location"])

    async def push_blob(self, content: bytes, algorithm: str = "sha256") -> str:
        """In one request; its digest."""
        digest = digest_of(content, algorithm)
        answer = await self.http.post(self.path(f"blobs/uploads/?digest={digest}"), content)
        assert answer.status == 201, answer
        return digest

    async def put(
        self, manifest: Manifest, reference: str | None = None, *tags: str, headers: Headers | None = None
    ) -> Answer:
        """PUT the manifest alone, by its digest when no reference is given; ``tags`` go into the query."""
        query = "&".join(f"tag={tag}" for tag in tags)
        target = self.path(f"manifests/{reference or manifest.digest}") + (f"?{query}" if query else "")
        return await self.http.put(target, manifest.body, {"content-type": manifest.media_type, **(headers or {})})

    async def push(self, manifest: Manifest, *tags: str) -> Answer:
        """Its blobs, then the manifest, by digest and with these tags."""
        for content in manifest.blobs.values():
            await self.push_blob(content)
        answer = await self.put(manifest, None, *tags)
        assert answer.status == 201, answer
        return answer

    async def manifest(self, reference: str, headers: Headers | None = None) -> Answer:
        return await self.http.get(self.path(f"manifests/{reference}"), headers)

    async def blob(self, digest: str, headers: Headers | None = None) -> Answer:
        return await self.http.get(self.path(f"blobs/{digest}"), headers)

    async def has_blob(self, digest: str) -> bool:
        answer = await self.http.head(self.path(f"blobs/{digest}"))
        assert answer.status in {200, 404}, answer
        return answer.status == 200

    async def tags(self) -> list[str]:
        """Every tag, page by page."""
        target: str | None = self.path("tags/list?n=100")
        found: list[str] = []
        while target is not None:
            answer = await self.http.get(target)
            assert answer.status == 200, answer
            found += answer.json()["tags"]
            target = next_page(answer)
        return found

    async def referrers(self, digest: str, query: str = "") -> list[dict[str, Any]]:
        answer = await self.http.get(self.path(f"referrers/{digest}") + query)
        assert answer.status == 200, answer
        return answer.json()["manifests"]


@dataclass
class Upload:
    """An upload session as a client sees it."""

    http: Client
    location: str

    async def append(self, body: Body, headers: Headers | None = None) -> Answer:
        return await self.http.patch(self.location, body, headers)

    async def status(self) -> Answer:
        return await self.http.get(self.location)

    async def close(self, digest: str, body: Body = b"", headers: Headers | None = None) -> Answer:
        return await self.http.put(f"{self.location}?digest={digest}", body, headers)

    async def cancel(self) -> Answer:
        return await self.http.delete(self.location)

    async def offset(self) -> int:
        """How many bytes the registry holds. A range of 0-0 can mean none or one: callers send more than one."""
        answer = await self.status()
        assert answer.status == 204, answer
        last = int(answer["range"].removeprefix("0-"))
        return last + 1 if last else 0


def next_page(answer: Answer) -> str | None:
    """What the Link header says comes next."""
    link = answer.get("link")
    if link is None:
        return None
    target, _, relation = link.partition(">;")
    assert relation.strip() == 'rel="next"', link
    return target.removeprefix("<")
