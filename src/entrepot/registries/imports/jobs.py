"""The workflow of an import: durable, and resumed blob by blob. Its row holds the source's secret until it ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from entrepot.access.sealing import SealBrokenError, Sealer
from entrepot.arm.operations.record import conclude
from entrepot.catalog.manifests.platform import config_blob, platform_in
from entrepot.catalog.model import Place, RegistryId
from entrepot.errors import Kind, Problem
from entrepot.jobs.model import Json, Queue, Workflow
from entrepot.jobs.run import Body, HandedBack, Run
from entrepot.oci.digest import Digest
from entrepot.oci.platform import Platform
from entrepot.oci.reference import RepositoryName, parse_reference
from entrepot.outbound.client import Outbound
from entrepot.registries.imports import queries
from entrepot.registries.imports.landing import Making, land
from entrepot.registries.imports.model import Plan, SourceCredentials
from entrepot.registries.imports.progress import Progress
from entrepot.registries.imports.queries import ImportRow
from entrepot.remote.client import RemoteRepository
from entrepot.remote.copies.arriving import Arrival, drop_all
from entrepot.remote.copies.copying import Copier
from entrepot.remote.copies.keeping import Keeping
from entrepot.remote.copies.model import Found, Source, Works
from entrepot.remote.copies.sources import CatalogSource, RemoteSource
from entrepot.remote.place import RemotePlace
from entrepot.remote.sign_in import Credentials

# Its id: the operation.
IMPORT: Final = Workflow("registries.import", Queue("imports", at_once=4))
_OF_THE_SOURCE: Final = frozenset(
    {Kind.DIGEST_INVALID, Kind.MANIFEST_BLOB_UNKNOWN, Kind.MANIFEST_INVALID, Kind.MANIFEST_TOO_LARGE}
)


def sealing_purpose(operation: str) -> str:
    """What the source's credentials are sealed for; the same text owns the sessions of the import."""
    return f"import {operation}"


def workflows(works: Works, outbound: Outbound, sealer: Sealer) -> Mapping[Workflow, Body]:
    """What a job worker runs for imports."""

    def run_import(run: Run, operation: str) -> None:
        conclude(run, operation, Attempt(run, operation, works, outbound, sealer).work)
        run.step("forget", _forget, run, works, operation)

    return {IMPORT: run_import}


def _forget(run: Run, works: Works, operation: str) -> Json:
    """Twice is safe: it deletes what a failed import left."""
    run.write(queries.delete_import, operation)
    drop_all(run, works.store, sealing_purpose(operation))
    return None


@dataclass(slots=True)
class Attempt:
    """One attempt at one import."""

    run: Run
    operation: str
    works: Works
    outbound: Outbound
    sealer: Sealer
    _root: Found | None = None
    _platform: Platform = field(default_factory=Platform)

    def work(self) -> None:
        try:
            self.run.step("copy", self._copy)
            self._again()
            making = Making(self.run.now, self.works.new_id)
            self.run.once("land", land, self.operation, self._root, self._platform, making)
        except Problem as problem:
            raise _in_words(problem) from None

    def _copy(self) -> Json:
        """Twice is safe: what is here is passed over, and an import that has ended is left alone."""
        row = self.run.read(queries.find_import, self.operation)
        if row is None:
            return None
        plan, source, root = self._look(row)
        self.run.write(queries.set_root, self.operation, str(root.digest))
        keeping = Keeping(self.run, self.works.habits.unlinked_grace)
        progress = Progress(self.run, self.operation, plan.labels(), keeping)
        arrival = None
        if isinstance(source, RemoteSource):
            owner = sealing_purpose(self.operation)
            arrival = Arrival(self.run, self.works.store, source.repository, owner, self.works.habits, progress)
        Copier(self.run, self.works, plan, source, arrival, progress).copy(root)
        self._root, self._platform = root, self._platform_of(plan, root)
        return str(root.digest)

    def _again(self) -> None:
        """The same once more where another attempt has copied: blobs that nobody wanted since then may be gone."""
        if self._root is None:
            self._copy()

    def _look(self, row: ImportRow) -> tuple[Plan, Source, Found]:
        """What is to be done, where from, and the image: the same one in every attempt."""
        plan = Plan.read(row.plan)
        source = self._source(plan, row.secret)
        reference = parse_reference(plan.reference) if row.digest is None else Digest.parse(row.digest)
        root = source.manifest(reference)
        if root is None:
            where = plan.host or "the registry"
            reason = f"The source has no image {plan.repository} {plan.reference}: check both names at {where}."
            raise Problem(Kind.SOURCE_FAILED, reason=reason)
        return plan, source, root

    def _platform_of(self, plan: Plan, root: Found) -> Platform:
        return platform_in(self.works.store, self.run.read(config_blob, plan.places()[0], root.manifest))

    def _source(self, plan: Plan, secret: str | None) -> Source:
        name = RepositoryName(plan.repository)
        if plan.host is None:
            return CatalogSource(self.run, Place(RegistryId(plan.source_registry or 0), name))
        credentials = None if secret is None else self._opened(secret)
        return RemoteSource(RemoteRepository(self.outbound, RemotePlace.of(plan.host, name), credentials, self._pause))

    def _opened(self, secret: str) -> Credentials:
        try:
            text = self.sealer.open(secret, sealing_purpose(self.operation))
        except SealBrokenError:
            reason = "The source's credentials cannot be read: the deployment's secret key was changed. Import again."
            raise Problem(Kind.SOURCE_FAILED, reason=reason) from None
        found = msgspec.json.decode(text, type=SourceCredentials)
        return Credentials(found.username, found.password)

    def _pause(self, seconds: float) -> None:
        self.run.pause(seconds)
        if self.run.stopping:
            raise HandedBack


def _in_words(problem: Problem) -> Problem:
    """What the catalog refuses, for whoever asked for an import."""
    detail = problem.detail
    if problem.kind is Kind.LOCKED:
        what = next((f"{name} {detail[name]}" for name in ("tag", "digest", "repository") if name in detail), "image")
        reason = f"The {what} is locked in the target registry: unlock it (az acr repository update) and import again."
        return Problem(Kind.RESOURCE_EXISTS, code="ImageLocked", reason=reason)
    if problem.kind in _OF_THE_SOURCE:
        why = detail.get("reason", problem.kind.name)
        return Problem(
            Kind.SOURCE_FAILED, reason=f"The source's image cannot be taken: {why} {detail.get('digest', '')}."
        )
    return problem
