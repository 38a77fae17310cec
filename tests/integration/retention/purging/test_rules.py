"""Purge rules as resources: what can be written of one, by whom, and what a preview says."""

import base64
import json
from typing import Any

import pytest
from tests.integration.retention.purging.conftest import AddRule, previewed
from tests.integration.retention.purging.shelf import Shelf
from tests.integration.rows import add_principal
from tests.management import Management, management
from tests.registry import Registry

ROLE = "11111111-1111-1111-1111-111111111111"
OLD = {"filters": ["app:.*"], "olderThan": "P30D"}


async def test_a_rule_is_made_shown_listed_changed_and_deleted(arm: Management) -> None:
    path = f"{arm.registry()}/purgeRules/Nightly"
    made = await arm.put(path, {"properties": {**OLD, "schedule": "0 3 * * *"}})
    assert made.status == 201, made.body
    document = made.json()
    assert document["id"] == path
    assert document["type"] == "Microsoft.ContainerRegistry/registries/purgeRules"
    properties = document["properties"]
    assert properties.pop("nextRunTime").endswith("T03:00:00.000000Z")
    assert properties == {
        "filters": ["app:.*"],
        "olderThan": "P30D",
        "lastPulledBefore": None,
        "keep": 0,
        "untagged": False,
        "untaggedOnly": False,
        "includeLocked": False,
        "schedule": "0 3 * * *",
        "enabled": True,
        "maxShare": 50,
        "running": None,
        "lastRun": None,
        "provisioningState": "Succeeded",
    }
    assert (await arm.get(path.replace("Nightly", "nightly"))).json()["name"] == "Nightly"
    assert await arm.names(f"{arm.registry()}/purgeRules") == ["Nightly"]
    changed = await arm.patch(path, {"properties": {"keep": 3, "enabled": False}})
    assert changed.status == 200
    assert changed.json()["properties"]["keep"] == 3
    assert changed.json()["properties"]["filters"] == ["app:.*"]
    assert changed.json()["properties"]["nextRunTime"] is None
    assert (await arm.delete(path)).status == 200
    assert (await arm.delete(path)).status == 204
    assert (await arm.get(path)).status == 404


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ({"filters": []}, "properties.filters"),
        ({"filters": ["app:("]}, "properties.filters[0]"),
        ({"filters": ["app:.*"] * 51}, "properties.filters"),
        ({"olderThan": "999999d"}, "properties.olderThan"),
        ({"olderThan": "P999999D"}, "properties.olderThan"),
        ({"olderThan": "-1d"}, "properties.olderThan"),
        ({"olderThan": None}, "properties.olderThan"),
        ({"lastPulledBefore": "soon"}, "properties.lastPulledBefore"),
        ({"keep": -1}, "properties.keep"),
        ({"keep": 10**30}, "properties.keep"),
        ({"maxShare": 0}, "properties.maxShare"),
        ({"maxShare": 101}, "properties.maxShare"),
        ({"schedule": "* * * * * *"}, "properties.schedule"),
        ({"untagged": "yes"}, "properties.untagged"),
    ],
)
async def test_what_is_wrong_is_named(arm: Management, written: dict[str, Any], target: str) -> None:
    path = f"{arm.registry()}/purgeRules/rule"
    refused = await arm.put(path, {"properties": {**OLD, **written}})
    assert (refused.status, refused.json()["error"]["target"]) == (400, target), refused.body
    assert (await arm.get(path)).status == 404


@pytest.mark.parametrize("name", ["-rule", "ru_le", "r" * 51, "ru.le"])
async def test_a_name_has_letters_digits_and_hyphens(arm: Management, name: str) -> None:
    assert (await arm.put(f"{arm.registry()}/purgeRules/{name}", {"properties": OLD})).status == 400


