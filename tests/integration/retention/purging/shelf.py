"""Content for purges: manifests pushed at some time in the past, as the surfaces push them, without blobs."""

import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, select, update
from tests.content import digest_of
from tests.registry import Registry

from entrepot.catalog.manifests.commit import Sparse, commit_manifest
from entrepot.catalog.model import Change, Place, Push, RegistryId
from entrepot.db.database import Database
from entrepot.db.tables import manifest, registry, repository, tag
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import parse_manifest
from entrepot.oci.media_type import OCI_INDEX, OCI_MANIFEST
from entrepot.oci.platform import Platform
from entrepot.oci.reference import parse_repository, parse_tag

_numbers = itertools.count()
CONFIG = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": f"sha256:{'0' * 64}", "size": 2}


def an_image_body(subject: str | None = None) -> bytes:
    """Never the same twice."""
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG, "layers": []}
    body["annotations"] = {"n": str(next(_numbers))}
    if subject is not None:
        body["subject"] = {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1}
    return json.dumps(body).encode()


def an_index_body(*children: str) -> bytes:
    named = [{"mediaType": OCI_MANIFEST, "digest": child, "size": 1} for child in children]
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": named, "annotations": {"n": str(next(_numbers))}}
    return json.dumps(body).encode()


@dataclass
class Shelf:
    """The default registry's content. ``now``: what ages are reckoned from."""

    database: Database
    registry: RegistryId
    now: datetime

    @classmethod
    def of(cls, registry: Registry) -> "Shelf":
        """The application's clock is set to the real time, which the job worker goes by."""
        registry.clock.now = datetime.now(UTC)
        return cls(registry.database, RegistryId(registry.query(_default)), registry.clock.now)

    def place(self, name: str) -> Place:
        return Place(self.registry, parse_repository(name))

    def put(self, name: str, body: bytes, *tags: str, days: float = 0) -> str:
        """Pushed so many days ago; its digest."""
        change = Change("somebody", self.now - timedelta(days=days), str(uuid4()))
        media_type, digest = json.loads(body)["mediaType"], Digest.parse(digest_of(body))
        parsed = parse_manifest(body, media_type)
        push = Push(self.place(name), parsed, digest, tuple(map(parse_tag, tags)), Platform(), change)
        self.database.write(commit_manifest, push, Sparse.ACCEPTED)
        return str(digest)

    def image(self, name: str, *tags: str, days: float = 0, subject: str | None = None) -> str:
        return self.put(name, an_image_body(subject), *tags, days=days)

    def index(self, name: str, *tags: str, children: tuple[str, ...], days: float = 0) -> str:
        return self.put(name, an_index_body(*children), *tags, days=days)

    def pulled(self, digest: str, days: float) -> None:
        at = self.now - timedelta(days=days)
        self.database.write(
            lambda tx: tx.execute(update(manifest).where(manifest.c.digest == digest).values(last_pulled_at=at))
        )

    def tags(self, name: str) -> list[str]:
        return self.database.read(_tags, name)

    def manifests(self, name: str) -> set[str]:
        return self.database.read(_manifests, name)


def _default(tx: Connection) -> int:
    return tx.execute(select(registry.c.id).where(registry.c.name == "local")).scalar_one()


def _tags(tx: Connection, name: str) -> list[str]:
    rows = select(tag.c.name).join(repository, repository.c.id == tag.c.repository_id).where(repository.c.name == name)
    return sorted(tx.execute(rows).scalars())


def _manifests(tx: Connection, name: str) -> set[str]:
    rows = select(manifest.c.digest).join(repository, repository.c.id == manifest.c.repository_id)
    return set(tx.execute(rows.where(repository.c.name == name, manifest.c.deleted_at.is_(None))).scalars())
