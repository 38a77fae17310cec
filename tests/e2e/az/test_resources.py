import json
from uuid import uuid4

import pytest
from tests.e2e.az.cli import Az

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def name() -> str:
    return f"r{uuid4().hex[:12]}"


def test_groups_are_made_listed_and_deleted(az: Az, name: str) -> None:
    made = az.json("group", "create", "--name", name, "--location", "East US", "--tags", "team=a")
    assert (made["location"], made["tags"]) == ("eastus", {"team": "a"})
    listed, exists = az.at_once(("group", "list"), ("group", "exists", "--name", name.upper()))
    assert name in {group["name"] for group in listed}
    assert exists is True
    az.run("group", "delete", "--name", name, "--yes")
    assert "ResourceGroupNotFound" in az.refused("group", "show", "--name", name)


def test_a_registry_is_made_found_changed_and_deleted(az: Az, name: str) -> None:
    free = az.json("acr", "check-name", "--name", name)
    made = az.json("acr", "create", "--name", name, "--resource-group", "entrepot", "--sku", "Standard")
    assert (made["loginServer"], made["sku"]["name"]) == (free["availableLoginServerName"], "Standard")
    taken, shown, listed, found = az.at_once(
        ("acr", "check-name", "--name", name),
        ("acr", "show", "--name", name),
        ("acr", "list"),
        ("resource", "list", "--resource-type", "Microsoft.ContainerRegistry/registries"),
    )
    assert (free["nameAvailable"], taken["nameAvailable"], taken["reason"]) == (True, False, "AlreadyExists")
    assert shown["id"] == made["id"]
    assert made["id"] in {registry["id"] for registry in listed} & {resource["id"] for resource in found}
    changed = az.json("acr", "update", "--name", name, "--anonymous-pull-enabled", "true", "--tags", "a=b")
    assert (changed["anonymousPullEnabled"], changed["tags"]) == (True, {"a": "b"})
    az.run("acr", "delete", "--name", name, "--yes")
    assert "could not be found" in az.refused("acr", "show", "--name", name)


def test_a_registrys_way_to_read_roles_is_chosen_with_it(az: Az, name: str) -> None:
    made = az.json(
        *("acr", "create", "--name", name, "--resource-group", "entrepot", "--sku", "Basic"),
        *("--role-assignment-mode", "rbac-abac"),
    )
    assert made["roleAssignmentMode"] == "AbacRepositoryPermissions"
    switched = ("acr", "config", "authentication-as-arm", "update", "--registry", name, "--status", "disabled")
    assert az.json(*switched)["status"] == "disabled"


def test_providers_are_registered_and_locations_known(az: Az) -> None:
    providers, locations, _ = az.at_once(
        ("provider", "list"),
        ("account", "list-locations"),
        ("provider", "register", "--namespace", "Microsoft.ContainerRegistry"),
    )
    assert {provider["registrationState"] for provider in providers} == {"Registered"}
    assert "westeurope" in {location["name"] for location in locations}


def test_a_feature_that_is_not_built_is_told_in_one_line(az: Az) -> None:
    said = az.refused("acr", "update", "--name", "local", "--data-endpoint-enabled", "true")
    assert "(FeatureNotAvailable) 'properties.dataEndpointEnabled' is not available yet" in said


def test_a_custom_role_is_made_and_deleted(az: Az, name: str) -> None:
    role = {
        "Name": name,
        "Description": "Pulls.",
        "Actions": ["Microsoft.ContainerRegistry/registries/pull/read"],
        "AssignableScopes": [az.subscription],
    }
    made = az.json("role", "definition", "create", "--role-definition", json.dumps(role))
    assert made["roleName"] == name
    listed = az.json("role", "definition", "list", "--custom-role-only")
    assert name in {each["roleName"] for each in listed}
    az.run("role", "definition", "delete", "--name", name)


def test_a_registry_answers_only_the_addresses_of_its_rules(az: Az, name: str) -> None:
    az.json("acr", "create", "--name", name, "--resource-group", "entrepot", "--sku", "Premium")
    for address in ("198.51.100.0/24", "2001:db8:1::/48"):
        az.json("acr", "network-rule", "add", "--name", name, "--ip-address", address)
    az.json("acr", "network-rule", "remove", "--name", name, "--ip-address", "2001:db8:1::/48")
    changed = az.json("acr", "update", "--name", name, "--default-action", "Deny", "--public-network-enabled", "false")
    assert (changed["networkRuleSet"]["defaultAction"], changed["publicNetworkAccess"]) == ("Deny", "Disabled")
    listed, usage = az.at_once(
        ("acr", "network-rule", "list", "--name", name),
        ("acr", "show-usage", "--name", name),
    )
    assert [rule["ipAddressOrRange"] for rule in listed["ipRules"]] == ["198.51.100.0/24"]
    assert next(each for each in usage["value"] if each["name"] == "IPRules")["currentValue"] == 1


def test_a_locked_registry_stays(az: Az, name: str) -> None:
    az.json("acr", "create", "--name", name, "--resource-group", "entrepot", "--sku", "Basic")
    where = (
        "--resource-group",
        "entrepot",
        "--resource",
        name,
        "--resource-type",
        "Microsoft.ContainerRegistry/registries",
    )
    made = az.json("lock", "create", "--name", "keep", "--lock-type", "CanNotDelete", *where)
    assert made["level"] == "CanNotDelete"
    assert "ScopeLocked" in az.refused("acr", "delete", "--name", name, "--yes")
    az.run("lock", "delete", "--name", "keep", *where)
    az.run("acr", "delete", "--name", name, "--yes")


def test_a_template_is_refused_with_what_to_do_instead(az: Az, name: str) -> None:
    template = az.shell.folder / "registry.json"
    registry = {"type": "Microsoft.ContainerRegistry/registries", "apiVersion": "2025-11-01", "name": name}
    registry |= {"location": "eastus", "sku": {"name": "Basic"}}
    head = {"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"}
    template.write_text(json.dumps({**head, "contentVersion": "1.0.0.0", "resources": [registry]}))
    where = ("--resource-group", "entrepot", "--name", name)
    said = az.refused("deployment", "group", "create", *where, "--template-file", str(template))
    assert "Deployments of templates are not available yet. Meanwhile, " in said
    assert az.json("deployment", "group", "list", "--resource-group", "entrepot") == []
