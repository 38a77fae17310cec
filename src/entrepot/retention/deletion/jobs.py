"""The room's workflows: what a deleted repository held, what was kept long enough, what lost its tag long ago."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection
from structlog.typing import FilteringBoundLogger

from entrepot.catalog.model import RegistryId, RepositoryId
from entrepot.catalog.repositories import queries as repositories
from entrepot.catalog.repositories.delete import empty_some, tell_some
from entrepot.catalog.undo import queries as undo
from entrepot.catalog.undo.expire import expire_some
from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Body, HandedBack, Run
from entrepot.retention.deletion import queries
from entrepot.retention.deletion.untagged import retain as retain_untagged

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.retention")

_QUEUE: Final = Queue("deletions", at_once=2)
# Its ids: the repository, and the event of its deletion; empty where nothing is left to tell.
DELETION: Final = Workflow("retention.delete_repository", _QUEUE)
# ACR's policy of no days deletes within seconds.
_RETENTION: Final = Workflow("retention.untagged", _QUEUE, Every(60))
_EXPIRY: Final = Workflow("retention.expire", _QUEUE, Every(3600))
# Manifests of one transaction: SQLite has one writer, and pushes wait for it.
_BATCH: Final = 200


def workflows(new_id: Callable[[], str]) -> Mapping[Workflow, Body]:
    """What a job worker runs."""

    def delete(run: Run, repository: int, cause: str) -> None:
        after: str | None = "" if cause else None
        while after is not None:
            after = run.once("tell", tell_some, RepositoryId(repository), cause, after, new_id())
        run.step("empty", _empty, run, RepositoryId(repository))

    def expire(run: Run) -> None:
        run.step("expire", _expire, run)

    def retain(run: Run) -> None:
        run.step("retain", _retain, run, new_id)

    return {DELETION: delete, _EXPIRY: expire, _RETENTION: retain}


def _empty(run: Run, repository: RepositoryId) -> Json:
    """Twice is safe: it deletes what is still there, and only of a repository that is not kept."""
    while run.write(_empty_some, run, repository):
        _end_if_stopping(run)
    return None


def _empty_some(tx: Connection, run: Run, repository: RepositoryId) -> int:
    registry = repositories.registry_of_going(tx, repository)
    return 0 if registry is None else empty_some(tx, registry, repository, _BATCH, run.now)


def _expire(run: Run) -> Json:
    """Twice is safe: it deletes what is over by then, and what an interrupted run has left of it."""
    for registry, days in run.read(undo.keepings):
        before = run.now - timedelta(days=days)
        while run.write(_expire_some, run, registry, before):
            _end_if_stopping(run)
        while run.write(undo.forget_tags, registry, before, _BATCH):
            _end_if_stopping(run)
        run.write(undo.let_go, registry, before)
        for repository in run.read(undo.going, registry):
            _empty(run, repository)
    return None


def _expire_some(tx: Connection, run: Run, registry: RegistryId, before: datetime) -> int:
    return expire_some(tx, registry, before, _BATCH, run.now)


def _retain(run: Run, new_id: Callable[[], str]) -> Json:
    """Twice is safe: it deletes what is due by then."""
    for policy in run.read(queries.policies):
        deleted = retain_untagged(run, policy, run.now, new_id, lambda: _end_if_stopping(run))
        if deleted:
            log.info("untagged_deleted", registry=policy.registry, manifests=deleted)
    return None


def _end_if_stopping(run: Run) -> None:
    if run.stopping:
        raise HandedBack
