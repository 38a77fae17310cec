"""SQL of webhooks and their deliveries."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from entrepot.db.management_tables import delivery, delivery_lane, webhook
from entrepot.db.statements import upsert
from entrepot.db.tables import event, registry, repository, resource_group
from entrepot.webhooks.model import PING, Lane, Schema, State, Status
from entrepot.webhooks.payloads import EventRow

# --- webhooks ---------------------------------------------------------------------------------------------------------


class WebhookRow(NamedTuple):
    """``actions`` and ``tags`` are JSON, ``receiver`` is sealed."""

    id: int
    registry_id: int
    name: str
    status: str
    paused: bool
    scope: str
    actions: str
    schema: str
    location: str
    tags: str
    receiver: str
    created_at: datetime
    updated_at: datetime


class Values(NamedTuple):
    """What can be changed of a webhook."""

    status: str
    scope: str
    actions: str
    schema: str
    tags: str
    receiver: str
    updated_at: datetime


_WEBHOOKS: Final = select(*(webhook.c[name] for name in WebhookRow._fields))


def find_webhook(tx: Connection, registry_id: int, name: str) -> WebhookRow | None:
    """Names compare without case."""
    row = tx.execute(_WEBHOOKS.where(webhook.c.registry_id == registry_id, webhook.c.key == name.lower())).one_or_none()
    return None if row is None else WebhookRow(*row)


def webhooks(tx: Connection, registry_id: int, after: str, limit: int) -> list[WebhookRow]:
    """In the order of their names, in lower case."""
    rows = tx.execute(
        _WEBHOOKS.where(webhook.c.registry_id == registry_id, webhook.c.key > after)
        .order_by(webhook.c.key)
        .limit(limit)
    )
    return [WebhookRow(*row) for row in rows]


def count_webhooks(tx: Connection, registry_id: int) -> int:
    return tx.execute(
        select(func.count()).select_from(webhook).where(webhook.c.registry_id == registry_id)
    ).scalar_one()


def insert_webhook(tx: Connection, registry_id: int, name: str, location: str, values: Values) -> None:
    tx.execute(
        insert(webhook).values(
            registry_id=registry_id,
            key=name.lower(),
            name=name,
            location=location,
            created_at=values.updated_at,
            **values._asdict(),
        )
    )


def update_webhook(tx: Connection, webhook_id: int, values: Values) -> None:
    tx.execute(update(webhook).where(webhook.c.id == webhook_id).values(values._asdict()))


def set_paused(tx: Connection, webhook_id: int, paused: bool, now: datetime) -> None:  # noqa: FBT001  it is the column's value
    tx.execute(update(webhook).where(webhook.c.id == webhook_id).values(paused=paused, updated_at=now))


def delete_webhook(tx: Connection, webhook_id: int) -> None:
    """With everything that is kept of its deliveries."""
    tx.execute(delete(webhook).where(webhook.c.id == webhook_id))


# --- what there is to tell --------------------------------------------------------------------------------------------

_OF_EVENT: Final = ("repository_id", "sequence", "id", "registry_id", "action", "at", "body")
_WAITING: Final = (
    select(
        *(event.c[name] for name in _OF_EVENT),
        # What was deleted is told under the name that it had.
        func.coalesce(repository.c.deleted_name, repository.c.name),
        registry.c.name,
        registry.c.region,
        resource_group.c.subscription_id,
        resource_group.c.name,
    )
    .select_from(event)
    .outerjoin(repository, repository.c.id == event.c.repository_id)
    .outerjoin(registry, registry.c.id == event.c.registry_id)
    .outerjoin(resource_group, resource_group.c.id == registry.c.resource_group_id)
    .where(event.c.fanned_at.is_(None))
    .order_by(event.c.repository_id, event.c.sequence)
    .limit(bindparam("limit"))
)


def waiting_events(tx: Connection, limit: int) -> list[EventRow]:
    """Those that no delivery was made of, in order in each repository.

    Followed by their rows: a sequence number commits after those before it, as it is taken under the repository's lock.
    """
    return [EventRow(*row) for row in tx.execute(_WAITING, {"limit": limit})]


def mark_fanned(tx: Connection, events: Iterable[EventRow], now: datetime) -> None:
    last = {row.repository_id: row.sequence for row in events}
    statement = update(event).where(
        event.c.repository_id == bindparam("repository"),
        event.c.sequence <= bindparam("last"),
        event.c.fanned_at.is_(None),
    )
    tx.execute(
        statement.values(fanned_at=now),
        [{"repository": repository_id, "last": sequence} for repository_id, sequence in last.items()],
    )


def enabled_webhooks(tx: Connection, registries: set[int]) -> list[WebhookRow]:
    rows = tx.execute(
        _WEBHOOKS.where(webhook.c.registry_id.in_(registries), webhook.c.status == Status.ENABLED).order_by(
            webhook.c.id
        )
    )
    return [WebhookRow(*row) for row in rows]


class Made(NamedTuple):
    """A new delivery."""

    webhook_id: int
    repository_id: int
    event_id: str
    action: str
    at: datetime
    schema: Schema
    content: str


_OPEN_LANE: Final = upsert(delivery_lane)


def insert_deliveries(tx: Connection, made: Sequence[Made], now: datetime) -> None:
    """In this order, behind what waits already."""
    _open_lanes(tx, {Lane(each.webhook_id, each.repository_id) for each in made}, now)
    tx.execute(insert(delivery), [{**each._asdict(), "state": State.PENDING} for each in made])


def _open_lanes(tx: Connection, lanes: set[Lane], now: datetime) -> None:
    ordered = sorted((lane.webhook, lane.repository) for lane in lanes)
    rows = [{"webhook_id": hook, "repository_id": where, "due_at": now} for hook, where in ordered]
    # The row is locked even where it is there: whoever closes the lane then sees what comes in here.
    opened = _OPEN_LANE.on_conflict_do_update(
        index_elements=["webhook_id", "repository_id"], set_={"due_at": delivery_lane.c.due_at}
    )
    tx.execute(opened, rows)


class Again(NamedTuple):
    """Which of a webhook's deliveries that ended go again: those of these events, or of one state within a time."""

    ids: Sequence[str]
    state: str
    since: datetime | None
    until: datetime | None


