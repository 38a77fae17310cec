"""Locks on resources: what each level keeps from happening, where, and by whom they are made."""

import pytest
from tests.management import Management

PROVIDER = "/providers/Microsoft.Authorization/locks"
STANDARD = {"location": "eastus", "sku": {"name": "Standard"}}


def lock(level: str, notes: str | None = None) -> dict[str, object]:
    return {"properties": {"level": level, "notes": notes}}


async def refusal(arm: Management, method: str, path: str, body: object = None) -> tuple[int, str]:
    answer = await arm.send(method, path, body)
    return answer.status, answer.json()["error"]["code"]


async def test_a_lock_is_made_shown_changed_and_removed(arm: Management) -> None:
    path = f"{arm.registry()}{PROVIDER}/keep"
    made = await arm.put(path, lock("CanNotDelete", "production"))
    shown = {
        "properties": {"level": "CanNotDelete", "notes": "production"},
        "id": path,
        "name": "keep",
        "type": "Microsoft.Authorization/locks",
    }
    assert (made.status, made.json()) == (201, shown)
    changed = await arm.put(path.replace("keep", "KEEP"), lock("ReadOnly"))
    assert (changed.status, changed.json()["properties"]) == (200, {"level": "ReadOnly", "notes": None})
    assert (await arm.delete(path)).status == 200
    assert (await arm.delete(path)).status == 204


@pytest.mark.parametrize("above", ["registry", "group", "subscription"])
async def test_what_a_lock_is_on_and_all_below_it_cannot_be_deleted(arm: Management, above: str) -> None:
    await arm.put(arm.registry("second"), STANDARD)
    scope = {
        "registry": arm.registry("second"),
        "group": arm.group,
        "subscription": f"/subscriptions/{arm.subscription}",
    }
    await arm.put(f"{scope[above]}{PROVIDER}/keep", lock("CanNotDelete"))
    refused = await arm.delete(arm.registry("SECOND"))
    assert (refused.status, refused.json()["error"]["code"]) == (409, "ScopeLocked")
    assert (
        f"cannot perform delete operation because following scope(s) are locked: '{scope[above]}'"
        in (refused.json()["error"]["message"])
    )
    assert (await arm.patch(arm.registry("second"), {"tags": {"a": "b"}})).status == 200
    await arm.delete(f"{scope[above]}{PROVIDER}/keep")
    assert (await arm.delete(arm.registry("second"))).status == 202


async def test_a_read_only_lock_keeps_from_every_write_and_from_secrets(arm: Management) -> None:
    await arm.patch(arm.registry(), {"properties": {"adminUserEnabled": True}})
    await arm.put(f"{arm.group}{PROVIDER}/freeze", lock("ReadOnly"))
    assert await refusal(arm, "PATCH", arm.registry(), {"tags": {}}) == (409, "ScopeLocked")
    assert await refusal(arm, "PUT", arm.registry("second"), STANDARD) == (409, "ScopeLocked")
    assert await refusal(arm, "POST", f"{arm.registry()}/listCredentials", {}) == (409, "ScopeLocked")
    assert (await arm.get(arm.registry())).status == 200
    assert (await arm.get(f"{arm.registry()}/listUsages")).status == 200


async def test_locks_are_listed_where_they_hold(arm: Management) -> None:
    await arm.put(f"{arm.group}{PROVIDER}/of-group", lock("CanNotDelete"))
    await arm.put(f"{arm.registry()}{PROVIDER}/of-registry", lock("ReadOnly"))
    assert await arm.names(f"{arm.registry()}{PROVIDER}", top="1") == ["of-group", "of-registry"]
    assert await arm.names(f"{arm.group}{PROVIDER}") == ["of-group"]


@pytest.mark.parametrize(
    ("body", "target"),
    [
        (lock("Sometimes"), "properties.level"),
        (lock("ReadOnly", "x" * 513), "properties.notes"),
        ({"properties": {}}, "properties"),
    ],
)
async def test_a_lock_that_cannot_be_is_refused_with_its_member(
    arm: Management, body: dict[str, object], target: str
) -> None:
    refused = await arm.put(f"{arm.group}{PROVIDER}/keep", body)
    assert (refused.status, refused.json()["error"]["target"]) == (400, target)


async def test_a_path_with_an_empty_part_is_the_same_as_az_lock_writes_it(arm: Management) -> None:
    path = arm.registry().replace("Microsoft.ContainerRegistry/", "Microsoft.ContainerRegistry//")
    made = await arm.put(f"{path}{PROVIDER}/keep", lock("CanNotDelete"))
    assert (made.status, made.json()["id"]) == (201, f"{arm.registry()}{PROVIDER}/keep")
