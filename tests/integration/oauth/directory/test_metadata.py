"""What clients read before they sign in."""

import pytest
from tests.directory import claims_of, endpoints, tenant_id
from tests.registry import Registry

from entrepot.identities import queries

CONFIGURATION = "v2.0/.well-known/openid-configuration"


@pytest.mark.parametrize("tenant", ["common", "organizations", "adfs"])
async def test_endpoints_keep_the_word_that_the_client_wrote(registry: Registry, tenant: str):
    document = (await registry.nobody.get(f"/{tenant}/{CONFIGURATION}")).json()
    assert document["token_endpoint"] == f"http://{registry.host}/{tenant}/oauth2/v2.0/token"
    assert document["issuer"] == f"http://{registry.host}/{tenant_id(registry)}/v2.0"
    assert document["code_challenge_methods_supported"] == ["S256"]


async def test_an_authority_of_adfs_finds_its_endpoints(registry: Registry):
    document = (await registry.nobody.get("/adfs/.well-known/openid-configuration")).json()
    assert document["token_endpoint"] == f"http://{registry.host}/adfs/oauth2/token"


async def test_a_domain_stands_for_its_tenant(registry: Registry):
    tenant = tenant_id(registry)
    registry.query(lambda tx: queries.set_domain(tx, tenant, "example.com"))
    answer = await endpoints(registry, "Example.com").for_owner()
    assert claims_of(answer.json()["access_token"])["tid"] == tenant


async def test_links_are_made_of_the_name_that_the_client_knows(registry: Registry):
    http = registry.nobody.having(host="entrepot.localhost:5000")
    document = (await http.get(f"/common/{CONFIGURATION}")).json()
    assert document["jwks_uri"] == "http://entrepot.localhost:5000/common/discovery/v2.0/keys"
    assert (await registry.nobody.having(host="evil.example").get(f"/common/{CONFIGURATION}")).status == 404


async def test_no_private_part_of_a_key_is_published(registry: Registry):
    (key,) = (await registry.nobody.get("/common/discovery/keys")).json()["keys"]
    assert key.keys() == {"kty", "use", "alg", "kid", "n", "e", "issuer"}


async def test_instance_discovery_knows_our_own_authority_alone(registry: Registry):
    path = "/common/discovery/instance?api-version=1.1&authorization_endpoint="
    known = await registry.nobody.get(f"{path}https://localhost:5000/common/oauth2/v2.0/authorize")
    assert known.json()["tenant_discovery_endpoint"] == f"http://{registry.host}/common/{CONFIGURATION}"
    unknown = await registry.nobody.get(f"{path}https://login.example/common/oauth2/v2.0/authorize")
    assert (unknown.status, unknown.json()["error"]) == (400, "invalid_request")


async def test_the_realm_is_the_same_for_everybody(registry: Registry):
    told = [(await registry.nobody.get(f"/common/userrealm/{name}@example.com")).body for name in ("ada", "nobody")]
    assert told[0] == told[1]
    assert b"Managed" in told[0]