def replay(tx: Connection, webhook_id: int, again: Again, now: datetime) -> int:
    """Let them wait again, at their old places; how many. Pings are left out: each is of its moment."""
    chosen = [delivery.c.webhook_id == webhook_id, delivery.c.ended_at.is_not(None), delivery.c.action != PING]
    if again.ids:
        chosen.append(delivery.c.event_id.in_(again.ids))
    else:
        chosen.append(delivery.c.state == again.state)
    if again.since is not None:
        chosen.append(delivery.c.at >= again.since)
    if again.until is not None:
        chosen.append(delivery.c.at < again.until)
    repositories = tx.execute(select(delivery.c.repository_id).where(*chosen).distinct()).scalars().all()
    if not repositories:
        return 0
    _open_lanes(tx, {Lane(webhook_id, repository_id) for repository_id in repositories}, now)
    waiting = {"state": State.PENDING, "began_at": None, "ended_at": None}
    return tx.execute(update(delivery).where(*chosen).values(waiting)).rowcount


# --- what is due ------------------------------------------------------------------------------------------------------


# Of webhooks that are called at all.
_CALLED: Final = (webhook.c.status == Status.ENABLED, webhook.c.paused.is_(False))


def has_work(tx: Connection, now: datetime) -> bool:
    """Whether anything is to be told, or due."""
    waiting = exists().where(event.c.fanned_at.is_(None))
    due = exists().where(
        delivery_lane.c.due_at <= now,
        delivery_lane.c.webhook_id == webhook.c.id,
        *_CALLED,
    )
    return bool(tx.execute(select(waiting | due)).scalar_one())


class DueLane(NamedTuple):
    """A lane whose first delivery may go, with what its webhook is."""

    webhook_id: int
    repository_id: int
    registry_id: int
    key: str
    receiver: str


def due_lanes(tx: Connection, now: datetime, of_each: int, limit: int) -> list[DueLane]:
    """At most so many of each webhook, so that no webhook's backlog hides another's."""
    ranked = (
        select(
            delivery_lane.c.webhook_id,
            delivery_lane.c.repository_id,
            func.row_number()
            .over(
                partition_by=delivery_lane.c.webhook_id,
                order_by=(delivery_lane.c.due_at, delivery_lane.c.repository_id),
            )
            .label("rank"),
            delivery_lane.c.due_at,
        )
        .where(delivery_lane.c.due_at <= now)
        .subquery()
    )
    rows = tx.execute(
        select(ranked.c.webhook_id, ranked.c.repository_id, webhook.c.registry_id, webhook.c.key, webhook.c.receiver)
        .join_from(ranked, webhook, webhook.c.id == ranked.c.webhook_id)
        .where(ranked.c.rank <= of_each, *_CALLED)
        .order_by(ranked.c.rank, ranked.c.due_at)
        .limit(limit)
    )
    return [DueLane(*row) for row in rows]


