"""Which addresses a registry answers, and how the rules are kept. Source: ACR-REFERENCE 9."""

from dataclasses import replace
from typing import Any

import pytest
from tests.management import Management
from tests.registry import Registry
from tests.wire import Client

OFFICE = "198.51.100.0/24"


def rules(*values: str, default: str = "Deny") -> dict[str, Any]:
    return {
        "networkRuleSet": {"defaultAction": default, "ipRules": [{"value": each, "action": "Allow"} for each in values]}
    }


async def ends(registry: Registry, until: Any, peer: str, status: int, path: str = "/v2/") -> Client:  # noqa: ANN401
    """Wait until a client with this address is answered so."""
    http = replace(registry.http, peer=peer)

    async def is_so() -> bool:
        return (await http.get(path)).status == status

    await until(is_so)
    return http


async def test_only_addresses_of_the_rules_are_answered_and_the_rest_is_told_in_acrs_words(
    arm: Management, registry: Registry, until
) -> None:
    assert (await arm.patch(arm.registry(), {"properties": rules(OFFICE)})).status == 200
    http = await ends(registry, until, "203.0.113.9", 403)
    for path in ("/v2/", "/v2/_catalog", "/oauth2/token?service=x", "/acr/v1/_catalog", "/v2/app/manifests/v1"):
        refused = await http.get(path)
        assert (refused.status, refused.json()["errors"][0]["code"]) == (403, "DENIED"), path
        said = "client with IP '203.0.113.9' is not allowed access. Refer https://aka.ms/acr/firewall to grant access."
        assert refused.json()["errors"][0]["message"] == said
    assert (await http.post("/oauth2/exchange")).status == 403
    for peer in ("198.51.100.77", "::ffff:198.51.100.77"):
        assert (await replace(registry.http, peer=peer).get("/v2/")).status == 200
    shown = (await arm.get(arm.registry())).json()["properties"]
    assert shown["networkRuleSet"]["ipRules"] == [{"value": OFFICE, "action": "Allow"}]
    await arm.patch(arm.registry(), {"properties": rules(OFFICE, default="Allow")})
    await ends(registry, until, "203.0.113.9", 200)
    assert (await arm.get(arm.registry())).json()["properties"]["networkRuleSet"]["ipRules"] != []


async def test_public_access_is_switched_off_for_public_addresses_alone(
    arm: Management, registry: Registry, until
) -> None:
    changed = await arm.patch(arm.registry(), {"properties": {"publicNetworkAccess": "disabled"}})
    assert (changed.status, changed.json()["properties"]["publicNetworkAccess"]) == (200, "Disabled")
    await ends(registry, until, "8.8.8.8", 403)
    await ends(registry, until, "10.0.0.7", 200)


async def test_a_client_cannot_choose_its_address_by_a_header(arm: Management, registry: Registry, until) -> None:
    await arm.patch(arm.registry(), {"properties": rules(OFFICE)})
    http = (await ends(registry, until, "203.0.113.9", 403)).having(x_forwarded_for="198.51.100.7")
    assert (await http.having(forwarded="for=198.51.100.7").get("/v2/")).status == 403


@pytest.mark.parametrize("value", ["example.com", "10.0.0.1/8", "10.0.0.0/40", ""])
async def test_a_rule_that_is_no_network_is_refused_with_its_place(arm: Management, value: str) -> None:
    refused = await arm.patch(arm.registry(), {"properties": rules("10.0.0.0/8", value)})
    error = refused.json()["error"]
    assert (refused.status, error["target"]) == (400, "properties.networkRuleSet.ipRules[1].value")


async def test_rules_can_only_allow(arm: Management) -> None:
    body = {"networkRuleSet": {"defaultAction": "Allow", "ipRules": [{"value": "10.0.0.1", "action": "Deny"}]}}
    refused = await arm.patch(arm.registry(), {"properties": body})
    assert (refused.status, refused.json()["error"]["target"]) == (400, "properties.networkRuleSet.ipRules[0].action")


async def test_a_registry_has_so_many_rules_as_its_tier_has_room_for(arm: Management) -> None:
    many = [f"10.0.{number}.0/24" for number in range(201)]
    assert (await arm.patch(arm.registry(), {"properties": rules(*many[:200])})).status == 200
    refused = await arm.patch(arm.registry(), {"properties": rules(*many)})
    assert (refused.status, refused.json()["error"]["target"]) == (400, "properties.networkRuleSet.ipRules")
    usages = (await arm.get(f"{arm.registry()}/listUsages")).json()["value"]
    assert next(each for each in usages if each["name"] == "IPRules")["currentValue"] == 200


async def test_only_a_premium_registry_has_network_rules(arm: Management) -> None:
    body = {"location": "eastus", "sku": {"name": "Standard"}, "properties": rules("10.0.0.0/8")}
    refused = await arm.put(arm.registry("second"), body)
    assert (refused.status, refused.json()["error"]["code"]) == (400, "FeatureNotSupportedInTier")
    await arm.patch(arm.registry(), {"properties": rules("10.0.0.0/8")})
    blocked = await arm.patch(arm.registry(), {"sku": {"name": "Standard"}})
    assert (blocked.status, "network rules is on" in blocked.json()["error"]["message"]) == (409, True)
