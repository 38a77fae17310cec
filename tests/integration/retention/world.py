"""A small registry in process: pushes and deletes as the surfaces do them, a clock that is moved, a collector."""

import itertools
import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from entrepot.app.parts import open_catalog, open_content
from entrepot.app.queries import Root, find_root, insert_root
from entrepot.catalog.blobs.commit import delete_blob, mount_blob
from entrepot.catalog.blobs.queries import BLOB_OF_REPOSITORY, stored_blob
from entrepot.catalog.manifests.commit import Sparse, commit_manifest
from entrepot.catalog.manifests.delete import delete_manifest, delete_tag
from entrepot.catalog.model import Change, Grace, Place, Push, RegistryId, StoredBlob, Upload
from entrepot.catalog.uploads.finish import finish_upload
from entrepot.catalog.uploads.sessions import begin_upload
from entrepot.content.model import ContentStore, Piece
from entrepot.db.database import Database
from entrepot.gate.queries import registries
from entrepot.oci.digest import CANONICAL, Digest
from entrepot.oci.manifest import parse_manifest
from entrepot.oci.media_type import OCI_INDEX, OCI_MANIFEST
from entrepot.oci.platform import Platform
from entrepot.oci.reference import parse_repository, parse_tag
from entrepot.retention.collect import Collector, Site
from entrepot.retention.model import Doors, Tally, Waits
from entrepot.retention.sweep import Sweeper
from entrepot.settings import Settings

WAITS = Waits(
    unlinked=timedelta(hours=24),
    condemned=timedelta(hours=1),
    retired=timedelta(minutes=10),
    upload=timedelta(hours=24),
)
CONFIG = b"{}"
LAYER = "application/vnd.oci.image.layer.v1.tar"
_ids = itertools.count(1)


def new_id() -> str:
    return f"{next(_ids):032x}"


