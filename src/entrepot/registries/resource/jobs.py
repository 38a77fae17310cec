"""The room's workflows: what a deleted registry held is deleted after it, then the row itself."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from entrepot.arm.operations.record import conclude
from entrepot.catalog.files.blocks import remove_files_of
from entrepot.catalog.model import RegistryId, RepositoryId
from entrepot.catalog.repositories.delete import empty_some
from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Body, Run
from entrepot.registries.resource import queries

_QUEUE: Final = Queue("registries", at_once=2)
# Its ids: the operation, the registry.
DELETION: Final = Workflow("registries.delete", _QUEUE)
_FORGETTING: Final = Workflow("registries.forget", _QUEUE, Every(3600))
# Manifests of one transaction: SQLite has one writer, and pushes wait for it.
_BATCH: Final = 200
# Files of one transaction; each may have thousands of blocks.
_FILES: Final = 10


def _delete(run: Run, operation: str, registry: int) -> None:
    conclude(run, operation, lambda: run.step("empty", _empty, run, RegistryId(registry)))


def _empty(run: Run, registry: RegistryId) -> Json:
    """Twice is safe: it deletes what is still there. What an open push adds meanwhile goes when the row does."""
    for repository in run.read(queries.filled_repositories, registry):
        while run.write(_empty_some, run, registry, repository):
            if run.stopping:
                break
    while run.write(remove_files_of, registry, _FILES, run.now) and not run.stopping:
        pass
    return None


def _empty_some(tx: Connection, run: Run, registry: RegistryId, repository: RepositoryId) -> int:
    return empty_some(tx, registry, repository, _BATCH, run.now)


def _forget(run: Run) -> None:
    run.step("forget", _forget_emptied, run)


def _forget_emptied(run: Run) -> Json:
    """Twice is safe: a row goes once. Its blobs are collected before, as those of any repository."""
    for registry in run.read(queries.hidden_registries):
        _empty(run, RegistryId(registry))
        run.write(_forget_one, registry)
    return None


def _forget_one(tx: Connection, registry: int) -> None:
    if not queries.holds_anything(tx, registry):
        queries.delete_registry(tx, registry)


WORKFLOWS: Final[Mapping[Workflow, Body]] = {DELETION: _delete, _FORGETTING: _forget}
