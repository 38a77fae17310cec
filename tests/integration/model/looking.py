"""What clients can see of a registry, held against what the oracle says they must see."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select
from tests.content import Manifest
from tests.integration.model.oracle import Oracle, Said, referrers
from tests.integration.model.universe import BLOBS, MANIFESTS, REPOSITORIES, SUBJECTS, TAGS
from tests.integration.rows import bytes_used, recounted, recounted_bytes, recounted_uses
from tests.invariants import assert_consistent
from tests.registry import Registry, Upload

from entrepot.content.model import ContentStore
from entrepot.db.tables import event, repository


@dataclass(frozen=True)
class Looking:
    """Everything that the oracle says can be pulled is pulled byte for byte, and nothing else is there."""

    registry: Registry
    store: ContentStore
    oracle: Oracle

    async def at_everything(self) -> None:
        for name in REPOSITORIES:
            for digest in BLOBS:
                await self.at_blob(name, digest)
            for manifest in MANIFESTS.values():
                await self.at_manifest(name, manifest)
            await self.at_tags(name)
            await self.at_referrers(name)
            await self.at_what_was_deleted(name)
        await self.at_catalog()
        await self.at_uploads()
        self.registry.query(self.at_figures)
        assert_consistent(self.registry.database, self.store)

    async def at_blob(self, name: str, digest: str) -> None:
        """A condemned blob is not there for who would push it, and served to who pulls it all the same; a hidden one
        is not.
        """
        link = self.oracle.repositories[name].links.get(digest)
        found = self.registry.repository(name)
        assert await found.has_blob(digest) is (link is not None and link.is_there)
        answer = await found.blob(digest)
        is_served = link is not None and not link.is_hidden
        assert answer.status == (Said.OK if is_served else Said.UNKNOWN)
        assert not is_served or answer.body == BLOBS[digest]

    async def at_manifest(self, name: str, manifest: Manifest) -> None:
        answer = await self.registry.repository(name).manifest(manifest.digest)
        if manifest.digest not in self.oracle.repositories[name].manifests:
            assert (answer.status, answer.code) == (Said.UNKNOWN, "MANIFEST_UNKNOWN")
            return
        assert (answer.status, answer.body) == (Said.OK, manifest.body)
        assert answer["content-type"] == manifest.media_type
        assert answer["docker-content-digest"] == manifest.digest

    async def at_tags(self, name: str) -> None:
        found, held = self.registry.repository(name), self.oracle.repositories[name]
        for tag in TAGS:
            answer = await found.manifest(tag)
            assert answer.get("docker-content-digest") == held.tags.get(tag)
            assert answer.status == (Said.OK if tag in held.tags else Said.UNKNOWN)
            assert tag not in held.tags or answer.body == held.manifests[held.tags[tag]].body
        listed = await found.http.get(found.path("tags/list"))
        if listed.status == Said.UNKNOWN:  # nothing was ever here, or it was long ago
            assert not held.links
            assert not held.every_manifest
        else:
            assert listed.json() == {"name": name, "tags": sorted(held.tags)}

    async def at_referrers(self, name: str) -> None:
        held = self.oracle.repositories[name]
        for subject in SUBJECTS:
            found = await self.registry.repository(name).referrers(subject)
            assert [descriptor["digest"] for descriptor in found] == referrers(held, subject)
            for descriptor in found:
                manifest = held.manifests[descriptor["digest"]]
                assert descriptor["mediaType"] == manifest.media_type
                assert descriptor["size"] == len(manifest.body)
                assert descriptor["artifactType"] == manifest.document["artifactType"]

    async def at_what_was_deleted(self, name: str) -> None:
        target = f"/acr/v1/_deleted/{name}"
        manifests = (await self.registry.http.get(f"{target}/_manifests")).json()["manifests"]
        assert [row["digest"] for row in manifests] == self.oracle.deleted_manifests(name)
        tags = (await self.registry.http.get(f"{target}/_tags")).json()["tags"]
        found = [(row["tag"], row["digest"]) for row in tags]
        assert set(found) == self.oracle.deleted_tags(name)
        assert len(found) == len(set(found))

    async def at_catalog(self) -> None:
        answer = await self.registry.http.get("/v2/_catalog")
        held = self.oracle.repositories
        assert answer.json()["repositories"] == sorted(name for name in held if held[name].manifests)

    async def at_uploads(self) -> None:
        for session in self.oracle.sessions:
            answer = await Upload(self.registry.http, session.location).status()
            assert answer.status == (204 if session.is_open else Said.UNKNOWN)
            assert not session.is_open or answer["range"] == f"0-{max(session.received - 1, 0)}"

    def at_figures(self, tx: Connection) -> None:
        assert bytes_used(tx) == recounted_bytes(tx) == self.oracle.bytes_used
        assert recounted_uses(tx)
        assert self.oracle.limit is None or bytes_used(tx) <= self.oracle.most
        # Those of the registry itself tell that it fills up.
        of_repositories = select(func.count()).select_from(event).where(event.c.repository_id > 0)
        assert tx.execute(of_repositories).scalar_one() == self.oracle.events
        for name in tx.execute(select(repository.c.name).where(repository.c.deleted_at.is_(None))).scalars():
            held = self.oracle.repositories[name]
            assert recounted(tx, name) == (len(held.manifests), len(held.tags))

    def at_what_is_stored(self) -> None:
        """Long after the last change: one copy of each blob that a manifest needs, and not a byte more."""
        held = self.oracle.everything
        assert all(one.needs(blob) for one in held for blob in one.links)
        assert not self.oracle.open_sessions
        assert not any(one.held.links for one in self.oracle.buried if not one.is_kept)
        needed = {blob for one in held for blob in one.links if BLOBS[blob]}
        # An upload that never got a byte may leave a name behind until the sweep, which looks after a day.
        stored = sorted(key.length for key in self.store.walk() if key.length)
        assert stored == sorted(len(BLOBS[blob]) for blob in needed)
