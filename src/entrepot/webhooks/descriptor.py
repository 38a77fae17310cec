"""The resource type Microsoft.ContainerRegistry/registries/webhooks. Source: ACR-REFERENCE 6.2, 6.5 and 7.

Every change ends at once, which az takes as done. The URI, the headers and the signing secret are kept sealed; the
secret is never shown again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, Protocol

import msgspec
from sqlalchemy import Connection

from entrepot.access.sealing import Sealer
from entrepot.arm.descriptor import Act, AnyResource, Ask, Listing, Page, ResourceType
from entrepot.arm.locations import parse_location
from entrepot.arm.routes import unknown
from entrepot.arm.tags import expect_tags
from entrepot.arm.versions import CONTAINER_REGISTRY
from entrepot.db.locks import lock_name
from entrepot.errors import Kind, Problem
from entrepot.webhooks import queries
from entrepot.webhooks.model import (
    PING,
    Action,
    Attempt,
    CallbackConfig,
    EventList,
    EventRecord,
    Moments,
    PingAnswer,
    Receiver,
    ReplayAnswer,
    ReplayQuestion,
    RequestMessage,
    ResponseMessage,
    Schema,
    State,
    Status,
    Told,
    WebhookBody,
    WebhookDocument,
    WebhookProperties,
)
from entrepot.webhooks.payloads import event_id_of, ping
from entrepot.webhooks.queries import Again, Kept, Made, Values, WebhookRow
from entrepot.webhooks.rules import expect_headers, expect_name, expect_scope, expect_uri, purpose_of, secret_bytes
from entrepot.webhooks.schemas import Origin, written

# What listEvents shows.
_SHOWN: Final = 100
_PINGS: Final = 0


class Owner(Protocol):
    """The registry that a webhook belongs to."""

    @property
    def id(self) -> int: ...
    @property
    def resource_id(self) -> str: ...
    @property
    def sku(self) -> str: ...
    @property
    def region(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Registries:
    """What this room needs of registries.

    ``expect_room``: raises QUOTA_EXCEEDED when a registry has that many webhooks and no more are allowed.
    """

    resource: AnyResource
    above: tuple[AnyResource, ...]
    find: Callable[[Connection, Ask], Owner | None]
    expect_room: Callable[[Connection, Ask, int, int], None]


def webhooks(registries: Registries) -> ResourceType[WebhookDocument, WebhookBody]:
    """The type below that of registries."""
    path = f"{registries.resource.paths[0]}/webhooks"
    one, handlers = f"{path}/{{webhook}}", _Handlers(registries)
    action = "Microsoft.ContainerRegistry/registries/webhooks/"
    return ResourceType(
        name="Microsoft.ContainerRegistry/registries/webhooks",
        paths=(one,),
        versions=CONTAINER_REGISTRY,
        document=WebhookDocument,
        get=handlers.find,
        body=WebhookBody,
        lists=(Listing(path, registries.resource.paths[0], handlers.rows),),
        put=handlers.put,
        patch=handlers.patch,
        delete=handlers.delete,
        acts=(
            Act(f"{one}/ping", one, f"{action}ping/action", handlers.ping, answer=PingAnswer, writes=True),
            Act(f"{one}/listEvents", one, f"{action}listEvents/action", handlers.list_events, answer=EventList),
            Act(
                f"{one}/getCallbackConfig",
                one,
                f"{action}getCallbackConfig/action",
                handlers.callback_config,
                answer=CallbackConfig,
                writes=True,
            ),
            # ACR has none of these three.
            Act(f"{one}/pause", one, f"{action}write", handlers.pause, answer=WebhookDocument, writes=True),
            Act(f"{one}/resume", one, f"{action}write", handlers.resume, answer=WebhookDocument, writes=True),
            Act(f"{one}/replay", one, f"{action}write", handlers.replay, ReplayQuestion, ReplayAnswer, writes=True),
        ),
        parents=(*registries.above, registries.resource),
    )


@dataclass(frozen=True, slots=True)
class _Handlers:
    registries: Registries

    def find(self, tx: Connection, ask: Ask) -> WebhookDocument | None:
        registry = self.registries.find(tx, ask)
        row = None if registry is None else queries.find_webhook(tx, registry.id, ask["webhook"])
        return None if registry is None or row is None else _document(registry.resource_id, row)

    def rows(self, tx: Connection, ask: Ask, page: Page) -> Sequence[WebhookDocument]:
        registry = self.registries.find(tx, ask)
        if registry is None:
            return []
        found = queries.webhooks(tx, registry.id, page.after, page.limit)
        return [_document(registry.resource_id, row) for row in found]

    def put(self, tx: Connection, ask: Ask, body: WebhookBody, current: WebhookDocument | None) -> WebhookDocument:
        """Raises NAME_INVALID, RESOURCE_INVALID, RESOURCE_EXISTS, QUOTA_EXCEEDED."""
        registry, settings = self._owner(tx, ask), body.properties
        if settings.service_uri is None:
            raise Problem(Kind.RESOURCE_INVALID, target="properties.serviceUri", reason="a webhook needs one")
        location = _location(ask, body, registry.region if current is None else current.location)
        receiver = Receiver(settings.service_uri, settings.custom_headers or {}, settings.signing_secret)
        values = _values(ask, body, receiver, registry.id)
        if current is not None:
            _expect_place(current, location)
            queries.update_webhook(tx, self._row(tx, ask)[1].id, values)
            return self._written(tx, ask)
        expect_name(ask["webhook"])
        lock_name(tx, f"webhooks of {registry.id}")
        self.registries.expect_room(tx, ask, registry.id, queries.count_webhooks(tx, registry.id))
        queries.insert_webhook(tx, registry.id, ask["webhook"], location, values)
        return self._written(tx, ask)

    def patch(self, tx: Connection, ask: Ask, body: WebhookBody, current: WebhookDocument) -> WebhookDocument:
        """What of the receiver is not told stays. Raises RESOURCE_INVALID, RESOURCE_EXISTS."""
        registry, row = self._row(tx, ask)
        _expect_place(current, _location(ask, body, current.location))
        was, settings = _receiver(ask.deployment.sealer, row), body.properties
        receiver = Receiver(
            was.service_uri if settings.service_uri is None else settings.service_uri,
            was.custom_headers if settings.custom_headers is None else settings.custom_headers,
            was.signing_secret if settings.signing_secret is None else settings.signing_secret,
        )
        queries.update_webhook(tx, row.id, _values(ask, body, receiver, registry.id))
        return self._written(tx, ask)

    def delete(self, tx: Connection, ask: Ask, current: WebhookDocument) -> None:  # noqa: ARG002  one shape
        queries.delete_webhook(tx, self._row(tx, ask)[1].id)

    def ping(self, tx: Connection, ask: Ask, body: None) -> PingAnswer:  # noqa: ARG002  one shape
        """Send the receiver an event that tells of nothing; its id. It is tried once."""
        registry, row = self._row(tx, ask)
        if row.status != Status.ENABLED:
            reason = f"The webhook '{row.name}' is disabled: enable it, then ping it."
            raise Problem(Kind.REQUEST_INVALID, code="WebhookDisabled", reason=reason)
        event_id = event_id_of(ask.new_id())
        schema, origin = Schema(row.schema), Origin(registry.resource_id, registry.region)
        content = written(schema, ping(event_id, ask.now), origin).decode()
        made = Made(row.id, _PINGS, event_id, PING, ask.now, schema, content)
        queries.insert_deliveries(tx, [made], ask.now)
        return PingAnswer(event_id)

    def list_events(self, tx: Connection, ask: Ask, body: None) -> EventList:  # noqa: ARG002  one shape
        """The latest calls, the newest first, with what was sent and answered."""
        _, row = self._row(tx, ask)
        return EventList([_record(kept) for kept in queries.latest(tx, row.id, _SHOWN)])

    def callback_config(self, tx: Connection, ask: Ask, body: None) -> CallbackConfig:  # noqa: ARG002  one shape
        """Where the webhook calls, with its headers in clear."""
        receiver = _receiver(ask.deployment.sealer, self._row(tx, ask)[1])
        return CallbackConfig(receiver.service_uri, receiver.custom_headers)

    def pause(self, tx: Connection, ask: Ask, body: None) -> WebhookDocument:  # noqa: ARG002  one shape
        """Call the receiver no more until the webhook is resumed; what happens meanwhile waits."""
        queries.set_paused(tx, self._row(tx, ask)[1].id, True, ask.now)  # noqa: FBT003  the column's value
        return self._written(tx, ask)

    def resume(self, tx: Connection, ask: Ask, body: None) -> WebhookDocument:  # noqa: ARG002  one shape
        """Go on where the webhook was paused."""
        queries.set_paused(tx, self._row(tx, ask)[1].id, False, ask.now)  # noqa: FBT003  the column's value
        return self._written(tx, ask)

    def replay(self, tx: Connection, ask: Ask, question: ReplayQuestion) -> ReplayAnswer:
        """Send deliveries that ended once more, with the same event ids; by default all that were given up."""
        _, row = self._row(tx, ask)
        again = Again(question.ids, question.state, _utc(question.since), _utc(question.until))
        return ReplayAnswer(queries.replay(tx, row.id, again, ask.now))

    def _owner(self, tx: Connection, ask: Ask) -> Owner:
        """Raises RESOURCE_UNKNOWN."""
        registry = self.registries.find(tx, ask)
        if registry is None:
            raise unknown(self.registries.resource, ask.id.rpartition("/webhooks/")[0])
        return registry

    def _row(self, tx: Connection, ask: Ask) -> tuple[Owner, WebhookRow]:
        """Raises RESOURCE_UNKNOWN."""
        registry = self._owner(tx, ask)
        row = queries.find_webhook(tx, registry.id, ask["webhook"])
        if row is None:
            reason = f"The Resource 'Microsoft.ContainerRegistry/registries/webhooks/{ask['webhook']}' was not found."
            raise Problem(Kind.RESOURCE_UNKNOWN, code="ResourceNotFound", reason=reason)
        return registry, row

    def _written(self, tx: Connection, ask: Ask) -> WebhookDocument:
        registry, row = self._row(tx, ask)
        return _document(registry.resource_id, row)


def _document(registry: str, row: WebhookRow) -> WebhookDocument:
    return WebhookDocument(
        id=f"{registry}/webhooks/{row.name}",
        name=row.name,
        location=row.location,
        tags=msgspec.json.decode(row.tags, type=dict[str, str]),
        system_data=Moments(_moment(row.created_at), _moment(row.updated_at)),
        properties=WebhookProperties(
            Status(row.status),
            row.scope,
            msgspec.json.decode(row.actions, type=list[Action]),
            Schema(row.schema),
            row.paused,
        ),
    )


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _location(ask: Ask, body: WebhookBody, otherwise: str) -> str:
    return parse_location(body.location or otherwise, ask.deployment.locations)


def _expect_place(current: WebhookDocument, location: str) -> None:
    if location != current.location:
        reason = f"The webhook is in '{current.location}': where a webhook is cannot be changed."
        raise Problem(Kind.RESOURCE_EXISTS, code="InvalidResourceLocation", reason=reason)


def _values(ask: Ask, body: WebhookBody, receiver: Receiver, registry_id: int) -> Values:
    """Raises RESOURCE_INVALID."""
    settings = body.properties
    expect_tags(body.tags)
    expect_uri(receiver.service_uri)
    expect_headers(receiver.custom_headers)
    expect_scope(settings.scope)
    if receiver.signing_secret is not None:
        secret_bytes(receiver.signing_secret)
    if not settings.actions:
        raise Problem(Kind.RESOURCE_INVALID, target="properties.actions", reason="a webhook asks for one or more")
    sealed = ask.deployment.sealer.seal(msgspec.json.encode(receiver).decode(), purpose_of(registry_id, ask["webhook"]))
    return Values(
        status=settings.status,
        scope=settings.scope,
        actions=msgspec.json.encode(list(dict.fromkeys(settings.actions))).decode(),
        schema=settings.event_delivery_schema,
        tags=msgspec.json.encode(body.tags).decode(),
        receiver=sealed,
        updated_at=ask.now,
    )


def _receiver(sealer: Sealer, row: WebhookRow) -> Receiver:
    return msgspec.json.decode(sealer.open(row.receiver, purpose_of(row.registry_id, row.name)), type=Receiver)


def _record(kept: Kept) -> EventRecord:
    attempts = msgspec.json.decode(kept.record, type=list[Attempt])
    last = attempts[-1] if attempts else None
    request = RequestMessage(
        content=msgspec.Raw(kept.content.encode()),
        headers={} if last is None else last.request_headers,
        method="POST",
        request_uri="" if last is None else last.uri,
    )
    response = None
    if last is not None and last.status:
        response = ResponseMessage(last.content, last.response_headers, _phrase(last.status), str(last.status))
    elif last is not None:
        response = ResponseMessage(last.reason, {}, "No answer", "0")
    told = Told(State(kept.state), kept.attempts, attempts)
    return EventRecord(request, response, kept.event_id, told)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
