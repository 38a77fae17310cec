"""Payloads against the examples of ACR's reference (ACR-REFERENCE 7.3): members, their order, their values."""

import json
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from entrepot.webhooks.calling import signature_headers
from entrepot.webhooks.model import Message, Schema
from entrepot.webhooks.payloads import EventRow, Told, event_id_of, ping, told_of

AT = datetime(2018, 2, 28, 0, 42, 54, 450951, tzinfo=UTC)
ID = "cb8c39718e2f4d6a9b0c1d2e3f405162"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DIGEST = "sha256:" + "ab" * 32
ASKED = {"id": "3cbb6949-7549-4fa1-86cd-a6d5451dffc7", "useragent": "docker/17.09.0-ce go/go1.8.3"}


def told(action: str, **body: object) -> list[Told]:
    place = ("hello-world", "myregistry", "eastus", "a-subscription", "group")
    row = EventRow(1, 1, ID, 1, action, AT, json.dumps(body), *place)
    return list(told_of(row, "myregistry.azurecr.io"))


HEAD = f'"id":"{UUID(ID)}","timestamp":"2018-02-28T00:42:54.4509510Z"'


@pytest.mark.parametrize(
    ("action", "body", "expected"),
    [
        (
            "push",
            {"digest": DIGEST, "mediaType": DOCKER, "size": 524, "tags": ["v1"], "request": ASKED},
            (
                f'{{{HEAD},"action":"push","target":{{"mediaType":"{DOCKER}","size":524,"digest":"{DIGEST}","length":524,'
                '"repository":"hello-world","tag":"v1"},"request":{"id":"3cbb6949-7549-4fa1-86cd-a6d5451dffc7",'
                '"host":"myregistry.azurecr.io","method":"PUT","useragent":"docker/17.09.0-ce go/go1.8.3"}}'
            ),
        ),
        (
            "delete",
            {"digest": DIGEST, "mediaType": DOCKER, "size": 524, "tags": ["v1"], "request": ASKED},
            (
                f'{{{HEAD},"action":"delete","target":{{"mediaType":"{DOCKER}","digest":"{DIGEST}",'
                '"repository":"hello-world"},"request":{"id":"3cbb6949-7549-4fa1-86cd-a6d5451dffc7",'
                '"host":"myregistry.azurecr.io","method":"DELETE","useragent":"docker/17.09.0-ce go/go1.8.3"}}'
            ),
        ),
        (
            "quarantine",
            {"digest": DIGEST, "mediaType": DOCKER, "size": 1791, "tags": ["1"], "request": ASKED},
            (
                f'{{{HEAD},"action":"quarantine","target":{{"size":1791,"digest":"{DIGEST}","length":1791,'
                '"repository":"hello-world","tag":"1"},"request":{"id":"3cbb6949-7549-4fa1-86cd-a6d5451dffc7",'
                '"host":"myregistry.azurecr.io","method":"PUT"}}'
            ),
        ),
        *(
            (
                action,
                {
                    "digest": DIGEST,
                    "mediaType": "application/vnd.acr.helm.chart",
                    "size": 25265,
                    "tags": ["wordpress-5.4.0.tgz"],
                    "name": "wordpress",
                    "version": "5.4.0.tgz",
                },
                (
                    f'{{{HEAD},"action":"{action}","target":{{"mediaType":"application/vnd.acr.helm.chart","size":25265,'
                    f'"digest":"{DIGEST}","repository":"hello-world","tag":"wordpress-5.4.0.tgz",'
                    '"name":"wordpress","version":"5.4.0.tgz"}}'
                ),
            )
            for action in ("chart_push", "chart_delete")
        ),
    ],
)
def test_a_payload_is_as_acr_writes_it(action: str, body: dict[str, object], expected: str) -> None:
    (event,) = told(action, **body)
    assert msgspec.json.encode(event.payload).decode() == expected


def test_a_ping_has_no_target() -> None:
    content = msgspec.json.encode(ping(event_id_of(ID), AT))
    assert content.decode() == f'{{{HEAD},"action":"ping"}}'
    assert len(content) == 104


def test_a_push_of_several_tags_is_told_once_for_each() -> None:
    events = told("push", digest=DIGEST, mediaType=DOCKER, size=5, tags=["a", "b"], request=None)
    assert [event.payload.target and event.payload.target.tag for event in events] == ["a", "b"]
    assert [event.tags for event in events] == [("a",), ("b",)]
    assert len({event.payload.id for event in events}) == 2
    assert [event.payload.id for event in events] == [event_id_of(ID, number) for number in range(2)]


@pytest.mark.parametrize("action", ["untag", "update", "something new"])
def test_nothing_is_told_of_what_acr_does_not_tell(action: str) -> None:
    assert told(action, digest=DIGEST, tags=["a"]) == []


def test_a_push_that_no_request_caused_names_none() -> None:
    (event,) = told("push", digest=DIGEST, mediaType=DOCKER, size=5, tags=["a"], request=None)
    assert b"request" not in msgspec.json.encode(event.payload)


def test_a_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification's own libraries."""
    message = Message(1, "msg_p5jXN8AQM9LWM0D4loKWxJek", 0, Schema.CONTAINER_REGISTRY, b'{"test": 2432232314}')
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signature_headers("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", message, at)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
