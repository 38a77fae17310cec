"""Webhooks as resources: what can be written of one, what is shown, and what is kept secret."""

import json
from typing import Any

import pytest
from sqlalchemy import select
from tests.integration.webhooks.receivers import add_webhook, body
from tests.management import Management
from tests.registry import Registry

from entrepot.db.access_tables import audit_entry
from entrepot.db.management_tables import delivery, delivery_lane, webhook

URI = "https://hooks.example/entrepot"
SECRET = "whsec_" + "QUJD" * 10


async def test_a_webhook_shows_neither_its_uri_nor_its_headers(arm: Management) -> None:
    path = f"{arm.registry()}/webhooks/Hook1"
    made = await arm.put(path, body(URI, "push", customHeaders={"Authorization": "Bearer abcdef"}, scope="app:*"))
    assert made.status == 201
    document = made.json()
    assert document["id"] == path
    assert (document["name"], document["location"], document["tags"]) == ("Hook1", "eastus", {})
    assert document["type"] == "Microsoft.ContainerRegistry/registries/webhooks"
    assert document["properties"] == {
        "status": "enabled",
        "scope": "app:*",
        "actions": ["push"],
        "eventDeliverySchema": "ContainerRegistrySchema",
        "paused": False,
        "provisioningState": "Succeeded",
    }
    assert (await arm.get(path.replace("Hook1", "hook1"))).json() == document
    assert await arm.names(f"{arm.registry()}/webhooks") == ["Hook1"]


async def test_its_callback_config_is_in_clear(arm: Management) -> None:
    hook = await add_webhook(arm, URI, customHeaders={"X-Key": "one"}, signingSecret=SECRET)
    config = await arm.post(f"{hook.path}/getCallbackConfig")
    assert config.json() == {"serviceUri": URI, "customHeaders": {"X-Key": "one"}}


async def test_a_patch_keeps_what_it_does_not_name(arm: Management) -> None:
    hook = await add_webhook(arm, URI, "push", customHeaders={"X-Key": "one"})
    changed = await arm.patch(hook.path, {"tags": {"a": "b"}, "properties": {"actions": ["delete"], "scope": "app"}})
    assert changed.status == 200
    assert changed.json()["tags"] == {"a": "b"}
    assert changed.json()["properties"]["actions"] == ["delete"]
    assert changed.json()["properties"]["scope"] == "app"
    assert (await arm.post(f"{hook.path}/getCallbackConfig")).json()["customHeaders"] == {"X-Key": "one"}
    await arm.patch(hook.path, {"properties": {"customHeaders": {"X-New": "two"}}})
    config = await arm.post(f"{hook.path}/getCallbackConfig")
    assert config.json() == {"serviceUri": URI, "customHeaders": {"X-New": "two"}}


async def test_a_put_replaces_all_of_it(arm: Management) -> None:
    hook = await add_webhook(arm, URI, scope="app", customHeaders={"X-Key": "one"})
    again = await arm.put(hook.path, body(URI, "push"))
    assert (again.status, again.json()["properties"]["scope"]) == (200, "")
    assert (await arm.post(f"{hook.path}/getCallbackConfig")).json()["customHeaders"] == {}


