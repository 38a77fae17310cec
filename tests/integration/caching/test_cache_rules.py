"""Cache rules: from where to where, with which credentials, and what each registry may have of them."""

from typing import Any

import pytest
from tests.content import an_image
from tests.integration.conftest import StartRegistry
from tests.management import Management, management
from tests.registry import Registry, Repository

from entrepot.access.queries import epoch
from entrepot.caching.model import rule_for, upstream_of
from entrepot.caching.queries import rules_of

Json = Any
SECRET = "https://keys.vault.azure.net/secrets/"


def a_rule(arm: Management, name: str = "alpine") -> str:
    return f"{arm.registry()}/cacheRules/{name}"


def body(source: str = "docker.io/library/alpine", target: str = "base/alpine", **more: Any) -> Json:  # noqa: ANN401  any member
    """As az writes it."""
    named = {"sourceRepository": source, "targetRepository": target, "credentialSetResourceId": None}
    return {"properties": named | more}


async def a_set(arm: Management, name: str, login_server: str = "docker.io") -> str:
    """Its id."""
    credential = {
        "name": "Credential1",
        "usernameSecretIdentifier": f"{SECRET}user",
        "passwordSecretIdentifier": f"{SECRET}password",
    }
    properties = {"loginServer": login_server, "authCredentials": [credential]}
    made = await arm.put(f"{arm.registry()}/credentialSets/{name}", {"properties": properties})
    assert made.status == 201, made.body
    return made.json()["id"]


async def test_a_rule_is_ready_at_once(arm: Management) -> None:
    made = await arm.put(a_rule(arm), body("docker.io/alpine"))
    shown = made.json()
    assert (made.status, shown["id"], shown["name"]) == (201, a_rule(arm), "alpine")
    assert shown["type"] == "Microsoft.ContainerRegistry/registries/cacheRules"
    properties = shown["properties"]
    created = properties.pop("creationDate")
    assert properties == {
        "sourceRepository": "docker.io/library/alpine",
        "targetRepository": "base/alpine",
        "credentialSetResourceId": None,
        "provisioningState": "Succeeded",
    }
    assert created == shown["systemData"]["createdAt"]
    assert (await arm.get(a_rule(arm, "ALPINE"))).json() == made.json()
    assert await arm.names(f"{arm.registry()}/cacheRules") == ["alpine"]
    assert (await arm.put(a_rule(arm), body("docker.io/alpine"))).status == 200


async def test_workers_learn_of_each_change_by_the_epoch(arm: Management, registry: Registry) -> None:
    epochs = [registry.query(epoch)]
    for change in (arm.put(a_rule(arm), body()), arm.patch(a_rule(arm), {}), arm.delete(a_rule(arm))):
        assert (await change).status in {200, 201, 202}
        epochs.append(registry.query(epoch))
    assert sorted(set(epochs)) == epochs


async def test_a_rule_tells_where_a_repository_comes_from(arm: Management, registry: Registry) -> None:
    await arm.put(a_rule(arm, "everything"), body("quay.io/*", "quay/*"))
    await arm.put(a_rule(arm), body("docker.io/alpine", "quay/alpine"))
    rules = registry.query(lambda tx: rules_of(tx, 1))
    assert [rule.name for rule in rules] == ["alpine", "everything"]
    found = [rule_for(rules, name) for name in ("quay/alpine", "quay/a/b", "other")]
    assert [rule and rule.name for rule in found] == ["alpine", "everything", None]
    assert found[1] is not None
    assert upstream_of(found[1], "quay/a/b").url("manifests", "v1") == "https://quay.io/v2/a/b/manifests/v1"


# --- credentials ------------------------------------------------------------------------------------------------------


async def test_a_credential_set_is_named_changed_and_taken_away(arm: Management) -> None:
    first, second = await a_set(arm, "first"), await a_set(arm, "second", "index.docker.io")
    made = await arm.put(a_rule(arm), body(credentialSetResourceId=first.upper()))
    assert made.json()["properties"]["credentialSetResourceId"] == first
    changed = await arm.patch(a_rule(arm), {"properties": {"credentialSetResourceId": second}})
    assert changed.json()["properties"]["credentialSetResourceId"] == second
    assert (await arm.patch(a_rule(arm), {})).json()["properties"]["credentialSetResourceId"] == second
    left = await arm.patch(a_rule(arm), {"properties": {"credentialSetResourceId": None}})
    assert left.json()["properties"]["credentialSetResourceId"] is None
    assert (await arm.get(a_rule(arm))).json() == left.json()


