"""The two kinds of source: a repository of this deployment, and one of any other registry."""

from dataclasses import dataclass

from entrepot.catalog.listing.queries import referrers
from entrepot.catalog.manifests.queries import MANIFEST_BY_DIGEST, MANIFEST_BY_TAG, stored_manifest
from entrepot.catalog.model import Place, ReferrersOf
from entrepot.errors import Kind, Problem
from entrepot.jobs.run import Run
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import parse_manifest
from entrepot.oci.reference import Tag
from entrepot.remote.client import RemoteRepository
from entrepot.remote.copies.model import REFERRERS_LIMIT, Found


@dataclass(frozen=True, slots=True)
class CatalogSource:
    """Of this deployment. Whoever asked has shown that they may pull there."""

    run: Run
    place: Place

    def manifest(self, reference: Tag | Digest) -> Found | None:
        statement = MANIFEST_BY_DIGEST if isinstance(reference, Digest) else MANIFEST_BY_TAG
        values = {"registry": self.place.registry, "repository": self.place.repository, "reference": str(reference)}
        row = self.run.read(statement.first, **values)
        if row is None:
            return None
        if not row[4]:
            reason = f"The source {self.place.repository} {reference} is locked against reading."
            raise Problem(Kind.RESOURCE_EXISTS, code="ImageLocked", reason=reason)
        stored = stored_manifest(row)
        return Found(parse_manifest(stored.body, stored.media_type), Digest.parse(stored.digest))

    def referrers(self, subject: Digest) -> list[Digest]:
        rows = self.run.read(referrers, self.place, ReferrersOf(str(subject), None, ""), REFERRERS_LIMIT + 1)
        return [Digest.parse(row.digest) for row in rows]


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """Of another registry."""

    repository: RemoteRepository
    place: None = None

    def manifest(self, reference: Tag | Digest) -> Found | None:
        pulled = self.repository.manifest(reference)
        return None if pulled is None else Found(pulled.manifest, pulled.digest)

    def referrers(self, subject: Digest) -> list[Digest]:
        return self.repository.referrers(subject)
