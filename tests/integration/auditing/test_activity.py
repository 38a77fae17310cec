"""Changes of the management API as Azure's activity log."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.integration.rows import add_principal
from tests.management import Management, management, scope_role
from tests.registry import FakeClock, Registry

from entrepot.access.queries import raise_epoch

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
REGISTRIES = "Microsoft.ContainerRegistry/registries"
HOOK = {
    "location": "eastus",
    "properties": {
        "serviceUri": "https://a.example",
        "customHeaders": {"Authorization": "the-secret"},
        "actions": ["push"],
    },
}


@pytest.fixture
async def arm(registry: Registry) -> Management:
    return await management(registry)


def log_of(arm: Management) -> str:
    return f"/subscriptions/{arm.subscription}/providers/Microsoft.Insights/eventtypes/management/values"


async def events(arm: Management, clock: FakeClock, *conditions: str, **query: str) -> list[dict[str, Any]]:
    """Of the last hour."""
    since = (clock() - timedelta(hours=1)).replace(tzinfo=None).isoformat()
    asked = " and ".join([f"eventTimestamp ge {since}", *conditions])
    answer = await versioned(arm).get(log_of(arm), None, filter=asked, **query)
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = []
    while True:
        document = answer.json()
        found += document["value"]
        if "nextLink" not in document:
            return found
        answer = await arm.http.get("/" + document["nextLink"].split("/", 3)[3])


def versioned(arm: Management) -> Management:
    return Management(arm.http, arm.subscription, "2015-04-01")


def operations(found: list[dict[str, Any]]) -> list[str]:
    return [event["operationName"]["value"].removeprefix(f"{REGISTRIES}/") for event in found]


async def test_changes_are_told_the_newest_first_with_before_and_after(arm: Management, clock: FakeClock) -> None:
    await arm.patch(arm.registry(), {"tags": {"a": "b"}})
    clock.advance(seconds=1)
    await arm.put(f"{arm.registry()}/webhooks/deploy", HOOK)
    hook, registry = await events(arm, clock)
    assert operations([hook, registry]) == ["webhooks/write", "write"]
    before, after = (json.loads(registry["properties"][when]) for when in ("before", "after"))
    assert (before["tags"], after["tags"]) == ({}, {"a": "b"})
    assert (registry["resourceId"], registry["status"]["value"]) == (arm.registry(), "Succeeded")
    assert (hook["resourceType"]["value"], hook["resourceGroupName"]) == (f"{REGISTRIES}/webhooks", "entrepot")
    assert hook["eventTimestamp"] > registry["eventTimestamp"]
    assert {hook["caller"]} == {registry["caller"]} != {""}


async def test_no_secret_is_in_it(arm: Management, clock: FakeClock) -> None:
    await arm.put(f"{arm.registry()}/webhooks/deploy", HOOK)
    await arm.post(f"{arm.registry()}/webhooks/deploy/getCallbackConfig")
    assert "the-secret" not in json.dumps(await events(arm, clock))


async def test_members_that_nobody_knows_are_named(arm: Management, clock: FakeClock) -> None:
    answer = await arm.patch(arm.registry(), {"properties": {"warpDrive": True}, "tags": {"a": "b"}})
    assert "properties.warpDrive" in answer["warning"]
    (event,) = await events(arm, clock)
    assert json.loads(event["properties"]["unknownMembers"]) == ["properties.warpDrive"]


async def test_what_is_written_and_never_shown_is_no_unknown_member(arm: Management) -> None:
    made = await arm.put(f"{arm.registry()}/webhooks/deploy", HOOK)
    assert "warning" not in dict(made.headers)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("resourceUri eq '{registry}'", ["webhooks/write", "write"]),
        ("resourceId eq '{registry}/webhooks/deploy'", ["webhooks/write"]),
        ("resourceUri eq '{registry}2'", []),
        ("resourceGroupName eq 'ENTREPOT'", ["webhooks/write", "write"]),
        ("resourceGroupName eq 'entrepo'", []),
        ("resourceProvider eq 'microsoft.containerregistry'", ["webhooks/write", "write"]),
        ("resourceProvider eq 'Microsoft.Container'", []),
        ("status eq 'Succeeded'", ["webhooks/write", "write"]),
        ("status eq 'Failed'", []),
        ("caller eq 'nobody'", []),
        ("eventTimestamp le '2020-01-01T00:00:00Z'", []),
    ],
)
async def test_a_filter_is_applied(arm: Management, clock: FakeClock, condition: str, found: list[str]) -> None:
    await arm.patch(arm.registry(), {"tags": {"a": "b"}})
    clock.advance(seconds=1)
    await arm.put(f"{arm.registry()}/webhooks/deploy", HOOK)
    assert operations(await events(arm, clock, condition.format(registry=arm.registry()))) == found


async def test_one_request_is_found_by_its_id(arm: Management, clock: FakeClock) -> None:
    await arm.patch(arm.registry(), {"tags": {"a": "b"}})
    wanted = await arm.patch(arm.registry(), {"tags": {"a": "c"}})
    (event,) = await events(arm, clock, f"correlationId eq '{wanted['x-request-id']}'")
    assert json.loads(event["properties"]["after"])["tags"] == {"a": "c"}


@pytest.mark.parametrize(
    "text",
    [
        *("", "resourceUri eq '/subscriptions'", "eventTimestamp ge '1'", "eventTimestamp gt '2026-01-01'"),
        "eventTimestamp ge '2020-01-01' and eventTimestamp le '2026-01-01'",
    ],
)
async def test_a_range_of_time_is_asked_for_and_bounded(arm: Management, text: str) -> None:
    refused = await versioned(arm).get(log_of(arm), None, filter=text)
    assert (refused.status, refused.json()["error"]["code"]) == (400, "InvalidFilterInQueryString")


async def test_members_are_selected(arm: Management, clock: FakeClock) -> None:
    await arm.patch(arm.registry(), {"tags": {"a": "b"}})
    (event,) = await events(arm, clock, select="operationName , eventTimestamp")
    assert set(event) == {"id", "operationName", "eventTimestamp"}
    since = clock().replace(tzinfo=None).isoformat()
    refused = await versioned(arm).get(log_of(arm), None, filter=f"eventTimestamp ge {since}", select="secrets")
    assert (refused.status, "operationName" in refused.json()["error"]["message"]) == (400, True)


async def test_pages_follow_each_other_and_hold_each_event_once(arm: Management, clock: FakeClock) -> None:
    for number in range(5):
        await arm.patch(arm.registry(), {"tags": {"n": str(number)}})
        clock.advance(seconds=number % 2)  # some at the same moment
    found = await events(arm, clock, top="2", select="properties")
    told = [json.loads(event["properties"]["after"])["tags"]["n"] for event in found]
    assert told == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize("token", ["eA==", "MS54", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5LjE="])
async def test_a_page_that_is_none_is_refused(arm: Management, clock: FakeClock, token: str) -> None:
    asked = f"{log_of(arm)}?$skiptoken={token}"
    refused = await versioned(arm).get(asked, None, filter=f"eventTimestamp ge {clock():%Y-%m-%d}")
    assert (refused.status, refused.json()["error"]["code"]) == (400, "InvalidQueryParameter")


async def test_a_reader_of_one_registry_sees_what_happened_to_it(
    arm: Management, registry: Registry, clock: FakeClock
) -> None:
    await arm.put(arm.registry("second"), {"location": "eastus", "sku": {"name": "Basic"}})
    await arm.patch(arm.registry(), {"tags": {"a": "b"}})
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret", role=READER))
    registry.query(lambda tx: scope_role(tx, "guest", arm.registry("second")))
    registry.query(raise_epoch)
    clock.advance(seconds=2)
    guest = await management(registry, "guest")
    assert [event["resourceId"] for event in await events(guest, clock)] == [arm.registry("second")]