@dataclass
class Clock:
    """Begins with the real time, which files get, and is then moved by hand."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


def no_pause(_seconds: float) -> None:
    """Tests do not wait."""


def never() -> bool:
    return False


def ignore(_tally: Tally) -> None:
    """Nobody looks at the progress."""


def image_of(digests: Iterable[Digest], sizes: Iterable[int]) -> bytes:
    """A manifest whose first blob is the config and the rest layers."""
    named = [
        {"mediaType": LAYER, "digest": str(digest), "size": size} for digest, size in zip(digests, sizes, strict=True)
    ]
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": named[0], "layers": named[1:]}
    return json.dumps(body).encode()


def index_of(digests: Iterable[Digest]) -> bytes:
    named = [{"mediaType": OCI_MANIFEST, "digest": str(digest), "size": 1} for digest in digests]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": named}).encode()


@dataclass
class World:
    """One registry, by default; whatever a client could do to it."""

    database: Database
    store: ContentStore
    clock: Clock
    registry: RegistryId
    waits: Waits = WAITS

    # --- what clients do ----------------------------------------------------------------------------------------------

    def place(self, repository: str) -> Place:
        return Place(self.registry, parse_repository(repository))

    def change(self) -> Change:
        return Change("somebody", self.clock(), str(uuid.uuid4()))

    def grace(self) -> Grace:
        return Grace(self.clock(), self.clock() + self.waits.unlinked)

    def start_upload(self, repository: str, content: bytes) -> Upload:
        """A session that has sent the content and is not closed."""
        session = Upload(new_id(), self.place(repository), "somebody", CANONICAL, self.clock(), ())
        self.database.write(begin_upload, session, 1000)
        if content:
            self.send(session, content)
        return session

    def send(self, session: Upload, content: bytes) -> Piece | None:
        staged = self.store.staged(session.id, session.sealed)
        appender = self.store.appender(session.id, session.sealed, staged)
        appender.write(content)
        return appender.seal()

    def close_upload(self, session: Upload, content: bytes) -> Digest:
        digest = Digest.of(content)
        pieces = self.store.commit(session.id, digest, len(content), session.sealed)
        self.database.write(finish_upload, session, digest, pieces, self.grace())
        return digest

    def push_blob(self, repository: str, content: bytes) -> Digest:
        return self.close_upload(self.start_upload(repository, content), content)

    def mount(self, digest: Digest, source: str, target: str) -> bool:
        return self.database.write(mount_blob, self.place(source), self.place(target), digest, self.grace())

    def pushed(self, repository: str, body: bytes, *tags: str) -> Push:
        """What the commit of this manifest is given."""
        manifest = parse_manifest(body, None)
        names = tuple(parse_tag(name) for name in tags)
        return Push(self.place(repository), manifest, Digest.of(body), names, Platform(), self.change())

    def push_manifest(self, repository: str, body: bytes, *tags: str) -> Digest:
        push = self.pushed(repository, body, *tags)
        self.database.write(commit_manifest, push, Sparse.REFUSED)
        return push.digest

    def push_image(self, repository: str, *contents: bytes, tag: str = "latest") -> Digest:
        """Blobs and a manifest that names them."""
        digests = [self.push_blob(repository, content) for content in contents]
        return self.push_manifest(repository, image_of(digests, map(len, contents)), tag)

    def delete_manifest(self, repository: str, digest: Digest) -> None:
        self.database.write(delete_manifest, self.place(repository), digest, self.change())

    def untag(self, repository: str, tag: str) -> None:
        self.database.write(delete_tag, self.place(repository), parse_tag(tag), self.change())

    def delete_blob(self, repository: str, digest: Digest) -> None:
        self.database.write(delete_blob, self.place(repository), digest, self.change())

    # --- what clients see ---------------------------------------------------------------------------------------------

    def find(self, repository: str, digest: Digest) -> tuple[StoredBlob, bool] | None:
        """The blob, and whether it is condemned."""
        values = {"registry": self.registry, "repository": repository, "digest": str(digest)}
        rows = self.database.read(lambda tx: BLOB_OF_REPOSITORY.rows(tx, **values))
        blob = stored_blob(rows)
        return None if blob is None else (blob, rows[0][2] is not None)

    def head(self, repository: str, digest: Digest) -> bool:
        found = self.find(repository, digest)
        return found is not None and not found[1]

    def get(self, repository: str, digest: Digest) -> bytes | None:
        found = self.find(repository, digest)
        return None if found is None else b"".join(self.store.read(found[0].pieces, 0, found[0].size))

    def files(self) -> set[str]:
        return {stored.key for stored in self.store.walk()}

    # --- collection ---------------------------------------------------------------------------------------------------

    def site(self, doors: Doors | None = None) -> Site:
        return Site(doors or self.database, self.store, self.waits, 1_000_000, self.clock, no_pause)

    @property
    def collector(self) -> Collector:
        return Collector(self.site())

    @property
    def sweeper(self) -> Sweeper:
        return Sweeper(self.site())

    def collect(self) -> Tally:
        """All that is due now."""
        return self.collector.collect(never, ignore)

    def sweep(self) -> Tally:
        return self.sweeper.sweep(never)

    def collect_fully(self) -> Tally:
        """Until nothing more would go, however long that takes."""
        total = Tally()
        for _ in range(3):
            for wait in (self.waits.unlinked, self.waits.condemned, self.waits.retired):
                self.clock.advance(wait)
                total += self.collect()
        return total


@contextmanager
def opened_world(settings: Settings) -> Iterator[World]:
    """The settings' catalog, which has been prepared, and its content."""
    with closing(open_catalog(settings)) as database:
        yield World(database, open_content(settings), Clock(), registry_named(database, "local"))


def registry_named(database: Database, name: str) -> RegistryId:
    """Made when it is not there."""
    return database.write(_registry, name)


def _registry(tx: Connection, name: str) -> RegistryId:
    if find_root(tx, name) is None:
        root = Root(str(uuid.uuid4()), str(uuid.uuid4()), "entrepot", uuid.uuid4().hex)
        insert_root(tx, root, name, "local", datetime.now(UTC))
    return next(RegistryId(row.id) for row in registries(tx) if row.name == name)
