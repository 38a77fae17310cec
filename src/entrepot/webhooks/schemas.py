"""The schemas that an event can be sent in: ACR's own payload, Event Grid's, CloudEvents 1.0.

Sources: Microsoft, "Azure Container Registry as an Event Grid source"; CloudEvents 1.0, "JSON Event Format", and its
HTTP binding, "Structured Content Mode". Both carry ACR's payload as their data.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from entrepot.webhooks.model import PING, Action, Schema
from entrepot.webhooks.payloads import Payload, Target


class Origin(NamedTuple):
    """The registry that an event is of."""

    resource_id: str
    location: str


class _EventGridEvent(msgspec.Struct, rename="camel"):
    id: str
    topic: str
    subject: str
    event_type: str
    event_time: str
    data: Payload
    data_version: str = "2.0"
    metadata_version: str = "1"


class _CloudEvent(msgspec.Struct):
    id: str
    source: str
    subject: str
    type: str
    time: str
    data: Payload
    specversion: str = "1.0"


# Event Grid knows nothing of the last two: their types are ours.
_TYPES: Final[Mapping[str, str]] = {
    Action.PUSH: "Microsoft.ContainerRegistry.ImagePushed",
    Action.DELETE: "Microsoft.ContainerRegistry.ImageDeleted",
    Action.CHART_PUSH: "Microsoft.ContainerRegistry.ChartPushed",
    Action.CHART_DELETE: "Microsoft.ContainerRegistry.ChartDeleted",
    Action.QUARANTINE: "Entrepot.ContainerRegistry.ImageQuarantined",
    PING: "Entrepot.ContainerRegistry.Ping",
}

# Receivers that were written for Event Grid tell a handshake from an event by its own header.
HEADERS: Final[Mapping[Schema, Mapping[str, str]]] = {
    Schema.CONTAINER_REGISTRY: {"Content-Type": "application/json; charset=utf-8"},
    Schema.EVENT_GRID: {"Content-Type": "application/json; charset=utf-8", "aeg-event-type": "Notification"},
    Schema.CLOUD_EVENTS: {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "aeg-event-type": "Notification",
    },
}


def written(schema: Schema, payload: Payload, origin: Origin) -> bytes:
    """The body of the call that tells of it."""
    if schema is Schema.CONTAINER_REGISTRY:
        return msgspec.json.encode(payload)
    subject, kind = _subject(payload.target, origin), _TYPES[payload.action]
    placed = msgspec.structs.replace(payload, location=origin.location)
    if schema is Schema.CLOUD_EVENTS:
        event = _CloudEvent(payload.id, origin.resource_id, subject, kind, payload.timestamp, placed)
        return msgspec.json.encode(event)
    of_grid = _EventGridEvent(payload.id, origin.resource_id, subject, kind, payload.timestamp, placed)
    # Event Grid sends lists, of one event as well.
    return msgspec.json.encode([of_grid])


def _subject(target: Target | None, origin: Origin) -> str:
    """REPOSITORY:TAG, or REPOSITORY where there is no tag; of a ping the registry's name."""
    if target is None or target.repository is None:
        return origin.resource_id.rpartition("/")[2]
    return f"{target.repository}:{target.tag}" if target.tag else target.repository