def hold_lane(tx: Connection, lane: Lane, until: datetime) -> None:
    """Nobody else takes it up before."""
    tx.execute(
        update(delivery_lane)
        .where(delivery_lane.c.webhook_id == lane.webhook, delivery_lane.c.repository_id == lane.repository)
        .values(due_at=until)
    )


class Pending(NamedTuple):
    """A delivery as it waits. ``record``: JSON of its last attempts."""

    id: int
    event_id: str
    action: str
    attempts: int
    began_at: datetime | None
    schema: str
    content: str
    record: str


_OF_LANE: Final = (
    select(*(delivery.c[name] for name in Pending._fields))
    .where(
        delivery.c.webhook_id == bindparam("webhook"),
        delivery.c.repository_id == bindparam("repository"),
        delivery.c.ended_at.is_(None),
    )
    .order_by(delivery.c.id)
    .limit(bindparam("limit"))
)


def pending(tx: Connection, lane: Lane, limit: int) -> list[Pending]:
    """The first few of the lane."""
    rows = tx.execute(_OF_LANE, {"webhook": lane.webhook, "repository": lane.repository, "limit": limit})
    return [Pending(*row) for row in rows]


# --- what came of it --------------------------------------------------------------------------------------------------


_PENDING: Final = select(*(delivery.c[name] for name in Pending._fields)).where(delivery.c.ended_at.is_(None))


def find_pending(tx: Connection, deliveries: Sequence[int]) -> dict[int, Pending]:
    """Of these the ones that still wait, by their ids."""
    rows = tx.execute(_PENDING.where(delivery.c.id.in_(deliveries)))
    return {row.id: Pending(*row) for row in rows}


class Tried(NamedTuple):
    """What an attempt leaves. ``delivery``: its id."""

    delivery: int
    state: str
    attempts: int
    began_at: datetime
    ended_at: datetime | None
    record: str


_TRIED: Final = (
    update(delivery)
    .where(delivery.c.id == bindparam("delivery"))
    .values({name: bindparam(name) for name in Tried._fields[1:]})
)


def set_tried(tx: Connection, tried: Sequence[Tried]) -> None:
    if tried:
        tx.execute(_TRIED, [each._asdict() for each in tried])


def lock_lane(tx: Connection, lane: Lane) -> None:
    """Nothing is added to it before this transaction ends."""
    tx.execute(
        select(delivery_lane.c.due_at)
        .where(delivery_lane.c.webhook_id == lane.webhook, delivery_lane.c.repository_id == lane.repository)
        .with_for_update()
    ).one_or_none()


def close_lane(tx: Connection, lane: Lane) -> None:
    tx.execute(
        delete(delivery_lane).where(
            delivery_lane.c.webhook_id == lane.webhook, delivery_lane.c.repository_id == lane.repository
        )
    )


# --- the history ------------------------------------------------------------------------------------------------------


class Kept(NamedTuple):
    event_id: str
    state: str
    attempts: int
    content: str
    record: str


def latest(tx: Connection, webhook_id: int, limit: int) -> list[Kept]:
    """The newest first."""
    rows = tx.execute(
        select(*(delivery.c[name] for name in Kept._fields))
        .where(delivery.c.webhook_id == webhook_id)
        .order_by(delivery.c.id.desc())
        .limit(limit)
    )
    return [Kept(*row) for row in rows]


def webhook_ids(tx: Connection) -> list[int]:
    return list(tx.execute(select(webhook.c.id)).scalars())


class Bound(NamedTuple):
    """How many may stay at most, and from when on."""

    keep: int
    since: datetime


# Of one transaction: SQLite has one writer, and pushes wait for it.
_FORGOTTEN_AT_ONCE: Final = 500


def forget(tx: Connection, webhook_id: int, state: State, bound: Bound) -> int:
    """Delete some of those that ended so and are too old or too many; how many."""
    of_state = (delivery.c.webhook_id == webhook_id, delivery.c.state == state, delivery.c.ended_at.is_not(None))
    edge = tx.execute(
        select(delivery.c.id).where(*of_state).order_by(delivery.c.id.desc()).offset(bound.keep).limit(1)
    ).scalar_one_or_none()
    too_old = delivery.c.ended_at < bound.since
    chosen = too_old if edge is None else too_old | (delivery.c.id <= edge)
    some = select(delivery.c.id).where(*of_state, chosen).limit(_FORGOTTEN_AT_ONCE)
    return tx.execute(delete(delivery).where(delivery.c.id.in_(some))).rowcount
