"""SQL of events that triggers have not been looked at for, and of triggers that wait for pushes."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, update

from entrepot.db.tables import event, registry, repository
from entrepot.db.task_tables import task, task_event_trigger

# --- events -----------------------------------------------------------------------------------------------------------


class Happened(NamedTuple):
    """An event. ``repository``, ``registry``: their names, None for what is gone. ``body``: JSON."""

    repository_id: int
    sequence: int
    id: str
    registry_id: int
    action: str
    at: datetime
    principal: str
    body: str
    repository: str | None
    registry: str | None


_WAITING: Final = (
    select(
        *(event.c[name] for name in Happened._fields[:8]),
        repository.c.name,
        registry.c.name,
    )
    .select_from(event)
    .outerjoin(repository, repository.c.id == event.c.repository_id)
    .outerjoin(registry, registry.c.id == event.c.registry_id)
    .where(event.c.evaluated_at.is_(None))
    .order_by(event.c.repository_id, event.c.sequence)
    .limit(bindparam("limit"))
)
_HAS_WAITING: Final = select(exists().where(event.c.evaluated_at.is_(None)))


def has_waiting(tx: Connection) -> bool:
    return bool(tx.execute(_HAS_WAITING).scalar_one())


def waiting_events(tx: Connection, limit: int) -> list[Happened]:
    """In order in each repository: a number commits after those before it, as it is taken under a lock."""
    return [Happened(*row) for row in tx.execute(_WAITING, {"limit": limit})]


def mark_evaluated(tx: Connection, events: Iterable[Happened], now: datetime) -> None:
    last = {row.repository_id: row.sequence for row in events}
    tx.execute(
        update(event)
        .where(
            event.c.repository_id == bindparam("in_repository"),
            event.c.sequence <= bindparam("last"),
            event.c.evaluated_at.is_(None),
        )
        .values(evaluated_at=now),
        [{"in_repository": repository_id, "last": sequence} for repository_id, sequence in last.items()],
    )


# --- triggers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventTrigger:
    """``repositories``, ``tags``: JSON, patterns of which one has to fit."""

    task_id: int
    name: str
    registry_id: int
    repositories: str
    tags: str
    created_at: datetime


class Listening(NamedTuple):
    """An event trigger with REGISTRY/TASK of its task, as chains have it."""

    trigger: EventTrigger
    label: str


_TRIGGERS: Final = select(*task_event_trigger.c)


def triggers_of(tx: Connection, task_id: int) -> list[EventTrigger]:
    """By their names."""
    rows = tx.execute(_TRIGGERS.where(task_event_trigger.c.task_id == task_id).order_by(task_event_trigger.c.name))
    return [EventTrigger(*row) for row in rows]


def replace_triggers(tx: Connection, task_id: int, triggers: list[EventTrigger]) -> None:
    tx.execute(delete(task_event_trigger).where(task_event_trigger.c.task_id == task_id))
    if triggers:
        tx.execute(insert(task_event_trigger), [asdict(each) for each in triggers])


def listening(tx: Connection, registries: Collection[int]) -> list[Listening]:
    """Those for pushes to these registries."""
    rows = tx.execute(
        select(*task_event_trigger.c, registry.c.name + "/" + task.c.name)
        .select_from(task_event_trigger)
        .join(task, task.c.id == task_event_trigger.c.task_id)
        .join(registry, registry.c.id == task.c.registry_id)
        .where(task_event_trigger.c.registry_id.in_(registries))
        .order_by(task_event_trigger.c.task_id, task_event_trigger.c.name)
    )
    return [Listening(EventTrigger(*columns), label) for *columns, label in rows]
