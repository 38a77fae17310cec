"""The other schemas against Microsoft's examples of them (webhooks/schemas.py names the sources)."""

import json
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from tests.unit.webhooks.test_payloads import AT, DIGEST, DOCKER

from entrepot.webhooks.model import Schema
from entrepot.webhooks.payloads import Payload, Target, ping
from entrepot.webhooks.schemas import HEADERS, Origin, written

SOURCE = (
    "/subscriptions/a-subscription/resourceGroups/group/providers/Microsoft.ContainerRegistry/registries/myregistry"
)
ORIGIN = Origin(SOURCE, "eastus")
MOMENT = "2018-02-28T00:42:54.4509510Z"


def pushed(action: str = "push", tag: str | None = "v1") -> Payload:
    target = Target(media_type=DOCKER, size=5, digest=DIGEST, length=5, repository="team/app", tag=tag)
    return Payload("an-id", MOMENT, action, target=target)


def test_an_event_grid_event_is_as_acr_raises_it() -> None:
    (event,) = json.loads(written(Schema.EVENT_GRID, pushed(), ORIGIN))
    data = event.pop("data")
    assert list(event.items()) == [
        ("id", "an-id"),
        ("topic", SOURCE),
        ("subject", "team/app:v1"),
        ("eventType", "Microsoft.ContainerRegistry.ImagePushed"),
        ("eventTime", MOMENT),
        ("dataVersion", "2.0"),
        ("metadataVersion", "1"),
    ]
    assert list(data) == ["id", "timestamp", "action", "location", "target"]
    assert (data["location"], data["target"]["digest"]) == ("eastus", DIGEST)


def read(content: bytes) -> Any:  # noqa: ANN401  the library's event
    """As the CloudEvents project's own library reads what comes in."""
    return from_structured_event(HTTPMessage(dict(HEADERS[Schema.CLOUD_EVENTS]), content))


def test_a_cloud_event_is_one() -> None:
    content = written(Schema.CLOUD_EVENTS, pushed(), ORIGIN)
    event = read(content)
    assert (event.get_id(), event.get_source(), event.get_subject()) == ("an-id", SOURCE, "team/app:v1")
    assert (event.get_type(), event.get_time()) == ("Microsoft.ContainerRegistry.ImagePushed", AT)
    assert event.get_data()["target"]["repository"] == "team/app"
    assert list(json.loads(content)) == ["id", "source", "subject", "type", "time", "data", "specversion"]


@pytest.mark.parametrize(
    ("payload", "kind", "subject"),
    [
        (pushed("delete", None), "Microsoft.ContainerRegistry.ImageDeleted", "team/app"),
        (pushed("chart_push"), "Microsoft.ContainerRegistry.ChartPushed", "team/app:v1"),
        (pushed("chart_delete"), "Microsoft.ContainerRegistry.ChartDeleted", "team/app:v1"),
        (pushed("quarantine"), "Entrepot.ContainerRegistry.ImageQuarantined", "team/app:v1"),
        (ping("an-id", AT), "Entrepot.ContainerRegistry.Ping", "myregistry"),
    ],
)
def test_each_action_has_a_type_and_a_subject(payload: Payload, kind: str, subject: str) -> None:
    event = read(written(Schema.CLOUD_EVENTS, payload, ORIGIN))
    assert (event.get_type(), event.get_subject()) == (kind, subject)
    (other,) = json.loads(written(Schema.EVENT_GRID, payload, ORIGIN))
    assert (other["eventType"], other["subject"]) == (kind, subject)
