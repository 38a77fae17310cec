"""The workflow that keeps an image: its blobs come from the source, then its manifest is committed with its tags.

Whoever pulls it meanwhile reads what has come so far (``following``), so each byte is asked for once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from entrepot.caching.images import queries
from entrepot.caching.images.queries import Fill
from entrepot.caching.images.upstream import Upstreams, told
from entrepot.caching.model import rule_for
from entrepot.caching.queries import rules_of
from entrepot.catalog.manifests.commit import Sparse, commit_manifest
from entrepot.catalog.manifests.platform import config_blob, platform_in
from entrepot.catalog.model import Change, Place, Push
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Origin
from entrepot.jobs.model import Json, Queue, Workflow
from entrepot.jobs.run import PASSING, Body, HandedBack, Run
from entrepot.oci.digest import Digest
from entrepot.oci.platform import Platform
from entrepot.remote.client import RemoteRepository
from entrepot.remote.copies.arriving import Arrival, drop_all
from entrepot.remote.copies.copying import Copier
from entrepot.remote.copies.keeping import Keeping
from entrepot.remote.copies.model import Found, Works
from entrepot.remote.copies.sources import RemoteSource

# Its id: the row's.
FILL: Final = Workflow("caching.fill", Queue("cache", at_once=8))


def workflows(works: Works, upstreams: Upstreams) -> Mapping[Workflow, Body]:
    """What a job worker runs for the artifact cache."""

    def run_fill(run: Run, fill_id: int) -> None:
        Attempt(run, fill_id, works, upstreams).work()

    return {FILL: run_fill}


@dataclass(slots=True)
class _Progress:
    keeping: Keeping

    def came(self, *, manifests: int = 0, blobs: int = 0, length: int = 0) -> None:  # noqa: ARG002  Progress's shape
        if self.keeping.run.stopping:
            raise HandedBack
        self.keeping.keep_on()


@dataclass(slots=True)
class _Errand:
    """One repository, for whoever pulled first; what refers to the image is not asked for."""

    registry: int
    principal: str
    origin: Origin
    place: Place
    include_referrers: bool = False

    def places(self) -> list[Place]:
        return [self.place]


@dataclass(slots=True)
class Attempt:
    """One attempt at one image."""

    run: Run
    fill_id: int
    works: Works
    upstreams: Upstreams
    _platform: Platform | None = None

    def work(self) -> None:
        try:
            self.run.step("copy", self._copy)
            if self._platform is None:
                self._copy()  # another attempt did; blobs that nobody wanted since then may be gone
            self.run.once("land", _land, self.fill_id, self._platform or Platform(), self.run, self.works)
        except Problem as problem:
            if problem.kind in PASSING:
                raise
            self.run.once("fail", _fail, self.fill_id, problem, self.run)
        self.run.step("forget", self._forget)

    def _copy(self) -> Json:
        """Twice is safe: what is here is passed over, and a fill that has ended is left alone."""
        row = self.run.read(queries.fill, self.fill_id)
        if row is None or row.problem is not None:
            return None
        place, found = row.place, _found(row)
        progress = _Progress(Keeping(self.run, self.works.habits.unlinked_grace))
        remote = self._source(place)
        arrival = Arrival(self.run, self.works.store, remote, row.owner, self.works.habits, progress)
        errand = _Errand(row.registry_id, row.principal, row.origin, place)
        Copier(self.run, self.works, errand, RemoteSource(remote), arrival, progress).copy(found)
        self._platform = platform_in(self.works.store, self.run.read(config_blob, place, found.manifest))
        return row.digest

    def _source(self, place: Place) -> RemoteRepository:
        """Raises SOURCE_FAILED for a repository that no rule is for any more."""
        rule = rule_for(self.run.read(rules_of, place.registry), place.repository)
        if rule is None:
            raise Problem(Kind.SOURCE_FAILED, reason="The cache rule of the repository was deleted.")
        try:
            return self.upstreams.patient(rule, place.repository, self._pause)
        except Problem as problem:
            raise told(problem, rule) from None

    def _pause(self, seconds: float) -> None:
        self.run.pause(seconds)
        if self.run.stopping:
            raise HandedBack

    def _forget(self) -> Json:
        """Twice is safe: it deletes what a fill that failed left."""
        drop_all(self.run, self.works.store, queries.owner_of(self.fill_id))
        return None


def _found(row: Fill) -> Found:
    return Found(row.parsed(), Digest.parse(row.digest))


def _land(tx: Connection, fill_id: int, platform: Platform, run: Run, works: Works) -> None:
    """Nothing happens to a fill that has ended. Raises what ``commit_manifest`` raises."""
    row = queries.fill(tx, fill_id)
    if row is None or row.problem is not None:
        return
    place, found = row.place, _found(row)
    tags = queries.tags_naming(tx, place, row.digest)
    change = Change(row.principal, run.now, works.new_id(), row.origin)
    commit_manifest(tx, Push(place, found.manifest, found.digest, tags, platform, change), Sparse.REFUSED)
    queries.end_fill(tx, fill_id)


def _fail(tx: Connection, fill_id: int, problem: Problem, run: Run) -> None:
    queries.fail_fill(tx, fill_id, problem, run.now)
