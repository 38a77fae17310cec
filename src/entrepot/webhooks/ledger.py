"""The ledger: deliveries come from events, are lent to whoever calls, and end as heard or as given up.

A lane (one repository's deliveries to one webhook) is lent whole and for a while, so its order holds whoever calls, and
what a worker took with it when it died comes again. Functions of one transaction, without any call.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection
from structlog.typing import FilteringBoundLogger

from entrepot.webhooks import queries
from entrepot.webhooks.model import PING, Action, Attempt, Call, Ended, Lane, Message, Outcome, Schema, State
from entrepot.webhooks.payloads import EventRow, Told, told_of
from entrepot.webhooks.queries import Bound, Made, Pending, Tried, WebhookRow
from entrepot.webhooks.rules import Patience, parse_scope, purpose_of
from entrepot.webhooks.schemas import Origin, written

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.webhooks")

# Events of one transaction, and deliveries after which it takes no more: SQLite has one writer, and pushes wait for it.
_EVENTS: Final = 100
_DELIVERIES: Final = 500
# Messages that one call takes with it.
_MESSAGES: Final = 20
# Attempts of which the record is kept, the last ones.
_ATTEMPTS_KEPT: Final = 20
# How many that ended are kept of a webhook.
_KEPT: Final[Mapping[State, int]] = {State.DELIVERED: 1000, State.DEAD: 10_000}


def fan_out(tx: Connection, login_server: Callable[[str], str], now: datetime) -> int:
    """Make deliveries of the next events, for each webhook that asks for them; how many events those were."""
    rows = queries.waiting_events(tx, _EVENTS)
    if not rows:
        return 0
    by_registry: dict[int, list[WebhookRow]] = {}
    for webhook in queries.enabled_webhooks(tx, {row.registry_id for row in rows}):
        by_registry.setdefault(webhook.registry_id, []).append(webhook)
    made: list[Made] = []
    fanned: list[EventRow] = []
    for row in rows:
        if len(made) >= _DELIVERIES:
            break
        made += _of_event(row, by_registry.get(row.registry_id, []), login_server)
        fanned.append(row)
    if made:
        queries.insert_deliveries(tx, made, now)
    queries.mark_fanned(tx, fanned, now)
    return len(fanned)


def _of_event(row: EventRow, webhooks: Sequence[WebhookRow], login_server: Callable[[str], str]) -> list[Made]:
    return [
        _made(webhook, row, told)
        for told in (_told(row, login_server) if webhooks else ())
        for webhook in webhooks
        if _asks_for(webhook, row, told)
    ]


def _made(webhook: WebhookRow, row: EventRow, told: Told) -> Made:
    payload, schema = told.payload, Schema(webhook.schema)
    group = f"/subscriptions/{row.subscription_id}/resourceGroups/{row.group}"
    origin = Origin(f"{group}/providers/Microsoft.ContainerRegistry/registries/{row.registry}", row.region or "")
    content = written(schema, payload, origin).decode()
    return Made(webhook.id, row.repository_id, payload.id, payload.action, row.at, schema, content)


def _told(row: EventRow, login_server: Callable[[str], str]) -> list[Told]:
    is_of_registry = row.repository_id < 0
    if row.registry is None or (row.repository is None and not is_of_registry):
        return []
    try:
        return list(told_of(row, login_server(row.registry)))
    except msgspec.MsgspecError:  # one row that nobody can read must not keep the others waiting
        log.error("event_unreadable", event_id=row.id)  # noqa: TRY400  a traceback would repeat the body
        return []


def _asks_for(webhook: WebhookRow, row: EventRow, told: Told) -> bool:
    """What happened before the webhook was made is not for it, whenever a worker comes to it."""
    if row.at < webhook.created_at:
        return False
    actions = msgspec.json.decode(webhook.actions, type=list[Action])
    return told.payload.action in actions and parse_scope(webhook.scope).covers(row.repository or "", told.tags)


def lend(tx: Connection, now: datetime, seconds: float, limit: int, allowance: Callable[[int], int]) -> list[Call]:
    """The calls that are due, at most ``limit``; nobody else gets their lanes for so many seconds.

    ``allowance``: how many more calls a webhook may have at this moment.
    """
    calls: list[Call] = []
    taken: dict[int, int] = {}
    for due in queries.due_lanes(tx, now, limit, limit * 4):
        if len(calls) == limit:
            break
        if taken.get(due.webhook_id, 0) >= allowance(due.webhook_id):
            continue
        lane = Lane(due.webhook_id, due.repository_id)
        messages = tuple(_message(each) for each in queries.pending(tx, lane, _MESSAGES))
        if not messages:
            _close_if_empty(tx, lane, now)
            continue
        taken[due.webhook_id] = taken.get(due.webhook_id, 0) + 1
        queries.hold_lane(tx, lane, now + timedelta(seconds=seconds))
        calls.append(Call(lane, due.receiver, purpose_of(due.registry_id, due.key), messages))
    return calls


def _message(waiting: Pending) -> Message:
    return Message(waiting.id, waiting.event_id, waiting.attempts, Schema(waiting.schema), waiting.content.encode())


def conclude(tx: Connection, ended: Iterable[Ended], patience: Patience, now: datetime) -> None:
    """Write down what came of calls, and when their lanes go on. Twice is safe: an attempt is written down once."""
    calls = sorted(ended, key=lambda each: (each.lane.webhook, each.lane.repository))
    for each in calls:
        queries.lock_lane(tx, each.lane)
    waiting = queries.find_pending(tx, [outcome.message.id for each in calls for outcome in each.outcomes])
    tried: list[Tried] = []
    dues: list[tuple[Lane, datetime]] = []
    for each in calls:
        pauses = [patience.longest] if not each.outcomes else []
        for outcome in each.outcomes:
            was = waiting.pop(outcome.message.id, None)
            if was is not None and was.attempts == outcome.message.attempts:
                attempt, pause = _conclude(was, outcome, patience, now)
                tried.append(attempt)
                pauses.append(pause)
        if pauses:  # else the lane is lent to somebody else by now
            dues.append((each.lane, now + timedelta(seconds=max(pauses))))
    queries.set_tried(tx, tried)
    for lane, due in dues:
        _close_if_empty(tx, lane, due)


def _conclude(was: Pending, outcome: Outcome, patience: Patience, now: datetime) -> tuple[Tried, float]:
    """What the attempt leaves, and the seconds until the lane may go on."""
    attempts, began = was.attempts + 1, was.began_at or now
    left = patience.give_up_after - (now - began).total_seconds()
    is_over = was.action == PING or left <= 0
    state = State.DELIVERED if outcome.is_heard else State.DEAD if is_over else State.PENDING
    record = _record(was, outcome.attempt)
    ended_at = None if state is State.PENDING else now
    tried = Tried(was.id, state, attempts, began, ended_at, record)
    if state is State.DEAD:
        log.warning("webhook_gave_up", event_id=was.event_id, attempts=attempts, status=outcome.attempt.status)
    if state is not State.PENDING:
        return tried, 0.0
    # The last attempt comes when the time is over, not after it.
    pause = max(patience.pause(attempts, random.random()), outcome.retry_after)  # noqa: S311  no secret
    return tried, min(pause, left)


def _record(was: Pending, attempt: Attempt) -> str:
    """With the contents of the last answer alone: the heads tell enough of those before."""
    before = msgspec.json.decode(was.record, type=list[Attempt])[-(_ATTEMPTS_KEPT - 1) :]
    for each in before:
        each.content = ""
    return msgspec.json.encode([*before, attempt]).decode()


def _close_if_empty(tx: Connection, lane: Lane, due: datetime) -> None:
    """Of a lane that is locked, or that somebody may lock a moment later without harm."""
    queries.lock_lane(tx, lane)
    if queries.pending(tx, lane, 1):
        queries.hold_lane(tx, lane, due)
    else:
        queries.close_lane(tx, lane)


def forget(tx: Connection, webhook: int, before: datetime) -> int:
    """Delete some of what the history of one webhook has too much of; how many deliveries, 0 when it is in bounds."""
    return sum(queries.forget(tx, webhook, state, Bound(keep, before)) for state, keep in _KEPT.items())


def failing(ended: Sequence[Ended]) -> dict[int, bool]:
    """Of the webhooks of these calls: whether the last call failed."""
    return {each.lane.webhook: not each.outcomes or not each.outcomes[-1].is_heard for each in ended}
