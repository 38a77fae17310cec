"""What receivers get: everything that a webhook asks for, in order, as ACR writes it."""

import base64
import hashlib
import hmac
import json
from datetime import datetime
from itertools import pairwise
from uuid import UUID

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from sqlalchemy import func, select, update
from tests.content import an_image
from tests.integration.deleting import finish_deletions
from tests.integration.rows import multiply_manifest
from tests.integration.webhooks.receivers import Webhook, add_webhook, delivering, tag_of, told, uri_of
from tests.management import Management
from tests.outside import Server, ok, serving
from tests.registry import Registry, Repository

from entrepot.db.management_tables import delivery
from entrepot.db.tables import repository
from entrepot.webhooks.ledger import fan_out

IMAGE, OTHER = an_image(), an_image("other")
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def receiver():
    with serving(lambda _asked: ok(b"thanks")) as server:
        yield server


def reached(server: Server, count: int):
    async def condition() -> bool:
        return len(server.asked) >= count

    return condition


def settled(hook: Webhook, count: int):
    """Whether so many deliveries came to an end."""

    async def condition() -> bool:
        states = await hook.states()
        return len(states) >= count and "pending" not in states

    return condition


async def test_a_push_is_told_as_acr_tells_it(
    arm: Management, registry: Registry, app: Repository, receiver: Server, until
) -> None:
    await add_webhook(arm, uri_of(receiver))
    await app.push(IMAGE)
    await app.put(IMAGE, "v1", headers={"user-agent": "docker/29.0"})
    with delivering(registry):
        await until(reached(receiver, 2))
    by_digest, asked = receiver.asked
    assert "tag" not in json.loads(by_digest.body)["target"]
    event = json.loads(asked.body)
    assert list(event) == ["id", "timestamp", "action", "target", "request"]
    assert str(UUID(event["id"])) == event["id"]
    assert datetime.fromisoformat(event["timestamp"]) == registry.clock.now
    size = len(IMAGE.body)
    assert list(event["target"].items()) == [
        ("mediaType", IMAGE.media_type),
        ("size", size),
        ("digest", IMAGE.digest),
        ("length", size),
        ("repository", "app"),
        ("tag", "v1"),
    ]
    assert event["request"].pop("id")
    assert event["request"] == {"host": "localhost:5000", "method": "PUT", "useragent": "docker/29.0"}
    assert (asked.method, asked.headers["content-type"]) == ("POST", "application/json; charset=utf-8")
    assert b": " not in asked.body


async def test_deletes_are_told_for_each_manifest_and_for_no_tag(
    arm: Management, registry: Registry, app: Repository, receiver: Server, until
) -> None:
    await add_webhook(arm, uri_of(receiver), "delete")
    for image, tag in ((IMAGE, "v1"), (OTHER, "v2")):
        await app.push(image, tag)
    third = an_image("third")
    await app.push(third, "v3")
    assert (await app.http.delete(app.path("manifests/v1"))).status == 202
    assert (await app.http.delete(app.path(f"manifests/{third.digest}"))).status == 202
    assert (await app.http.delete("/acr/v1/app")).status == 202
    finish_deletions(registry)
    with delivering(registry):
        await until(reached(receiver, 3))
    events = told(receiver)
    assert [event["action"] for event in events] == ["delete"] * 3
    assert list(events[0]["target"].items()) == [
        ("mediaType", third.media_type),
        ("digest", third.digest),
        ("repository", "app"),
    ]
    assert {event["target"]["digest"] for event in events[1:]} == {IMAGE.digest, OTHER.digest}
    assert {event["request"]["method"] for event in events} == {"DELETE"}
    assert len({event["id"] for event in events}) == 3
    assert {event["target"]["repository"] for event in events} == {"app"}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("", {"app:v1", "app:latest", "team/app:v1"}),
        ("app", {"app:latest"}),
        ("app:v1", {"app:v1"}),
        ("app:*", {"app:v1", "app:latest"}),
        ("*app:v*", {"app:v1", "team/app:v1"}),
        ("team/*", {"team/app:v1"}),
    ],
)
async def test_a_scope_chooses_repositories_and_tags(
    arm: Management, registry: Registry, receiver: Server, until, scope: str, expected: set[str]
) -> None:
    hook = await add_webhook(arm, uri_of(receiver), scope=scope)
    for name, tag in (("app", "v1"), ("app", "latest"), ("team/app", "v1")):
        repository = registry.repository(name)
        for content in IMAGE.blobs.values():
            await repository.push_blob(content)
        assert (await repository.put(IMAGE, tag)).status == 201
    with delivering(registry):
        await until(settled(hook, len(expected)))
    assert {f"{each['target']['repository']}:{each['target']['tag']}" for each in told(receiver)} == expected


async def test_a_disabled_webhook_gets_nothing_and_what_waited_when_it_is_enabled(
    arm: Management, registry: Registry, app: Repository, receiver: Server, until
) -> None:
    hook = await add_webhook(arm, uri_of(receiver))
    await arm.patch(hook.path, {"properties": {"status": "disabled"}})
    await app.push(IMAGE)
    with delivering(registry):
        other = await add_webhook(arm, uri_of(receiver, "/other"), name="other1")
        await app.put(IMAGE, "v1")
        await until(settled(other, 1))
        assert (await arm.post(f"{hook.path}/ping")).json()["error"]["code"] == "WebhookDisabled"
        assert await hook.events() == []
        await arm.patch(hook.path, {"properties": {"status": "enabled"}})
        await app.put(IMAGE, "v2")
        await until(settled(hook, 1))
    assert [tag_of(asked) for asked in receiver.asked if asked.target == "/hook"] == ["v2"]


