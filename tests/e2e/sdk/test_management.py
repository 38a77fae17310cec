"""The unchanged azure-mgmt-containerregistry SDK for Python: every operation, also of what is to come."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from tests.content import an_image
from tests.e2e.clients import http_of
from tests.e2e.sdk.clients import managing
from tests.faults.plain import Repository
from tests.services import Registry

GROUP: Final = "entrepot"
NAME: Final = "sdkregistry"
REGISTRY: Final = (GROUP, NAME)

# By its types every member of every model may be None.
Client = Any


@pytest.fixture(scope="module")
def arm(either: Registry) -> Iterator[Client]:
    with managing(either, ContainerRegistryManagementClient) as client:
        yield client


@pytest.fixture(scope="module")
def registry(arm: Client) -> Iterator[None]:
    """A registry that the SDK makes, and deletes with what is left in it."""
    body = {"location": "eastus", "sku": {"name": "Premium"}, "properties": {"adminUserEnabled": True}}
    made = arm.registries.begin_create(*REGISTRY, body).result()
    assert (made.name, made.sku.name, made.properties.provisioning_state) == (NAME, "Premium", "Succeeded")
    yield
    arm.registries.begin_delete(*REGISTRY).result()
    with pytest.raises(ResourceNotFoundError):
        arm.registries.get(*REGISTRY)


pytestmark = pytest.mark.usefixtures("registry")


def names(found: Any) -> list[str]:  # noqa: ANN401  the SDK's pages
    return [each.name for each in found]


def test_registries(arm: Client) -> None:
    assert not arm.registries.check_name_availability({"name": NAME, "type": _TYPE}).name_available
    assert arm.registries.check_name_availability({"name": "free4all", "type": _TYPE}).name_available
    changed = arm.registries.begin_update(*REGISTRY, {"tags": {"team": "a"}}).result()
    assert changed.tags == arm.registries.get(*REGISTRY).tags == {"team": "a"}
    assert NAME in names(arm.registries.list())
    assert NAME in names(arm.registries.list_by_resource_group(GROUP))
    usages = {usage.name: usage.current_value for usage in arm.registries.list_usages(*REGISTRY).value}
    assert usages["Webhooks"] == 0
    assert any(each.name == f"{_TYPE}/read" for each in arm.operations.list())


_TYPE: Final = "Microsoft.ContainerRegistry/registries"


def test_the_admin_account(arm: Client) -> None:
    before = arm.registries.list_credentials(*REGISTRY)
    after = arm.registries.regenerate_credential(*REGISTRY, {"name": "password2"})
    assert before.username == after.username == NAME
    one, two = ([password.value for password in found.passwords] for found in (before, after))
    assert one[0] == two[0]
    assert one[1] != two[1]


def test_replications(arm: Client) -> None:
    made = arm.replications.begin_create(*REGISTRY, "westus", {"location": "westus"}).result()
    assert made.properties.status.display_status == "Ready"
    changed = arm.replications.begin_update(*REGISTRY, "westus", {"tags": {"a": "b"}}).result()
    assert changed.tags == arm.replications.get(*REGISTRY, "westus").tags == {"a": "b"}
    assert names(arm.replications.list(*REGISTRY)) == ["eastus", "westus"]
    arm.replications.begin_delete(*REGISTRY, "westus").result()
    assert names(arm.replications.list(*REGISTRY)) == []


def test_webhooks(arm: Client) -> None:
    properties = {"serviceUri": "https://hooks.example/a", "actions": ["push"], "customHeaders": {"X-Team": "a"}}
    made = arm.webhooks.begin_create(*REGISTRY, "sdkhook", {"location": "eastus", "properties": properties}).result()
    assert made.properties.actions == ["push"]
    changed = arm.webhooks.begin_update(*REGISTRY, "sdkhook", {"properties": {"scope": "app:*"}}).result()
    assert changed.properties.scope == arm.webhooks.get(*REGISTRY, "sdkhook").properties.scope == "app:*"
    assert arm.webhooks.get_callback_config(*REGISTRY, "sdkhook").service_uri == "https://hooks.example/a"
    pinged = arm.webhooks.ping(*REGISTRY, "sdkhook").id
    assert [event.id for event in arm.webhooks.list_events(*REGISTRY, "sdkhook")] == [pinged]
    assert names(arm.webhooks.list(*REGISTRY)) == ["sdkhook"]
    arm.webhooks.begin_delete(*REGISTRY, "sdkhook").result()
    assert names(arm.webhooks.list(*REGISTRY)) == []


def test_scope_maps_and_tokens(arm: Client) -> None:
    actions = ["repositories/app/content/read"]
    scope_map = arm.scope_maps.begin_create(*REGISTRY, "sdkmap", {"properties": {"actions": actions}}).result()
    wider = [*actions, "repositories/app/metadata/read"]
    arm.scope_maps.begin_update(*REGISTRY, "sdkmap", {"properties": {"actions": wider}}).result()
    assert arm.scope_maps.get(*REGISTRY, "sdkmap").properties.actions == wider
    assert "sdkmap" in names(arm.scope_maps.list(*REGISTRY))
    token = arm.tokens.begin_create(*REGISTRY, "sdktoken", {"properties": {"scopeMapId": scope_map.id}}).result()
    given = arm.registries.begin_generate_credentials(*REGISTRY, {"tokenId": token.id, "name": "password1"}).result()
    assert given.username == "sdktoken"
    assert given.passwords[0].value
    changed = arm.tokens.begin_update(*REGISTRY, "sdktoken", {"properties": {"status": "disabled"}}).result()
    assert changed.properties.status == arm.tokens.get(*REGISTRY, "sdktoken").properties.status == "disabled"
    assert names(arm.tokens.list(*REGISTRY)) == ["sdktoken"]
    arm.tokens.begin_delete(*REGISTRY, "sdktoken").result()
    arm.scope_maps.begin_delete(*REGISTRY, "sdkmap").result()
    assert names(arm.tokens.list(*REGISTRY)) == []


def test_credential_sets_and_cache_rules(arm: Client) -> None:
    vault = "https://keys.vault.azure.net/secrets"
    credential = {
        "name": "Credential1",
        "usernameSecretIdentifier": f"{vault}/user",
        "passwordSecretIdentifier": f"{vault}/password",
    }
    kept = {"loginServer": "docker.io", "authCredentials": [credential]}
    body = {"identity": {"type": "SystemAssigned"}, "properties": kept}
    made = arm.credential_sets.begin_create(*REGISTRY, "sdkset", body).result()
    assert made.identity.principal_id
    assert made.properties.auth_credentials[0].credential_health.error_code == "SecretNotFound"
    credential["usernameSecretIdentifier"] = f"{vault}/other"
    changed = arm.credential_sets.begin_update(*REGISTRY, "sdkset", {"properties": {"authCredentials": [credential]}})
    assert changed.result().properties.auth_credentials[0].username_secret_identifier == f"{vault}/other"
    assert arm.credential_sets.get(*REGISTRY, "sdkset").properties.login_server == "docker.io"
    assert names(arm.credential_sets.list(*REGISTRY)) == ["sdkset"]
    wanted = {"sourceRepository": "docker.io/alpine", "targetRepository": "base/alpine"}
    rule = arm.cache_rules.begin_create(*REGISTRY, "sdkrule", {"properties": wanted}).result()
    assert (rule.properties.source_repository, rule.properties.provisioning_state) == (
        "docker.io/library/alpine",
        "Succeeded",
    )
    named = {"properties": {"credentialSetResourceId": made.id}}
    assert arm.cache_rules.begin_update(*REGISTRY, "sdkrule", named).result().properties.credential_set_resource_id
    assert arm.cache_rules.get(*REGISTRY, "sdkrule").properties.credential_set_resource_id == made.id
    assert names(arm.cache_rules.list(*REGISTRY)) == ["sdkrule"]
    arm.cache_rules.begin_delete(*REGISTRY, "sdkrule").result()
    arm.credential_sets.begin_delete(*REGISTRY, "sdkset").result()
    assert names(arm.cache_rules.list(*REGISTRY)) == names(arm.credential_sets.list(*REGISTRY)) == []


def test_an_import(arm: Client, either: Registry) -> None:
    source = arm.registries.get(GROUP, "local").id
    with http_of(either) as http:
        assert Repository(http, "sdk/app").push(an_image("for the SDK"), "v1").status_code == 201
    body = {"source": {"resourceId": source, "sourceImage": "sdk/app:v1"}, "targetTags": ["app:v1"]}
    arm.registries.begin_import_image(*REGISTRY, body).result()
    usages = {usage.name: usage.current_value for usage in arm.registries.list_usages(*REGISTRY).value}
    assert usages["Size"] > 0


ABSENT: Final[dict[str, Callable[[Client], Any]]] = {
    "connected registries": lambda arm: arm.connected_registries.begin_create(*REGISTRY, "side", {"properties": {}}),
    "private endpoints": lambda arm: arm.private_endpoint_connections.begin_create_or_update(*REGISTRY, "end", {}),
}


@pytest.mark.parametrize("operation", ABSENT.values(), ids=ABSENT)
def test_what_is_to_come_says_so(arm: Client, operation: Callable[[Client], Any]) -> None:
    with pytest.raises(HttpResponseError) as refusal:
        operation(arm)
    assert refusal.value.error is not None
    assert refusal.value.error.code == "FeatureNotAvailable"


def test_there_are_none_of_what_is_to_come(arm: Client) -> None:
    for group in (arm.connected_registries, arm.private_endpoint_connections):
        assert list(group.list(*REGISTRY)) == []
    assert list(arm.registries.list_private_link_resources(*REGISTRY)) == []
