from dataclasses import replace

import pytest
from sqlalchemy import event
from tests.integration.rows import add_principal
from tests.management import Management, management, scope_role
from tests.registry import Registry

from entrepot.access.queries import raise_epoch

REGISTRIES = "Microsoft.ContainerRegistry/registries"


async def test_a_person_finds_tenant_and_subscription_after_sign_in(arm: Management) -> None:
    (tenant,) = (await arm.get("/tenants")).json()["value"]
    (subscription,) = (await arm.get("/subscriptions")).json()["value"]
    assert subscription["tenantId"] == tenant["tenantId"]
    assert (subscription["subscriptionId"], subscription["state"]) == (arm.subscription, "Enabled")
    assert (await arm.get(f"/subscriptions/{arm.subscription.upper()}")).json() == subscription


async def test_a_registry_is_found_by_its_type(arm: Management) -> None:
    """Az looks for it so when no group is given (AZ-CLI-FLOWS 2)."""
    found = await arm.get(f"/subscriptions/{arm.subscription}/resources", filter=f"resourceType eq '{REGISTRIES}'")
    (shown,) = found.json()["value"]
    assert (shown["id"], shown["type"], shown["sku"]["name"]) == (arm.registry(), REGISTRIES, "Premium")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("resourceType eq 'microsoft.containerregistry/REGISTRIES' and name eq 'LOCAL'", 1),
        ("resourceType eq 'Microsoft.Compute/virtualMachines'", 0),
        ("name eq 'o''ther'", 0),
        ("resourceGroup eq 'entrepot'", 1),
    ],
)
async def test_a_filter_is_applied(arm: Management, text: str, count: int) -> None:
    for where in (f"/subscriptions/{arm.subscription}", arm.group):
        assert len((await arm.get(f"{where}/resources", filter=text)).json()["value"]) == count


@pytest.mark.parametrize("text", ["tagName eq 'a'", "name eq local", "name eq 'a' or name eq 'b'", "name eq 'a' and"])
async def test_a_filter_that_is_not_understood_is_refused_and_not_ignored(arm: Management, text: str) -> None:
    refused = await arm.get(f"/subscriptions/{arm.subscription}/resources", filter=text)
    assert (refused.status, refused.json()["error"]["code"]) == (400, "InvalidFilterInQueryString")


async def test_everything_is_listed_page_by_page(arm: Management) -> None:
    for name in ("second", "third"):
        await arm.put(arm.registry(name), {"location": "eastus", "sku": {"name": "Basic"}})
    everything = f"/subscriptions/{arm.subscription}/resources"
    assert await arm.names(everything, top="1") == ["local", "second", "third"]


async def test_providers_are_registered_from_the_start(arm: Management) -> None:
    provider = f"/subscriptions/{arm.subscription}/providers/Microsoft.ContainerRegistry"
    shown = (await arm.get(provider.lower().replace("microsoft.", "Microsoft."))).json()
    assert (shown["namespace"], shown["registrationState"]) == ("Microsoft.ContainerRegistry", "Registered")
    assert "2026-09-01-preview" in next(each for each in shown["resourceTypes"])["apiVersions"]
    resources = replace(arm, version="2024-11-01")
    assert (await resources.post(f"{provider}/register")).json()["registrationState"] == "Registered"
    assert (await arm.get(provider.replace("ContainerRegistry", "Compute"))).status == 404


async def test_locations_have_azures_names_and_the_deployments_own(arm: Management) -> None:
    names = await arm.names(f"/subscriptions/{arm.subscription}/locations")
    assert {"eastus", "westeurope", "local"} <= set(names)


@pytest.mark.parametrize("query", ["$top=0", "$top=x", "$skiptoken=%00", "$skiptoken=AA=="])
async def test_a_page_that_is_none_is_refused(arm: Management, query: str) -> None:
    refused = await arm.get(f"/subscriptions?{query}")
    assert (refused.status, refused.json()["error"]["code"]) == (400, "InvalidQueryParameter")


async def test_who_has_a_role_on_one_registry_sees_that_one_alone(arm: Management, registry: Registry) -> None:
    await arm.put(arm.registry("second"), {"location": "eastus", "sku": {"name": "Basic"}})
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret"))
    registry.query(lambda tx: scope_role(tx, "guest", arm.registry("second")))
    registry.query(raise_epoch)
    guest = await management(registry, "guest")
    assert await guest.names("/subscriptions") == [arm.subscription]
    assert await guest.names(f"/subscriptions/{arm.subscription}/resources") == ["second"]
    assert await guest.names(f"/subscriptions/{arm.subscription}/providers/{REGISTRIES}") == ["second"]
    assert await guest.names(f"/subscriptions/{arm.subscription}/resourceGroups") == []


async def test_who_has_no_role_sees_no_subscription(arm: Management, registry: Registry) -> None:
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret", role=None))
    guest = await management(registry, "guest")
    assert await guest.names("/subscriptions") == []
    answer = await guest.get(f"/subscriptions/{arm.subscription}")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "SubscriptionNotFound")


async def test_how_much_is_listed_does_not_change_what_is_asked_of_the_catalog(
    arm: Management, registry: Registry
) -> None:
    """For whoever may read one by one as well, and with each filter."""
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret"))
    registry.query(lambda tx: scope_role(tx, "guest", arm.registry()))
    registry.query(raise_epoch)
    subscription = f"/subscriptions/{arm.subscription}"
    asked = [
        (await management(registry, "guest"), f"{subscription}/providers/{REGISTRIES}", {}),
        (arm, f"{subscription}/resources", {"filter": "name eq 'local'", "top": "1"}),
        (arm, f"{subscription}/resources", {"filter": "location eq 'nowhere'", "top": "1"}),
        (arm, f"{subscription}/resources", {"filter": "resourceGroup eq 'none'", "top": "1"}),
    ]
    before = [await statements_of(registry, *each) for each in asked]
    for name in ("abc01", "abc02", "zyx01", "zyx02"):
        await arm.put(arm.registry(name), {"location": "eastus", "sku": {"name": "Basic"}})
    assert [await statements_of(registry, *each) for each in asked] == before


async def statements_of(registry: Registry, client: Management, path: str, query: dict[str, str]) -> int:
    """How many a page takes of which nothing is remembered but who asks."""
    await client.get("/tenants")
    statements: list[str] = []

    def note(*given: object) -> None:
        statements.append(str(given[2]))

    event.listen(registry.database.engine, "before_cursor_execute", note)
    assert (await client.get(path, None, **query)).status == 200
    event.remove(registry.database.engine, "before_cursor_execute", note)
    return len(statements)
