"""What a job worker does after a repository was deleted, to be done by hand."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import Connection, select
from tests.registry import Registry

from entrepot.catalog.model import RepositoryId
from entrepot.catalog.repositories import queries
from entrepot.catalog.repositories.delete import empty_some, tell_some
from entrepot.catalog.undo import queries as undo
from entrepot.catalog.undo.expire import expire_some
from entrepot.db.tables import event, repository


def finish_deletions(registry: Registry, batch: int = 2) -> None:
    """Of every repository that was deleted: what went is told if it was not yet, and goes unless it is kept."""
    for repository_id in registry.query(_hidden):
        cause = registry.query(_untold, repository_id)
        after: str | None = "" if cause else None
        while after is not None:
            after = registry.query(tell_some, repository_id, cause, after, str(uuid4()))
        while registry.query(_empty_some, repository_id, registry, batch):
            pass


def _hidden(tx: Connection) -> list[RepositoryId]:
    rows = tx.execute(select(repository.c.id).where(repository.c.deleted_at.is_not(None))).scalars()
    return [RepositoryId(row) for row in rows]


def _untold(tx: Connection, repository_id: RepositoryId) -> str | None:
    """The event of the last deletion, unless others tell of it already."""
    events = select(event.c.id, event.c.action).where(event.c.repository_id == repository_id)
    last = tx.execute(events.order_by(event.c.sequence.desc()).limit(1)).first()
    return last.id if last is not None and last.action == "delete_repository" else None


def _empty_some(tx: Connection, repository_id: RepositoryId, registry: Registry, batch: int) -> int:
    of = queries.registry_of_going(tx, repository_id)
    return 0 if of is None else empty_some(tx, of, repository_id, batch, registry.clock.now)


def expire(registry: Registry) -> None:
    """What the job of that name does, to its end."""
    for of, days in registry.query(undo.keepings):
        before = registry.clock.now - timedelta(days=days)
        while registry.query(expire_some, of, before, 2, registry.clock.now):
            pass
        while registry.query(undo.forget_tags, of, before, 2):
            pass
        registry.query(undo.let_go, of, before)
    finish_deletions(registry)
