"""What a receiver gets, byte for byte as ACR writes it. Source: ACR-REFERENCE 7.3."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec

from entrepot.events.outbox import Action as Happened
from entrepot.webhooks.model import PING, Action


class EventRow(NamedTuple):
    """A row of the outbox with the names of where it happened. They are None when that is gone."""

    repository_id: int
    sequence: int
    id: str
    registry_id: int
    action: str
    at: datetime
    body: str
    repository: str | None
    registry: str | None
    region: str | None
    subscription_id: str | None
    group: str | None


class _Asked(msgspec.Struct):
    """What the outbox keeps of the request that caused the event."""

    id: str = ""
    useragent: str = ""


class _Manifest(msgspec.Struct, rename="camel"):
    digest: str
    media_type: str | None = None
    size: int | None = None
    tags: tuple[str, ...] = ()


class _Body(_Manifest, kw_only=True):
    """Of a row about one manifest. ``name``, ``version``: of a chart. The figures: of a registry that fills up."""

    digest: str = ""
    manifests: tuple[_Manifest, ...] = ()
    percent: int | None = None
    used_bytes: int | None = None
    limit_bytes: int | None = None
    name: str | None = None
    version: str | None = None
    request: _Asked | None = None


class Target(msgspec.Struct, rename="camel", omit_defaults=True):
    media_type: str | None = None
    size: int | None = None
    digest: str | None = None
    length: int | None = None
    repository: str | None = None
    tag: str | None = None
    name: str | None = None
    version: str | None = None
    percent: int | None = None
    used_bytes: int | None = None
    limit_bytes: int | None = None


class _Request(msgspec.Struct, omit_defaults=True):
    id: str
    host: str
    method: str
    useragent: str | None = None


class Payload(msgspec.Struct, omit_defaults=True):
    """What ACR's webhooks send. ``location``: told in an Event Grid event alone."""

    id: str
    timestamp: str
    action: str
    location: str | None = None
    target: Target | None = None
    request: _Request | None = None


class Told(NamedTuple):
    """One thing to tell: ``tags`` are for scopes alone."""

    payload: Payload
    tags: tuple[str, ...]


# What their examples show has no length beside the size.
_CHARTS: Final = frozenset({Action.CHART_PUSH, Action.CHART_DELETE})
_METHODS: Final = {Action.PUSH: "PUT", Action.QUARANTINE: "PUT", Action.DELETE: "DELETE"}


def told_of(row: EventRow, host: str) -> Iterator[Told]:
    """What the row has to tell: something for each tag of a push, for each manifest that went with its repository.

    Nothing for a tag that was removed, or attributes that were changed: ACR sends nothing for those either. Nor for the
    repository's own row: those of its manifests follow.
    """
    body = msgspec.json.decode(row.body, type=_Body)
    match row.action:
        case Happened.PUSH | Action.QUARANTINE | Action.CHART_PUSH | Action.CHART_DELETE:
            action = Action(row.action)
            for number, tag in enumerate(body.tags or (None,)):
                tags = () if tag is None else (tag,)
                yield _told(row, number, _Said(action, _pushed(action, row, body, tag), body.request, tags), host)
        case Happened.DELETE:
            yield _told(row, 0, _Said(Action.DELETE, _deleted(row, body), body.request, body.tags), host)
        case Happened.DELETE_MANIFESTS:
            for number, gone in enumerate(body.manifests):
                yield _told(row, number, _Said(Action.DELETE, _deleted(row, gone), body.request, gone.tags), host)
        case Happened.STORAGE_WARNING:
            full = Target(percent=body.percent, used_bytes=body.used_bytes, limit_bytes=body.limit_bytes)
            yield _told(row, 0, _Said(Action.STORAGE_WARNING, full, None, ()), host)
        case _:
            return


class _Said(NamedTuple):
    action: Action
    target: Target
    request: _Asked | None
    tags: tuple[str, ...]


def _told(row: EventRow, number: int, said: _Said, host: str) -> Told:
    event_id, method, request = event_id_of(row.id, number), _METHODS.get(said.action), None
    if said.request is not None and method is not None:
        useragent = None if said.action is Action.QUARANTINE else said.request.useragent
        request = _Request(said.request.id, host, method, useragent)
    return Told(Payload(event_id, timestamp(row.at), said.action, target=said.target, request=request), said.tags)


def _pushed(action: Action, row: EventRow, body: _Body, tag: str | None) -> Target:
    return Target(
        media_type=None if action is Action.QUARANTINE else body.media_type,
        size=body.size,
        digest=body.digest,
        length=None if action in _CHARTS else body.size,
        repository=row.repository,
        tag=tag,
        name=body.name,
        version=body.version,
    )


def _deleted(row: EventRow, gone: _Manifest) -> Target:
    return Target(media_type=gone.media_type, digest=gone.digest, repository=row.repository)


def ping(event_id: str, at: datetime) -> Payload:
    return Payload(event_id, timestamp(at), PING)


def event_id_of(row_id: str, number: int = 0) -> str:
    """As a GUID. What one row tells beside its first has ids of its own, the same each time."""
    try:
        first = UUID(row_id)
    except ValueError:  # an id from elsewhere
        first = uuid5(NAMESPACE_OID, row_id)
    return str(first if number == 0 else uuid5(first, str(number)))


def timestamp(at: datetime) -> str:
    """With seven digits, as ACR's have."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
