"""From which networks the management API, Graph and the audit log are reached."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from tests.management import GRAPH, Management, management
from tests.registry import Registry

NETWORKS = ("198.51.100.0/24", "2001:db8:1::/48", "::ffff:192.0.2.0/120")
INSIDE = ("198.51.100.7", "::ffff:198.51.100.7", "2001:db8:1:2::7", "192.0.2.9", "::ffff:192.0.2.9")
OUTSIDE = ("198.51.101.7", "::ffff:198.51.101.7", "2001:db8:2::7", "127.0.0.1", "::1", "::198.51.100.7", "")


@pytest.fixture
async def limited(start_registry) -> Registry:
    return await start_registry(management_networks=tuple(map(ip_network, NETWORKS)))


async def asking(registry: Registry, peer: str, audience: str = "", **headers: str) -> Management:
    """The owner at this address."""
    owner = await management(registry, **({"audience": audience} if audience else {}))
    return replace(owner, http=replace(owner.http, peer=peer).having(**headers))


@pytest.mark.parametrize("peer", INSIDE)
async def test_clients_of_the_networks_are_answered(limited: Registry, peer: str):
    arm = await asking(limited, peer)
    assert (await arm.get(arm.registry())).status == 200


@pytest.mark.parametrize("peer", OUTSIDE)
async def test_others_are_refused_in_the_words_of_the_management_api(limited: Registry, peer: str):
    arm = await asking(limited, peer)
    for path in (arm.registry(), "/subscriptions", "/metadata/endpoints", "/openapi.json"):
        refused = await arm.get(path)
        assert (refused.status, error(refused.json())) == (403, "RequestDisallowedByPolicy"), path
    message = (await arm.get(arm.registry())).json()["error"]["message"]
    assert f"'{peer.removeprefix('::ffff:')}'" in message
    assert "management_networks" in message


async def test_graph_and_the_audit_log_are_of_it(limited: Registry):
    graph = await asking(limited, OUTSIDE[0], GRAPH)
    refused = await replace(graph, version=None).get("/v1.0/users")
    assert (refused.status, error(refused.json())) == (403, "Authorization_RequestDenied")
    assert "management_networks" in refused.json()["error"]["message"]
    arm = await asking(limited, OUTSIDE[0])
    log = await arm.get(f"/entrepot/subscriptions/{arm.subscription}/audit")
    assert (log.status, log.code) == (403, "DENIED")
    assert "management_networks" in log.json()["errors"][0]["message"]


async def test_registries_and_sign_in_answer_everybody(limited: Registry):
    http = replace(limited.http, peer=OUTSIDE[0])
    for path in ("/v2/", "/v2/_catalog", f"/oauth2/token?service={limited.host}", "/acr/v1/_catalog"):
        assert (await http.get(path)).status == 200, path
    for path in ("/common/discovery/keys", "/common/v2.0/.well-known/openid-configuration", "/devicelogin"):
        assert (await replace(limited.nobody, peer=OUTSIDE[0]).get(path)).status == 200, path


async def test_nobody_is_asked_who_he_is_before_his_address_is_looked_at(limited: Registry):
    refused = await replace(limited.nobody, peer=OUTSIDE[0]).get("/subscriptions?api-version=2022-12-01")
    assert (refused.status, error(refused.json())) == (403, "RequestDisallowedByPolicy")
    assert refused.get("www-authenticate") is None


async def test_a_header_lets_nobody_in(limited: Registry):
    arm = await asking(limited, OUTSIDE[0], x_forwarded_for=INSIDE[0], forwarded=f"for={INSIDE[0]}")
    assert (await arm.get(arm.registry())).status == 403


@pytest.mark.parametrize(
    ("peer", "told", "status"),
    [
        ("10.0.0.1", INSIDE[0], 200),
        ("10.0.0.1", OUTSIDE[0], 403),
        ("10.0.0.1", f"{INSIDE[0]}, {OUTSIDE[0]}", 403),
        ("10.0.0.1", f"{OUTSIDE[0]}, {INSIDE[0]}, 10.0.0.2", 200),
        ("10.0.0.1", "", 403),
        (OUTSIDE[0], INSIDE[0], 403),
    ],
    ids=["in", "out", "made-up", "two-proxies", "proxy-itself", "no-proxy"],
)
async def test_behind_a_proxy_it_is_the_client_that_counts(start_registry, peer: str, told: str, status: int):
    registry = await start_registry(
        management_networks=(ip_network(NETWORKS[0]),), trusted_proxies=(ip_network("10.0.0.0/8"),)
    )
    arm = await asking(registry, peer, **({"x_forwarded_for": told} if told else {}))
    assert (await arm.get(arm.registry())).status == status


def error(document: dict[str, Any]) -> str:
    return document["error"]["code"]
