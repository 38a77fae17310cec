"""A webhook's JSON, and what is kept of one. Source: ACR-REFERENCE 6.5 and 7."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec


class Action(StrEnum):
    """What a webhook can ask for."""

    PUSH = "push"
    DELETE = "delete"
    QUARANTINE = "quarantine"
    CHART_PUSH = "chart_push"
    CHART_DELETE = "chart_delete"
    # ACR's have none of this.
    STORAGE_WARNING = "storage_warning"


# What is sent when somebody asks for it; no webhook is made for it.
PING = "ping"


class Status(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"


class State(StrEnum):
    """Of a delivery. Dead: it was given up."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class Schema(StrEnum):
    """How an event is written for a receiver. The last two names are those of Event Grid's ``eventDeliverySchema``."""

    CONTAINER_REGISTRY = "ContainerRegistrySchema"
    EVENT_GRID = "EventGridSchema"
    CLOUD_EVENTS = "CloudEventSchemaV1_0"


class Receiver(msgspec.Struct, rename="camel", omit_defaults=True):
    """Where a webhook calls and with what: kept sealed. ``signing_secret``: as it was given."""

    service_uri: str
    custom_headers: dict[str, str] = {}
    signing_secret: str | None = None


class WebhookSettings(msgspec.Struct, rename="camel"):
    """What may be written. None: as it is, or what a new one has."""

    service_uri: str | None = None
    custom_headers: dict[str, str] | None = None
    signing_secret: str | None = None
    status: Status = Status.ENABLED
    scope: str = ""
    actions: list[Action] = []
    event_delivery_schema: Schema = Schema.CONTAINER_REGISTRY


class WebhookBody(msgspec.Struct):
    location: str = ""
    tags: dict[str, str] = {}
    properties: WebhookSettings = msgspec.field(default_factory=WebhookSettings)


class Moments(msgspec.Struct, rename="camel"):
    created_at: str
    last_modified_at: str


class WebhookProperties(msgspec.Struct, rename="camel"):
    status: Status
    scope: str
    actions: list[Action]
    event_delivery_schema: Schema
    paused: bool
    provisioning_state: str = "Succeeded"


class WebhookDocument(msgspec.Struct, rename="camel"):
    """Its URI and headers are shown by getCallbackConfig alone."""

    id: str
    name: str
    location: str
    tags: dict[str, str]
    system_data: Moments
    properties: WebhookProperties
    type: str = "Microsoft.ContainerRegistry/registries/webhooks"


class CallbackConfig(msgspec.Struct, rename="camel"):
    service_uri: str
    custom_headers: dict[str, str]


class PingAnswer(msgspec.Struct):
    id: str


class ReplayQuestion(msgspec.Struct):
    """Which deliveries: those of these events, or all that ended so and happened between the two moments."""

    ids: Annotated[list[str], msgspec.Meta(max_length=1000)] = []
    state: Literal["dead", "delivered"] = "dead"
    since: datetime | None = None
    until: datetime | None = None


class ReplayAnswer(msgspec.Struct):
    count: int


# --- one call, as it is written down and shown ------------------------------------------------------------------------


class Attempt(msgspec.Struct, rename="camel", omit_defaults=True):
    """One call. ``status`` 0: nobody answered, and ``reason`` says why. Secrets are masked."""

    at: str
    seconds: float
    uri: str
    request_headers: dict[str, str]
    status: int = 0
    reason: str = ""
    response_headers: dict[str, str] = {}
    content: str = ""


class RequestMessage(msgspec.Struct, rename="camel"):
    content: msgspec.Raw
    headers: dict[str, str]
    method: str
    request_uri: str
    version: str = "1.1"


class ResponseMessage(msgspec.Struct, rename="camel"):
    content: str
    headers: dict[str, str]
    reason_phrase: str
    status_code: str
    version: str = "1.1"


class Told(msgspec.Struct, rename="camel", omit_defaults=True):
    """What ACR does not tell of a delivery: every attempt, the oldest first, the last ones of many."""

    state: State
    count: int
    attempts: list[Attempt]


class EventRecord(msgspec.Struct, rename="camel", omit_defaults=True):
    """A delivery with its last attempt, as ACR shows it."""

    event_request_message: RequestMessage
    event_response_message: ResponseMessage | None
    id: str
    delivery: Told


class EventList(msgspec.Struct):
    value: list[EventRecord]


# --- what the deliverer works with ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery that is due. ``attempts``: how often it was tried. ``schema``: of the content."""

    id: int
    event_id: str
    attempts: int
    schema: Schema
    content: bytes


@dataclass(frozen=True, slots=True)
class Lane:
    """The deliveries of one repository to one webhook: they go one after the other."""

    webhook: int
    repository: int


@dataclass(frozen=True, slots=True)
class Call:
    """What to send to one receiver, in order, until one is not heard."""

    lane: Lane
    sealed: str
    purpose: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one message ended this time. ``retry_after``: seconds that the receiver asked for."""

    message: Message
    is_heard: bool
    attempt: Attempt
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A call with what came of it; messages without an outcome were not sent."""

    lane: Lane
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """Of a request to a receiver. ``secrets``: what is masked wherever it is shown."""

    uri: str
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
