"""Whose address the logs have of what happens on the management API, and whose failures it counts."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from tests.directory import Browser, add_person, authorize_path, sent_back
from tests.integration.auditing.conftest import Written
from tests.integration.rows import audit_entries
from tests.management import Management, management
from tests.registry import Registry

PROXIES = (ip_network("10.0.0.0/8"),)
# Who is connected, what the header tells, who it is: only a proxy of ours is believed, and only about what it saw.
SEEN = {
    "proxy": ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
    "proxy-6": ("::ffff:10.0.0.1", "2001:db8::7", "2001:db8::7"),
    "made-up": ("10.0.0.1", "203.0.113.66, 198.51.100.7", "198.51.100.7"),
    "two-proxies": ("10.0.0.1", "203.0.113.66, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
    "stranger": ("192.0.2.1", "203.0.113.66", "192.0.2.1"),
    "stranger-mapped": ("::ffff:192.0.2.1", "203.0.113.66", "192.0.2.1"),
}
CASES = pytest.mark.parametrize(("peer", "told", "seen"), SEEN.values(), ids=SEEN)


async def behind_proxies(registry: Registry, peer: str, told: str) -> Management:
    arm = await management(registry)
    return replace(arm, http=replace(arm.http, peer=peer).having(x_forwarded_for=told, forwarded="for=203.0.113.77"))


@CASES
async def test_a_change_has_it_in_the_audit_log_and_in_the_activity_log(
    start_registry, peer: str, told: str, seen: str
):
    registry = await start_registry(trusted_proxies=PROXIES)
    arm = await behind_proxies(registry, peer, told)
    assert (await arm.patch(arm.registry(), {"tags": {"a": "b"}})).status == 200
    (entry,) = registry.query(lambda tx: audit_entries(tx, "Microsoft.ContainerRegistry/registries/write"))
    assert entry["address"] == seen
    log = f"/subscriptions/{arm.subscription}/providers/Microsoft.Insights/eventtypes/management/values"
    since = (registry.clock() - timedelta(hours=1)).replace(tzinfo=None).isoformat()
    answer = await replace(arm, version="2015-04-01").get(log, filter=f"eventTimestamp ge {since}")
    assert [event["httpRequest"]["clientIpAddress"] for event in answer.json()["value"]] == [seen]


@CASES
async def test_a_refusal_by_the_management_networks_has_it(
    start_registry, written: Written, peer: str, told: str, seen: str
):
    registry = await start_registry(trusted_proxies=PROXIES, management_networks=(ip_network("203.0.113.0/24"),))
    arm = await behind_proxies(registry, peer, told)
    assert (await arm.get(arm.registry())).status == 403
    (entry,) = await written("denied", 1)
    assert (entry["address"], entry["target"], entry["result"]) == (seen, arm.registry(), "denied")
    assert (entry["detail"]["kind"], entry["detail"]["address"]) == ("NETWORK_DENIED", seen)


async def test_who_guesses_behind_a_proxy_locks_only_his_own_address_and_no_header_helps_him(start_registry):
    registry = await start_registry(trusted_proxies=PROXIES)
    add_person(registry)
    for place in range(50):
        guesser = at(registry, "10.0.0.1", f"203.0.113.{place}, 198.51.100.7")
        await guesser.open(authorize_path())
        await guesser.submit("password", username=f"name{place}@example.com", password="wrong")
    for peer, told in (("10.0.0.1", "203.0.113.99, 198.51.100.7"), ("198.51.100.7", "203.0.113.99")):
        locked = at(registry, peer, told)
        answer = await locked.sign_in(authorize_path())
        assert (answer.status, "Wait" in locked.text) == (401, True), told
    assert "code" in sent_back(await at(registry, "10.0.0.1", "198.51.100.8").sign_in(authorize_path()))


def at(registry: Registry, peer: str, told: str) -> Browser:
    return Browser(replace(registry.nobody, peer=peer).having(x_forwarded_for=told))