@pytest.mark.parametrize("named", ["nothing", "elsewhere", "quay", "text"])
async def test_a_credential_set_is_of_the_registry_and_for_the_source(arm: Management, named: str) -> None:
    await arm.put(arm.registry("second"), {"location": "eastus", "sku": {"name": "Premium"}})
    quay = await a_set(arm, "quayio", "quay.io")
    ids = {
        "nothing": f"{arm.registry()}/credentialSets/nothing",
        "elsewhere": f"{arm.registry('second')}/credentialSets/quayio",
        "quay": quay,
        "text": "quayio",
    }
    refused = await arm.put(a_rule(arm), body(credentialSetResourceId=ids[named]))
    error = refused.json()["error"]
    assert (refused.status, error["target"]) == (400, "properties.credentialSetResourceId")
    said = "'quayio' is for 'quay.io'" if named == "quay" else "a credential set of 'local'"
    assert said in error["message"]


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "target"),
    [
        (body("alpine"), "properties.sourceRepository"),
        (body("docker.io/alpine:3"), "properties.sourceRepository"),
        (body(target="Base"), "properties.targetRepository"),
        (body("docker.io/*"), "properties.targetRepository"),
        (body(target="base/*"), "properties.sourceRepository"),
        ({"properties": {"sourceRepository": "docker.io/a"}}, "properties"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_member(arm: Management, wrong: Json, target: str) -> None:
    refused = await arm.put(a_rule(arm), wrong)
    error = refused.json()["error"]
    assert (refused.status, error["code"], error["target"]) == (400, "InvalidRequestContent", target), refused.body
    assert (await arm.get(a_rule(arm))).status == 404


async def test_a_name_is_as_acr_has_them(arm: Management) -> None:
    refused = await arm.put(a_rule(arm, "rule"), body())
    assert (refused.status, refused.json()["error"]["code"]) == (400, "InvalidResourceName")


async def test_a_registry_of_this_deployment_is_imported_from(arm: Management) -> None:
    login_server = (await arm.get(arm.registry())).json()["properties"]["loginServer"]
    refused = await arm.put(a_rule(arm), body(f"{login_server}/app"))
    assert (refused.status, refused.json()["error"]["target"]) == (400, "properties.sourceRepository")
    assert "az acr import" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("ghcr.io/alpine", "base/alpine", "already a cache rule for that target: 'alpine'"),
        ("ghcr.io/*", "quay/one/*", "already a cache rule with a wildcard for that target: 'everything'"),
        ("ghcr.io/*", "*", "already a cache rule with a wildcard for that target: 'everything'"),
    ],
)
async def test_two_rules_do_not_fill_the_same(arm: Management, source: str, target: str, says: str) -> None:
    await arm.put(a_rule(arm), body())
    await arm.put(a_rule(arm, "everything"), body("quay.io/*", "quay/*"))
    refused = await arm.put(a_rule(arm, "another"), body(source, target))
    assert (refused.status, refused.json()["error"]["code"]) == (409, "CacheRuleTargetInUse")
    assert says in refused.json()["error"]["message"]
    assert (await arm.put(a_rule(arm, "inside"), body("ghcr.io/a", "quay/a"))).status == 201


async def test_a_rule_fills_a_repository_that_is_not_there_yet(arm: Management, app: Repository) -> None:
    assert (await app.push(an_image("app"), "v1")).status == 201
    refused = await arm.put(a_rule(arm), body(target="app"))
    assert (refused.status, refused.json()["error"]["code"]) == (409, "TargetRepositoryExists")
    assert (await arm.put(a_rule(arm), body("docker.io/*", "*"))).status == 201


async def test_source_and_target_stay(arm: Management) -> None:
    made = (await arm.put(a_rule(arm), body())).json()
    for member, value in (("sourceRepository", "docker.io/library/busybox"), ("targetRepository", "other")):
        refused = await arm.patch(a_rule(arm), {"properties": {member: value}})
        assert (refused.status, refused.json()["error"]["target"]) == (400, f"properties.{member}")
        assert "cannot be changed: delete the rule" in refused.json()["error"]["message"]
    assert (await arm.get(a_rule(arm))).json() == made


@pytest.mark.parametrize(
    ("more", "target"),
    [
        ({"identity": {"type": "UserAssigned", "userAssignedIdentities": {"/any": {}}}}, "identity"),
        (
            body(additionalAuthenticationProperties={"authenticationType": "GoogleArtifactRegistry"}),
            "properties.additionalAuthenticationProperties",
        ),
    ],
)
async def test_other_ways_to_sign_in_are_to_come(arm: Management, more: Json, target: str) -> None:
    refused = await arm.put(a_rule(arm), body() | more)
    error = refused.json()["error"]
    assert (refused.status, error["code"]) == (400, "FeatureNotAvailable")
    assert f"'{target}' is not available yet" in error["message"]


async def test_a_registry_has_as_many_as_its_tier_says(start_registry: StartRegistry) -> None:
    arm = await management(await start_registry(tier_limits=("Premium.cacheRules=1", "Basic.cacheRules=1")))
    await arm.put(arm.registry("second"), {"location": "eastus", "sku": {"name": "Basic"}})
    there = f"{arm.registry('second')}/cacheRules"
    assert (await arm.put(f"{there}/first", body())).status == 201
    refused = await arm.put(f"{there}/other", body(target="other"))
    assert "at most 1 cache rules" in refused.json()["error"]["message"]
    # One that is there already is no more.
    assert (await arm.put(f"{there}/first", body())).status == 200


# --- its end ----------------------------------------------------------------------------------------------------------


async def test_a_deleted_rule_is_gone_and_its_target_is_free(arm: Management) -> None:
    await arm.put(a_rule(arm), body())
    gone = await arm.delete(a_rule(arm))
    assert gone.status == 202
    status = await arm.http.get("/" + gone["azure-asyncoperation"].split("/", 3)[3])
    assert (status.status, status.json()["status"]) == (200, "Succeeded")
    assert ((await arm.get(a_rule(arm))).status, (await arm.delete(a_rule(arm))).status) == (404, 204)
    assert (await arm.put(a_rule(arm, "again"), body())).status == 201


async def test_they_go_with_their_registry(arm: Management) -> None:
    premium = {"location": "eastus", "sku": {"name": "Premium"}}
    await arm.put(arm.registry("second"), premium)
    there = f"{arm.registry('second')}/cacheRules"
    await arm.put(f"{there}/alpine", body())
    await arm.delete(arm.registry("second"))
    await arm.put(arm.registry("second"), premium)
    assert await arm.names(there) == []
