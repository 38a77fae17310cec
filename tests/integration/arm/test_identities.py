"""Identities of registries, as ``az acr identity`` changes them. Source: ACR-REFERENCE 6.3."""

from typing import Any
from uuid import uuid4

from sqlalchemy import Connection
from tests.integration.rows import add_principal
from tests.management import Management, management
from tests.registry import Registry

from entrepot.access.queries import find_holder
from entrepot.identities.applications import Ids, add_managed_identity
from entrepot.identities.queries import tenants

Json = Any
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
# Of registries alone: it lends no identities.
ACR_CONTRIBUTOR = "3bc748fc-213d-45c1-8d91-9da5725539b9"
LENT = "/subscriptions/{}/resourceGroups/any/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}"
SYSTEM: Json = {"identity": {"type": "SystemAssigned"}}


def lend(arm: Management, registry: Registry) -> str:
    """The resource id of a managed identity that was made by itself."""

    def add(tx: Connection) -> None:
        ids = Ids(*(str(uuid4()) for _ in range(3)))
        add_managed_identity(tx, ids, tenants(tx)[0].id, "keeper", registry.clock())

    registry.query(add)
    return LENT.format(arm.subscription, "keeper")


async def identity_of(arm: Management, patch: Json) -> Json:
    changed = await arm.patch(arm.registry(), patch)
    assert changed.status == 200, changed.body
    shown = (await arm.get(arm.registry())).json()
    assert shown.get("identity") == changed.json().get("identity")
    return shown.get("identity")


async def test_a_registry_has_none_unless_it_is_given_one(arm: Management) -> None:
    assert "identity" not in (await arm.get(arm.registry())).json()
    assert await identity_of(arm, {"identity": {"type": "None"}}) is None


async def test_one_of_the_system_is_a_principal_that_comes_and_goes_with_it(
    arm: Management, registry: Registry
) -> None:
    made = await identity_of(arm, SYSTEM)
    assert set(made) == {"type", "principalId", "tenantId"}
    assert made["type"] == "SystemAssigned"
    assert registry.query(find_holder, made["principalId"]).kind == "ServicePrincipal"
    # Another change leaves it, and the type is written in any case.
    assert await identity_of(arm, {"tags": {"team": "a"}}) == made
    assert await identity_of(arm, {"identity": {"type": "systemAssigned"}}) == made
    assert await identity_of(arm, {"identity": {"type": "None"}}) is None
    assert registry.query(find_holder, made["principalId"]) is None


async def test_one_that_is_lent_shows_its_ids(arm: Management, registry: Registry) -> None:
    lent = lend(arm, registry)
    both: Json = {"identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {lent: {}}}}
    made = await identity_of(arm, both)
    assert set(made["userAssignedIdentities"][lent]) == {"principalId", "clientId"}
    # As az acr identity remove does it: the whole registry is sent back.
    document = (await arm.get(arm.registry())).json()
    document["identity"] = {"type": "UserAssigned", "userAssignedIdentities": made["userAssignedIdentities"]}
    left = (await arm.put(arm.registry(), document)).json()["identity"]
    assert left == {"type": "UserAssigned", "userAssignedIdentities": made["userAssignedIdentities"]}


async def test_a_new_registry_has_the_identity_that_it_is_made_with_and_takes_it_along(
    arm: Management, registry: Registry
) -> None:
    path = arm.registry("withidentity")
    made = await arm.put(path, {"location": "eastus", "sku": {"name": "Basic"}, **SYSTEM})
    principal = made.json()["identity"]["principalId"]
    assert registry.query(find_holder, principal) is not None
    assert (await arm.delete(path)).status in {200, 202}
    assert registry.query(find_holder, principal) is None


async def test_an_identity_of_a_registry_can_be_given_roles(arm: Management) -> None:
    made = await identity_of(arm, SYSTEM)
    role = f"/subscriptions/{arm.subscription}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}"
    properties = {"roleDefinitionId": role, "principalId": made["principalId"]}
    path = f"{arm.registry()}/providers/Microsoft.Authorization/roleAssignments/{uuid4()}"
    assert (await arm.put(path, {"properties": properties})).status == 201


async def test_who_may_not_lend_an_identity_cannot_give_it_to_a_registry(arm: Management, registry: Registry) -> None:
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret", role=ACR_CONTRIBUTOR))
    guest, lent = await management(registry, "guest"), lend(arm, registry)
    sent = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {lent: {}}}}
    assert (await guest.patch(guest.registry(), sent)).status == 403
    unknown = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {LENT.format("s", "nobody"): {}}}}
    assert (await arm.patch(arm.registry(), unknown)).status == 400