@pytest.mark.parametrize(
    ("properties", "target"),
    [
        ({"serviceUri": None}, "properties.serviceUri"),
        ({"serviceUri": "ftp://hooks.example"}, "properties.serviceUri"),
        ({"serviceUri": "https://"}, "properties.serviceUri"),
        ({"serviceUri": "https://hooks.example/" + "a" * 2048}, "properties.serviceUri"),
        ({"serviceUri": "https://hooks.example/\n"}, "properties.serviceUri"),
        ({"serviceUri": "https://hooks.example/\0"}, "properties.serviceUri"),
        ({"actions": []}, "properties.actions"),
        ({"actions": ["pull"]}, "properties.actions[0]"),
        ({"status": "paused"}, "properties.status"),
        ({"scope": "App"}, "properties.scope"),
        ({"scope": "app:v1:v2"}, "properties.scope"),
        ({"scope": "a\0"}, "properties.scope"),
        ({"customHeaders": {"Host": "other"}}, "properties.customHeaders"),
        ({"customHeaders": {"Content-Length": "0"}}, "properties.customHeaders"),
        ({"customHeaders": {"webhook-signature": "mine"}}, "properties.customHeaders"),
        ({"customHeaders": {"X-Key": "a\r\nX-Other: b"}}, "properties.customHeaders"),
        ({"customHeaders": {"X Key": "a"}}, "properties.customHeaders"),
        ({"customHeaders": {"X-Key": "a", "x-key": "b"}}, "properties.customHeaders"),
        ({"customHeaders": {f"X-{number}": "a" for number in range(21)}}, "properties.customHeaders"),
        ({"customHeaders": {"X-Key": "a" * 8200}}, "properties.customHeaders"),
        ({"signingSecret": "whsec_c2hvcnQ="}, "properties.signingSecret"),
        ({"signingSecret": "short"}, "properties.signingSecret"),
    ],
)
async def test_what_is_wrong_is_named(arm: Management, properties: dict[str, Any], target: str) -> None:
    path = f"{arm.registry()}/webhooks/hook1"
    sent = body(URI)
    sent["properties"] |= properties
    error = (refused := await arm.put(path, sent)).json()["error"]
    assert (refused.status, error["target"]) == (400, target), error
    assert (await arm.get(path)).status == 404


@pytest.mark.parametrize("name", ["four", "a" * 51, "hook-1", "hook_1"])
async def test_a_name_has_letters_and_digits(arm: Management, name: str) -> None:
    assert (await arm.put(f"{arm.registry()}/webhooks/{name}", body(URI))).status == 400


async def test_where_a_webhook_is_cannot_be_changed(arm: Management) -> None:
    hook = await add_webhook(arm, URI)
    assert (await arm.put(hook.path, {**body(URI), "location": "westus"})).status == 409
    assert (await arm.put(hook.path, {**body(URI), "location": "East US"})).status == 200


async def test_a_tier_has_room_for_so_many(arm: Management) -> None:
    basic = arm.registry("basic")
    assert (await arm.put(basic, {"location": "eastus", "sku": {"name": "Basic"}})).status == 201
    for number in range(2):
        assert (await arm.put(f"{basic}/webhooks/hook{number}", body(URI))).status == 201
    full = await arm.put(f"{basic}/webhooks/hook2", body(URI))
    assert (full.status, full.json()["error"]["code"]) == (409, "QuotaExceeded")
    assert (await arm.put(f"{basic}/webhooks/hook1", body(URI))).status == 200
    usages = {each["name"]: each for each in (await arm.get(f"{basic}/listUsages")).json()["value"]}
    assert usages["Webhooks"]["currentValue"] == 2


async def test_a_webhook_of_no_registry_is_not_found(arm: Management) -> None:
    nowhere = f"{arm.registry('nowhere')}/webhooks/hook1"
    assert (await arm.put(nowhere, body(URI))).status == 404
    for act in ("ping", "listEvents", "getCallbackConfig"):
        assert (await arm.post(f"{nowhere}/{act}")).status == 404
        assert (await arm.post(f"{arm.registry()}/webhooks/hook9/{act}")).status == 404


async def test_what_is_deleted_takes_its_deliveries_with_it(arm: Management, registry: Registry) -> None:
    hook = await add_webhook(arm, URI)
    await arm.post(f"{hook.path}/ping")
    assert (await arm.delete(hook.path)).status == 200
    assert (await arm.delete(hook.path)).status == 204
    for table in (webhook, delivery, delivery_lane):
        assert registry.query(lambda tx, table=table: tx.execute(select(table)).all()) == []


async def test_no_secret_of_a_webhook_stands_in_the_catalog(arm: Management, registry: Registry) -> None:
    hook = await add_webhook(arm, f"{URI}?key=the-key", customHeaders={"X-Key": "the-header"}, signingSecret=SECRET)
    await arm.patch(hook.path, {"properties": {"customHeaders": {"X-Key": "the-header"}, "signingSecret": SECRET}})
    await arm.post(f"{hook.path}/getCallbackConfig")
    rows = [registry.query(lambda tx, table=table: tx.execute(select(table)).all()) for table in (webhook, audit_entry)]
    assert all(rows)
    for secret in ("the-key", "the-header", SECRET):
        assert secret not in json.dumps(rows, default=str)