async def test_a_ping_is_an_event_of_its_own(arm: Management, registry: Registry, receiver: Server, until) -> None:
    hook = await add_webhook(arm, uri_of(receiver), customHeaders={"X-Key": "the-header's-secret"})
    answer = await arm.post(f"{hook.path}/ping")
    assert answer.status == 200
    with delivering(registry):
        await until(settled(hook, 1))
    (event,) = told(receiver)
    assert (event["id"], event["action"], list(event)) == (answer.json()["id"], "ping", ["id", "timestamp", "action"])
    assert receiver.asked[0].headers["x-key"] == "the-header's-secret"
    (record,) = await hook.events()
    request, response = record["eventRequestMessage"], record["eventResponseMessage"]
    assert (record["id"], request["content"]) == (event["id"], event)
    assert request["headers"] == {
        "X-Key": "******",
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": "104",
    }
    assert (request["method"], request["requestUri"], request["version"]) == ("POST", uri_of(receiver), "1.1")
    assert (response["statusCode"], response["reasonPhrase"], response["content"]) == ("200", "OK", "thanks")


async def test_a_webhook_with_a_secret_signs_what_it_sends(
    arm: Management, registry: Registry, app: Repository, receiver: Server, until
) -> None:
    """As a receiver checks it by the Standard Webhooks specification."""
    await add_webhook(arm, uri_of(receiver), signingSecret=SECRET)
    await app.push(IMAGE)
    with delivering(registry):
        await until(reached(receiver, 1))
    (asked,) = receiver.asked
    event_id, seconds = asked.headers["webhook-id"], asked.headers["webhook-timestamp"]
    assert event_id == json.loads(asked.body)["id"]
    signed = f"{event_id}.{seconds}.".encode() + asked.body
    expected = base64.b64encode(hmac.new(bytes(range(32)), signed, hashlib.sha256).digest()).decode()
    assert asked.headers["webhook-signature"] == f"v1,{expected}"


async def test_each_webhook_gets_events_in_its_own_schema(
    arm: Management, registry: Registry, app: Repository, receiver: Server, until
) -> None:
    for name, schema in (("grid", "EventGridSchema"), ("cloud", "CloudEventSchemaV1_0"), ("plain", None)):
        members = {} if schema is None else {"eventDeliverySchema": schema}
        hook = await add_webhook(arm, uri_of(receiver, f"/{name}"), name=f"hook{name}", **members)
    await app.push(IMAGE, "v1")
    with delivering(registry):
        await until(reached(receiver, 3))
    sent = {asked.target: asked for asked in receiver.asked}
    plain, (of_grid,) = json.loads(sent["/plain"].body), json.loads(sent["/grid"].body)
    cloud = from_structured_event(HTTPMessage(dict(sent["/cloud"].headers), sent["/cloud"].body))
    assert of_grid["data"] == cloud.get_data() == {**plain, "location": "local"}
    assert of_grid["topic"] == cloud.get_source() == hook.path.partition("/webhooks/")[0]
    assert (sent["/grid"].headers["aeg-event-type"], "aeg-event-type" in sent["/plain"].headers) == (
        "Notification",
        False,
    )


async def test_what_waits_keeps_its_schema_when_the_webhook_s_changes(
    arm: Management, registry: Registry, receiver: Server, until
) -> None:
    hook = await add_webhook(arm, uri_of(receiver), eventDeliverySchema="CloudEventSchemaV1_0")
    await arm.post(f"{hook.path}/ping")
    await arm.patch(hook.path, {"properties": {"eventDeliverySchema": "EventGridSchema"}})
    with delivering(registry):
        await until(settled(hook, 1))
    (asked,) = receiver.asked
    assert asked.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert json.loads(asked.body)["type"] == "Entrepot.ContainerRegistry.Ping"


async def test_a_password_in_the_uri_goes_as_a_header_and_is_shown_nowhere(
    arm: Management, registry: Registry, receiver: Server, until
) -> None:
    hook = await add_webhook(arm, f"http://$site:the-password@{receiver.place}/hook?code=the-code")
    await arm.post(f"{hook.path}/ping")
    with delivering(registry):
        await until(settled(hook, 1))
    (asked,) = receiver.asked
    assert asked.target == "/hook?code=the-code"
    assert base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")) == b"$site:the-password"
    shown = json.dumps(await hook.events())
    assert "the-password" not in shown
    assert "the-code" not in shown
    assert f"http://{receiver.place}/hook?******" in shown


async def test_what_a_large_repository_held_is_made_deliveries_of_a_few_at_a_time(
    arm: Management, registry: Registry, app: Repository
) -> None:
    await add_webhook(arm, "http://127.0.0.1:9/hook", "delete")
    await app.push(IMAGE, "v1")
    registry.query(multiply_manifest, IMAGE.digest, 1199)
    registry.query(lambda tx: tx.execute(update(repository).values(manifest_count=1200)))
    assert (await app.http.delete("/acr/v1/app")).status == 202
    finish_deletions(registry, batch=200)
    made: list[int] = []
    while registry.query(fan_out, str, registry.clock.now):
        made.append(registry.query(lambda tx: tx.execute(select(func.count()).select_from(delivery)).scalar_one()))
    assert made[-1] == 1200
    assert max(after - before for before, after in pairwise([0, *made])) <= 500
