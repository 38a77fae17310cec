"""Credential sets: an identity of their own, two secrets of a vault, and whether they can be read."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.conftest import StartRegistry
from tests.management import Management
from tests.registry import Registry

from entrepot.access.queries import find_holder
from entrepot.access.vaults import READERS
from entrepot.caching import queries
from entrepot.errors import Problem

Json = Any
USER = "https://keys.vault.azure.net/secrets/hub-user"
PASSWORD = "https://keys.vault.azure.net/secrets/hub-password"


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    folder.mkdir()
    (folder / "hub-user").write_text("robot\n")
    (folder / "hub-password").write_text("secret\n")
    return folder


@pytest.fixture
async def registry(start_registry: StartRegistry, vault: Path) -> Registry:
    return await start_registry(vaults=(f"Keys={vault}",))


def a_set(arm: Management, name: str = "hub-login") -> str:
    return f"{arm.registry()}/credentialSets/{name}"


def body(login_server: str = "docker.io", user: str = USER, password: str = PASSWORD) -> Json:
    """As az writes it."""
    credential = {"name": "Credential1", "usernameSecretIdentifier": user, "passwordSecretIdentifier": password}
    return {
        "identity": {"type": "SystemAssigned"},
        "properties": {"loginServer": login_server, "authCredentials": [credential]},
    }


async def health(arm: Management) -> Json:
    (credential,) = (await arm.get(a_set(arm))).json()["properties"]["authCredentials"]
    return credential["credentialHealth"]


async def test_a_set_is_made_with_an_identity_of_its_own(arm: Management, registry: Registry) -> None:
    made = await arm.put(a_set(arm), body("Docker.IO"))
    shown = made.json()
    assert (made.status, shown["name"], shown["id"]) == (201, "hub-login", a_set(arm))
    assert shown["type"] == "Microsoft.ContainerRegistry/registries/credentialSets"
    assert shown["identity"].keys() == {"type", "principalId", "tenantId"}
    assert registry.query(find_holder, shown["identity"]["principalId"]) is not None
    properties = shown["properties"]
    assert (properties["loginServer"], properties["provisioningState"]) == ("docker.io", "Succeeded")
    (credential,) = properties["authCredentials"]
    assert (credential["usernameSecretIdentifier"], credential["passwordSecretIdentifier"]) == (USER, PASSWORD)
    assert (await arm.get(a_set(arm, "HUB-LOGIN"))).json() == shown
    assert await arm.names(f"{arm.registry()}/credentialSets") == ["hub-login"]
    assert (await arm.put(a_set(arm), body())).json()["identity"] == shown["identity"]


async def test_a_set_has_its_identity_without_being_told(arm: Management) -> None:
    made = (await arm.put(a_set(arm), {"properties": body()["properties"]})).json()
    assert made["identity"]["type"] == "SystemAssigned"


async def test_its_health_is_whether_its_identity_can_read_both_secrets_now(arm: Management, vault: Path) -> None:
    identity = (await arm.put(a_set(arm), body())).json()["identity"]["principalId"]
    told = await health(arm)
    assert (told["status"], told["errorCode"]) == ("Unhealthy", "Forbidden")
    assert f"{identity} may not read the vault 'keys'" in told["errorMessage"]
    (vault / READERS).write_text(identity)
    assert await health(arm) == {"status": "Healthy"}
    (vault / "hub-password").unlink()
    told = await health(arm)
    assert (told["status"], told["errorCode"]) == ("Unhealthy", "SecretNotFound")
    assert "has no secret 'hub-password'" in told["errorMessage"]


async def test_a_vault_that_is_not_here_is_told(arm: Management) -> None:
    elsewhere = "https://elsewhere.vault.azure.net/secrets/user"
    await arm.put(a_set(arm), body(user=elsewhere))
    told = await health(arm)
    assert (told["errorCode"], "no vault 'elsewhere' here" in told["errorMessage"]) == ("SecretNotFound", True)


async def test_its_secrets_can_be_changed_and_its_registry_cannot(arm: Management) -> None:
    made = (await arm.put(a_set(arm), body())).json()
    other = "https://keys.vault.azure.net/secrets/other"
    # As az does it: what is shown is sent back, with one member changed.
    credential = {**made["properties"]["authCredentials"][0], "usernameSecretIdentifier": other}
    changed = await arm.patch(a_set(arm), {"properties": {"authCredentials": [credential]}})
    (shown,) = changed.json()["properties"]["authCredentials"]
    assert (shown["usernameSecretIdentifier"], shown["passwordSecretIdentifier"]) == (other, PASSWORD)
    assert changed.json()["identity"] == made["identity"]
    for refused in (
        await arm.patch(a_set(arm), {"properties": {"loginServer": "quay.io"}}),
        await arm.put(a_set(arm), body("quay.io")),
    ):
        assert (refused.status, refused.json()["error"]["target"]) == (400, "properties.loginServer")
        assert "make another set" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("wrong", "target"),
    [
        (body("docker.io/library"), "properties.loginServer"),
        (body(user="robot"), "properties.authCredentials[0].usernameSecretIdentifier"),
        (body(password="https://keys/secrets/x"), "properties.authCredentials[0].passwordSecretIdentifier"),
        (body() | {"identity": {"type": "None"}}, "identity.type"),
        (body() | {"identity": {"type": "UserAssigned"}}, "identity.type"),
        ({"properties": {"loginServer": "docker.io", "authCredentials": []}}, "properties.authCredentials"),
        ({"properties": {"loginServer": "docker.io"}}, "properties"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_member(arm: Management, wrong: Json, target: str) -> None:
    refused = await arm.put(a_set(arm), wrong)
    assert (refused.status, refused.json()["error"]["target"]) == (400, target), refused.body
    assert (await arm.get(a_set(arm))).status == 404


async def test_a_name_is_as_acr_has_them(arm: Management) -> None:
    refused = await arm.put(a_set(arm, "hub_login"), body())
    assert (refused.status, refused.json()["error"]["code"]) == (400, "InvalidResourceName")


async def test_its_identity_goes_with_it(arm: Management, registry: Registry) -> None:
    identity = (await arm.put(a_set(arm), body())).json()["identity"]["principalId"]
    gone = await arm.delete(a_set(arm))
    assert gone.status == 202
    # Where a client polls it has ended already.
    status = await arm.http.get("/" + gone["azure-asyncoperation"].split("/", 3)[3])
    assert status.json()["status"] == "Succeeded"
    assert registry.query(find_holder, identity) is None
    assert ((await arm.get(a_set(arm))).status, (await arm.delete(a_set(arm))).status) == (404, 204)


async def test_it_stays_while_a_rule_names_it(arm: Management) -> None:
    await arm.put(a_set(arm), body())
    rule = f"{arm.registry()}/cacheRules/alpine"
    source = {"sourceRepository": "docker.io/library/alpine", "targetRepository": "alpine"}
    await arm.put(rule, {"properties": source | {"credentialSetResourceId": a_set(arm)}})
    refused = await arm.delete(a_set(arm))
    assert (refused.status, refused.json()["error"]["code"]) == (409, "CredentialSetInUse")
    assert "'alpine' names it" in refused.json()["error"]["message"]
    await arm.delete(rule)
    assert (await arm.delete(a_set(arm))).status == 202


async def test_they_go_with_their_registry(arm: Management, registry: Registry) -> None:
    premium = {"location": "eastus", "sku": {"name": "Premium"}}
    await arm.put(arm.registry("second"), premium)
    there = f"{arm.registry('second')}/credentialSets"
    identity = (await arm.put(f"{there}/hub-login", body())).json()["identity"]["principalId"]
    await arm.delete(arm.registry("second"))
    assert registry.query(find_holder, identity) is None
    await arm.put(arm.registry("second"), premium)
    assert await arm.names(there) == []


async def test_the_row_that_a_rule_names_says_where_its_secrets_are(arm: Management, registry: Registry) -> None:
    made = (await arm.put(a_set(arm), body())).json()
    row = registry.query(lambda tx: queries.credential_set(tx, queries.credential_sets(tx, 1, "", 1)[0].id))
    assert (row.login_server, row.username_url, row.password_url) == ("docker.io", USER, PASSWORD)
    assert row.identity == row.reader.principal == made["identity"]["principalId"]
    await arm.delete(a_set(arm))
    with pytest.raises(Problem, match="SOURCE_FAILED"):
        registry.query(lambda tx: queries.credential_set(tx, row.id))