async def test_whoever_may_not_delete_content_writes_runs_and_sees_no_rule_at_work(
    arm: Management, registry: Registry, add_rule: AddRule
) -> None:
    """With every right on rules, and none on what the registry holds."""
    path = await add_rule(**OLD)
    await arm.put(
        f"{arm.group}/providers/Microsoft.Authorization/roleDefinitions/{ROLE}",
        {
            "properties": {
                "roleName": "Rule writer",
                "type": "CustomRole",
                "permissions": [{"actions": ["Microsoft.ContainerRegistry/registries/purgeRules/*"]}],
                "assignableScopes": [arm.group],
            }
        },
    )
    registry.query(lambda tx: add_principal(tx, "writer", "the-writer-s-secret", ROLE))
    writer = await management(registry, "writer")
    for method, target, body in (
        ("PUT", path, {"properties": OLD}),
        ("PATCH", path, {"properties": {"keep": 1}}),
        ("POST", f"{path}/run", {}),
        ("POST", f"{path}/preview", {}),
    ):
        refused = await writer.send(method, target, body)
        assert refused.status == 403, (method, target)
        assert "artifacts/delete" in refused.json()["error"]["message"]
    assert (await writer.get(path)).status == 200


# --- preview ----------------------------------------------------------------------------------------------------------


async def test_a_preview_says_of_each_why_it_goes_or_stays(arm: Management, shelf: Shelf, add_rule: AddRule) -> None:
    shelf.image("app", "young", days=1)
    shelf.image("app", "third", days=40)
    shelf.image("app", "second", days=50)
    pulled = shelf.image("app", "pulled", days=60)
    shelf.pulled(pulled, days=2)
    shelf.image("app", "first", days=70)
    shelf.image("app", "stable", days=80)
    shelf.image("other", "first", days=70)
    path = await add_rule(filters=["app:[fsty].*d?|pulled"], olderThan="30d", lastPulledBefore="P10D", keep=1)
    found = await previewed(arm, path)
    assert [(each["repository"], each["tag"], each["reason"]) for each in found] == [
        ("app", "young", "updatedRecently"),
        ("app", "third", "amongTheNewest"),
        ("app", "second", "due"),
        ("app", "pulled", "pulledRecently"),
        ("app", "first", "due"),
        ("app", "stable", "due"),
    ]
    assert [each["tag"] for each in found if each["delete"]] == ["second", "first", "stable"]
    assert shelf.tags("app") == ["first", "pulled", "second", "stable", "third", "young"]


@pytest.mark.parametrize("limit", [1, 2, 7])
async def test_pages_of_a_preview_are_the_whole_of_it(
    arm: Management, shelf: Shelf, add_rule: AddRule, limit: int
) -> None:
    for name in ("app", "web", "zoo"):
        for number in range(5):
            shelf.image(name, f"v{number}", days=40 + number)
        shelf.index(name, "index", children=(shelf.image(name, days=50),), days=50)
    path = await add_rule(filters=["app|zoo:v.*"], olderThan="30d", keep=2, untagged=True)
    whole = await previewed(arm, path)
    assert await previewed(arm, path, limit) == whole
    assert {each["repository"] for each in whole} == {"app", "zoo"}
    assert sum(each["delete"] for each in whole) == 2 * (3 + 3)


@pytest.mark.parametrize(
    "after",
    ["x", "e30=", base64.b64encode(b'{"now":-1,"position":{}}').decode(), "é", base64.b64encode(b"[" * 900).decode()],
)
async def test_a_place_that_no_preview_said_is_refused(arm: Management, add_rule: AddRule, after: str) -> None:
    path = await add_rule(**OLD)
    assert (await arm.post(f"{path}/preview", {"after": after})).status == 400


async def test_a_place_with_names_that_none_has_finds_nothing_or_is_refused(arm: Management, add_rule: AddRule) -> None:
    path = await add_rule(**OLD)
    for position in (
        {"repository": "a\0", "stage": "tags"},
        {"repository": "app", "stage": "tags", "at": 2**62},
        {"repository": "app", "stage": "nowhere"},
        {"repository": "~hidden", "stage": "tags"},
    ):
        text = base64.urlsafe_b64encode(json.dumps({"now": 0, "position": position}).encode()).decode()
        assert (await arm.post(f"{path}/preview", {"after": text})).status in {200, 400}
