"""What an image needs comes into the target's repositories: children first, so that none is ever named and not there.

Whatever is here already is linked. Twice is safe: what is there is passed over.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sqlalchemy import Connection

from entrepot.access.model import Action
from entrepot.access.rights import rights_of
from entrepot.catalog import queries as shared
from entrepot.catalog.blobs import queries as blobs
from entrepot.catalog.blobs.commit import mount_blob
from entrepot.catalog.manifests.commit import DEPTH_LIMIT, Sparse, commit_manifest
from entrepot.catalog.manifests.platform import config_blob, platform_in
from entrepot.catalog.model import Change, Grace, Place, Push, RegistryId
from entrepot.errors import Kind, Problem
from entrepot.jobs.run import Run
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, Reference, ReferenceKind
from entrepot.oci.reference import RepositoryName
from entrepot.remote.copies import queries
from entrepot.remote.copies.arriving import Arrival
from entrepot.remote.copies.model import (
    MANIFESTS_LIMIT,
    REFERRERS_LIMIT,
    Errand,
    Found,
    Progress,
    Source,
    Works,
)

# Repositories that are looked at for a blob that need not be copied.
_SOURCES: Final = 50


@dataclass(slots=True)
class Copier:
    """Of one attempt at one errand. ``arrival`` None: everything is here."""

    run: Run
    works: Works
    errand: Errand
    source: Source
    arrival: Arrival | None
    progress: Progress
    _seen: set[str] = field(default_factory=set[str])
    _referring: set[str] = field(default_factory=set[str])

    def copy(self, root: Found) -> None:
        """All that the image needs and, when asked, what refers to it; not the image itself."""
        self._seen.add(str(root.digest))
        self._children(root, 1)
        for place in self.errand.places():
            self._blobs(root.manifest, place)
        self._referrers(root.digest, 1)

    def _children(self, parent: Found, depth: int) -> None:
        for named in parent.manifest.references:
            if named.kind is not ReferenceKind.CHILD or str(named.digest) in self._seen:
                continue
            self._seen.add(str(named.digest))
            if len(self._seen) > MANIFESTS_LIMIT:
                raise _too_many(f"The image has more than {MANIFESTS_LIMIT} manifests: import its platforms one by one")
            child = self.source.manifest(named.digest)
            if child is not None:  # an index may name what its registry never had
                self._whole(child, depth)

    def _whole(self, found: Found, depth: int) -> None:
        """The manifest with everything below it."""
        if depth > DEPTH_LIMIT:
            raise _too_many(f"The image's indexes are nested more than {DEPTH_LIMIT} deep")
        self._children(found, depth + 1)
        for place in self.errand.places():
            self._blobs(found.manifest, place)
            if not self.run.read(queries.holds_manifest, place, str(found.digest)):
                self._commit(found, place)
        self.progress.came(manifests=1)
        self._referrers(found.digest, depth)

    def _referrers(self, subject: Digest, depth: int) -> None:
        if not self.errand.include_referrers:
            return
        for digest in self.source.referrers(subject):
            if str(digest) in self._seen or str(digest) in self._referring:
                continue
            self._referring.add(str(digest))
            if len(self._referring) > REFERRERS_LIMIT:
                raise _too_many(f"More than {REFERRERS_LIMIT} manifests refer to the image: import it without them")
            referrer = self.source.manifest(digest)
            if referrer is not None:
                self._whole(referrer, depth + 1)

    def _commit(self, found: Found, place: Place) -> None:
        platform = platform_in(self.works.store, self.run.read(config_blob, place, found.manifest))
        change = Change(self.errand.principal, self.run.now, self.works.new_id(), self.errand.origin)
        push = Push(place, found.manifest, found.digest, (), platform, change)
        self.run.write(commit_manifest, push, Sparse.REFUSED)

    def _blobs(self, manifest: Manifest, place: Place) -> None:
        """Every blob that the manifest needs is linked to the repository afterwards."""
        wanted = {
            str(named.digest): named
            for named in manifest.references
            if named.kind is not ReferenceKind.CHILD and named.required
        }
        self.progress.keeping.want(place, wanted)
        for digest in self.run.read(_missing, place, list(wanted)):
            self._blob(wanted[digest], place)
            self.progress.came(blobs=1)

    def _blob(self, named: Reference, place: Place) -> None:
        grace = Grace(self.run.now, self.run.now + self.works.habits.unlinked_grace)
        if self.run.write(_link, self.errand, self.source.place, _Wanted(place, named.digest, grace)):
            return
        if self.arrival is None:
            reason = f"The source has no blob {named.digest}, which its image needs: push the image there again."
            raise Problem(Kind.SOURCE_FAILED, reason=reason)
        self.arrival.fetch(named, place)


def _missing(tx: Connection, place: Place, digests: list[str]) -> list[str]:
    """Of these blobs those that the repository does not link."""
    repository = shared.find_repository(tx, place)
    if repository is None:
        return digests
    found: set[str] = set()
    for batch in shared.batches(digests):
        linked = blobs.linked_blobs(tx, repository.id, batch)
        found |= {digest for digest, blob in linked.items() if not blob.is_hidden}
    return [digest for digest in digests if digest not in found]


class _Wanted(NamedTuple):
    """A blob that a repository needs."""

    place: Place
    digest: Digest
    grace: Grace


def _link(tx: Connection, errand: Errand, source: Place | None, wanted: _Wanted) -> bool:
    """Link the blob from where the errand, or whoever asked for it, may read it."""
    own = [place for place in (source, *errand.places()) if place is not None and place != wanted.place]
    if any(mount_blob(tx, place, *wanted) for place in own):
        return True
    where = queries.where_of(tx, errand.registry)
    if where is None:
        return False
    rights, registry = rights_of(tx, errand.principal, where), RegistryId(errand.registry)
    return any(
        rights.allow(Action.CONTENT_READ, name) and mount_blob(tx, Place(registry, RepositoryName(name)), *wanted)
        for name in blobs.repositories_with(tx, registry, str(wanted.digest), _SOURCES)
    )


def _too_many(reason: str) -> Problem:
    return Problem(Kind.UNSUPPORTED, code="ImageTooLarge", reason=f"{reason}.")
