"""Scope maps and repository tokens as resources. Source: ACR-REFERENCE 5.5, 6.5; AZ-CLI-FLOWS 3."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select
from tests.content import an_image
from tests.integration.accounts import registry_id
from tests.integration.rows import add_principal, audit_entries
from tests.management import Json, Management, management
from tests.registry import Registry
from tests.wire import Answer

from entrepot.access.scope_maps import SYSTEM_MAPS
from entrepot.access.secrets import hash_generated
from entrepot.db.access_tables import credential, principal, scope_map, token
from entrepot.registries.tiers import Limit, SkuName, tier_of

READ = "repositories/app/content/read"
WRITE = "repositories/app/content/write"
REGISTRIES = "Microsoft.ContainerRegistry/registries"
MANY = 10_000


def a_map(arm: Management, name: str = "team-map", of: str = "local") -> str:
    return f"{arm.registry(of)}/scopeMaps/{name}"


def a_token(arm: Management, name: str = "ci-token", of: str = "local") -> str:
    return f"{arm.registry(of)}/tokens/{name}"


def saying(*actions: str, **more: str) -> Json:
    return {"properties": {"actions": list(actions), **more}}


def having(scope_map_id: str, **more: Json) -> Json:
    return {"properties": {"scopeMapId": scope_map_id, "status": "enabled", **more}}


@pytest.fixture
async def made(arm: Management) -> str:
    """A token that reads, without passwords."""
    assert (await arm.put(a_map(arm), saying(READ))).status == 201
    assert (await arm.put(a_token(arm), having(a_map(arm)))).status == 201
    return a_token(arm)


async def generated(arm: Management, **more: str) -> dict[str, Any]:
    answer = await arm.post(f"{arm.registry()}/generateCredentials", {"tokenId": a_token(arm), **more})
    assert answer.status == 200, answer.body
    return answer.json()


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


# --- scope maps -------------------------------------------------------------------------------------------------------


async def test_a_scope_map_is_made_shown_changed_and_deleted(arm: Management) -> None:
    path = a_map(arm)
    missing = await arm.get(path)
    assert code(missing) == (404, "ResourceNotFound"), "az relies on it"
    shown = await arm.put(path, saying(READ, description="what the team may"))
    created = "2024-05-06T07:08:09.000000Z"
    assert (shown.status, shown.json()) == (
        201,
        {
            "id": path,
            "name": "team-map",
            "type": "Microsoft.ContainerRegistry/registries/scopeMaps",
            "properties": {
                "description": "what the team may",
                "type": "UserDefined",
                "creationDate": created,
                "actions": [READ],
                "provisioningState": "Succeeded",
            },
            "systemData": {"createdAt": created},
        },
    )
    changed = await arm.patch(path.replace("team-map", "TEAM-map"), saying(READ, WRITE))
    assert (changed.status, changed.json()["id"]) == (200, path)
    assert (await arm.get(path)).json()["properties"] == {
        **shown.json()["properties"],
        "actions": [READ, WRITE],
    }
    assert [(await arm.delete(path)).status for _ in range(2)] == [200, 204]


async def test_the_system_s_scope_maps_are_listed_and_stay_as_they_are(arm: Management) -> None:
    await arm.put(a_map(arm, "Z-map"), saying(READ))
    await arm.put(a_map(arm, "a-map"), saying(READ))
    system = [each.name for each in SYSTEM_MAPS]
    assert await arm.names(f"{arm.registry()}/scopeMaps", top="2") == [*system, "a-map", "Z-map"]
    for each in SYSTEM_MAPS:
        path = a_map(arm, each.name)
        found = (await arm.get(path)).json()["properties"]
        assert (found["type"], found["description"], tuple(found["actions"])) == (
            "SystemDefined",
            each.description,
            each.actions,
        )
        for refused in (
            await arm.put(path, saying(READ)),
            await arm.patch(path, {"properties": {"description": "mine"}}),
            await arm.delete(path.replace("_repo", "_REPO")),
        ):
            assert code(refused) == (400, "SystemDefinedScopeMap")
        assert (await arm.get(path)).json()["properties"] == found


@pytest.mark.parametrize(
    ("body", "target"),
    [
        (saying("repositories/app/content/fly"), "properties.actions"),
        (saying("repositories/sample/*/team/content/read"), "properties.actions"),
        (saying("repositories/UPPER/content/read"), "properties.actions"),
        (saying("repositories/\0/content/read"), "properties.actions"),
        (saying(*[READ] * 501), "properties.actions"),
        (saying(READ, description="x" * 257), "properties.description"),
        ({"properties": {"actions": READ}}, "properties.actions"),
        ({"properties": {}}, "properties"),
        ({}, "$"),
    ],
)
async def test_what_a_scope_map_cannot_say_is_refused_by_its_member(arm: Management, body: Json, target: str) -> None:
    refused = await arm.put(a_map(arm), body)
    assert (refused.status, refused.json()["error"]["target"]) == (400, target)
    assert (await arm.get(a_map(arm))).status == 404


@pytest.mark.parametrize("name", ["four", "x" * 51, "_mine_", "with%20space", "na%C3%AFve", "with%00nul"])
async def test_a_name_that_acr_refuses_is_refused(arm: Management, name: str) -> None:
    assert code(await arm.put(a_map(arm, name), saying(READ))) == (400, "InvalidResourceName")
    scope_map_id = a_map(arm, "_repositories_pull")
    assert code(await arm.put(a_token(arm, name), having(scope_map_id))) == (400, "InvalidResourceName")


async def test_a_deleted_scope_map_leaves_its_tokens_without_rights(arm: Management, made: str) -> None:
    """As az says before it deletes one. Another scope map can be given."""
    assert (await arm.delete(a_map(arm))).status == 200
    assert "scopeMapId" not in (await arm.get(made)).json()["properties"]
    assert (await arm.patch(made, {"properties": {"status": "disabled"}})).status == 200
    pull = a_map(arm, "_repositories_pull")
    assert (await arm.patch(made, {"properties": {"scopeMapId": pull}})).json()["properties"]["scopeMapId"] == pull


# --- tokens -----------------------------------------------------------------------------------------------------------


async def test_a_token_is_made_shown_changed_and_deleted(arm: Management) -> None:
    await arm.put(a_map(arm), saying(READ))
    shown = await arm.put(a_token(arm), having(a_map(arm)))
    created = "2024-05-06T07:08:09.000000Z"
    assert (shown.status, shown.json()) == (
        201,
        {
            "id": a_token(arm),
            "name": "ci-token",
            "type": "Microsoft.ContainerRegistry/registries/tokens",
            "properties": {
                "creationDate": created,
                "provisioningState": "Succeeded",
                "credentials": {"passwords": []},
                "status": "enabled",
                "scopeMapId": a_map(arm),
            },
            "systemData": {"createdAt": created},
        },
    )
    assert (await arm.get(a_token(arm, "CI-token"))).json() == shown.json()
    other = a_map(arm, "_repositories_push").upper()
    changed = await arm.patch(a_token(arm), {"properties": {"status": "Disabled", "scopeMapId": other}})
    assert changed.json()["properties"]["status"] == "disabled"
    assert changed.json()["properties"]["scopeMapId"] == a_map(arm, "_repositories_push")
    assert [(await arm.delete(a_token(arm))).status for _ in range(2)] == [200, 204]


async def test_generated_passwords_are_shown_once_and_open_what_the_scope_map_says(
    arm: Management, made: str, registry: Registry
) -> None:
    await registry.repository("app").push(an_image(), "v1")
    shown = await generated(arm)
    assert shown["username"] == "ci-token"
    assert [list(each) for each in shown["passwords"]] == [["creationTime", "name", "value"]] * 2
    assert [each["name"] for each in shown["passwords"]] == ["password1", "password2"]
    assert shown["passwords"][0]["creationTime"] == "2024-05-06T07:08:09+00:00"
    for each in shown["passwords"]:
        client = registry.nobody.signed_in("ci-token", each["value"])
        assert (await client.get("/v2/app/manifests/v1")).status == 200
        assert (await client.post("/v2/app/blobs/uploads/")).status == 401
    kept = (await arm.get(made)).json()["properties"]["credentials"]
    assert [list(each) for each in kept["passwords"]] == [["creationTime", "name"]] * 2
    assert all(each["value"] not in repr(registry.query(audit_entries)) for each in shown["passwords"])


async def test_one_password_is_made_anew_with_an_end(arm: Management, made: str, registry: Registry, until) -> None:
    before = await generated(arm)
    again = await generated(arm, name="password2", expiry="2024-05-06T08:08:09")
    (password,) = again["passwords"]
    assert (password["name"], password["expiry"]) == ("password2", "2024-05-06T08:08:09+00:00")

    async def status(value: str) -> int:
        return (await registry.nobody.signed_in("ci-token", value).get("/v2/")).status

    async def the_old_one_is_gone() -> bool:
        return await status(before["passwords"][1]["value"]) == 401

    await until(the_old_one_is_gone)
    assert [await status(each["value"]) for each in (before["passwords"][0], password)] == [200, 200]
    registry.clock.advance(hours=2)
    assert await status(password["value"]) == 401


async def test_a_password_that_a_patch_does_not_name_is_deleted(arm: Management, made: str) -> None:
    """So az deletes them; a patch of something else deletes none."""
    await generated(arm)
    await arm.patch(made, {"properties": {"status": "disabled"}})
    assert len((await arm.get(made)).json()["properties"]["credentials"]["passwords"]) == 2
    for kept in ([{"name": "password2"}], []):
        answer = await arm.patch(made, {"properties": {"credentials": {"passwords": kept}}})
        left = answer.json()["properties"]["credentials"]["passwords"]
        assert [each["name"] for each in left] == [each["name"] for each in kept]


async def test_what_a_token_cannot_be_is_refused_by_its_member(arm: Management, made: str) -> None:
    second = {"location": "eastus", "sku": {"name": "Basic"}}
    assert (await arm.put(arm.registry("second"), second)).status == 201
    for path, body, target in (
        (a_token(arm, "another"), {}, "properties.scopeMapId"),
        (a_token(arm, "another"), having(a_map(arm, "no-such-map")), "properties.scopeMapId"),
        (a_token(arm, "another"), having(a_map(arm, "_repositories_pull", "second")), "properties.scopeMapId"),
        (a_token(arm, "another"), having("_repositories_pull"), "properties.scopeMapId"),
        (a_token(arm, "another"), having(a_token(arm)), "properties.scopeMapId"),
        (a_token(arm, "another"), having(a_map(arm), status="asleep"), "properties.status"),
        (made, having(a_map(arm), credentials={"passwords": [{"name": "password3"}]}), None),
    ):
        refused = await arm.put(path, body)
        assert refused.status == 400, (path, body)
        assert target is None or refused.json()["error"]["target"] == target
    assert (await arm.get(a_token(arm, "another"))).status == 404


async def test_passwords_that_cannot_be_made_are_refused(arm: Management, made: str) -> None:
    for body, expected in (
        ({}, (400, "InvalidRequestContent")),
        ({"tokenId": "ci-token"}, (400, "InvalidRequestContent")),
        ({"tokenId": a_map(arm)}, (400, "InvalidRequestContent")),
        ({"tokenId": a_token(arm, "ci-token", "second")}, (400, "InvalidRequestContent")),
        ({"tokenId": a_token(arm, "no-such-token")}, (404, "ResourceNotFound")),
        ({"tokenId": made, "name": "password3"}, (400, "InvalidRequestContent")),
        ({"tokenId": made, "expiry": "2024-05-06T07:08:09Z"}, (400, "InvalidRequestContent")),
        ({"tokenId": made, "expiry": "soon"}, (400, "InvalidRequestContent")),
    ):
        assert code(await arm.post(f"{arm.registry()}/generateCredentials", body)) == expected, body
    nowhere = await arm.post(f"{arm.registry('absent')}/generateCredentials", {"tokenId": made})
    assert code(nowhere) == (404, "ResourceNotFound")
    assert (await arm.get(made)).json()["properties"]["credentials"]["passwords"] == []


async def test_below_a_registry_that_is_not_there_is_nothing(arm: Management) -> None:
    for path in (a_map(arm, of="absent"), a_token(arm, of="absent")):
        collection = path.rpartition("/")[0]
        for answer in (await arm.get(path), await arm.get(collection), await arm.put(path, saying(READ))):
            assert code(answer) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("role", "shown"),
    [("7f951dda-4ed3-4680-a7ca-43fe172d538d", 0), ("acdd72a7-3385-48ef-bd42-f606fba81ae7", 1)],
    ids=["AcrPull", "Reader"],
)
async def test_who_may_read_a_registry_s_content_alone_sees_no_tokens(
    arm: Management, registry: Registry, role: str, shown: int
) -> None:
    registry.query(lambda tx: add_principal(tx, "guest", "secret", role))
    await arm.put(a_token(arm), having(a_map(arm, "_repositories_pull")))
    guest = await management(registry, "guest")
    assert len(await guest.names(f"{arm.registry()}/tokens")) == shown
    assert (await guest.get(a_token(arm))).status == (200 if shown else 403)
    refused = await guest.post(f"{arm.registry()}/generateCredentials", {"tokenId": a_token(arm)})
    assert code(refused) == (403, "AuthorizationFailed")


async def test_each_change_is_an_entry_of_its_operation(arm: Management, made: str, registry: Registry) -> None:
    await generated(arm, name="password1")
    await arm.patch(a_map(arm), saying(WRITE))
    await arm.patch(made, {"properties": {"status": "disabled"}})
    await arm.delete(made)
    await arm.delete(a_map(arm))
    entries = [each for each in registry.query(audit_entries) if each["action"].startswith(REGISTRIES)]
    assert [(each["action"].removeprefix(f"{REGISTRIES}/"), each["target"]) for each in entries] == [
        ("scopeMaps/write", a_map(arm)),
        ("tokens/write", made),
        ("generateCredentials/action", arm.registry()),
        ("scopeMaps/write", a_map(arm)),
        ("tokens/write", made),
        ("tokens/delete", made),
        ("scopeMaps/delete", a_map(arm)),
    ]
    assert entries[3]["detail"]["before"]["properties"]["actions"] == [READ]
    assert entries[2]["detail"]["asked"]["tokenId"] == made


async def test_one_name_that_several_make_at_once_is_there_once(arm: Management) -> None:
    names = ("team-map", "TEAM-MAP", "Team-Map")
    made = await asyncio.gather(*(arm.put(a_map(arm, name), saying(READ)) for name in names))
    assert all(answer.status in {200, 201} for answer in made)
    assert len(await arm.names(f"{arm.registry()}/scopeMaps")) == len(SYSTEM_MAPS) + 1
    pull = having(a_map(arm, "_repositories_pull"))
    tokens = await asyncio.gather(*(arm.put(a_token(arm, name), pull) for name in names))
    assert all(answer.status in {200, 201, 409} for answer in tokens)
    assert len(await arm.names(f"{arm.registry()}/tokens")) == 1


# --- how many ---------------------------------------------------------------------------------------------------------


async def test_a_small_registry_has_few_of_them(arm: Management, registry: Registry) -> None:
    await arm.put(arm.registry("small"), {"location": "eastus", "sku": {"name": "Basic"}})
    registry.query(lambda tx: _fill(tx, registry, "small", tier_of(SkuName.BASIC, None, ()).limits[Limit.TOKENS]))
    pull = a_map(arm, "_repositories_pull", "small")
    refused = await arm.put(a_token(arm, of="small"), having(pull))
    assert code(refused) == (409, "QuotaExceeded")
    assert "at most 100 tokens" in refused.json()["error"]["message"]
    assert code(await arm.put(a_map(arm, of="small"), saying(READ))) == (409, "QuotaExceeded")
    assert (await arm.patch(a_token(arm, "many-1", "small"), having(pull))).status == 200
    await arm.delete(a_token(arm, "many-1", "small"))
    assert (await arm.put(a_token(arm, of="small"), having(pull))).status == 201


async def test_ten_thousand_tokens_are_listed_in_pages(arm: Management, registry: Registry) -> None:
    registry.query(lambda tx: _fill(tx, registry, "local", MANY))
    first = (await arm.get(f"{arm.registry()}/tokens")).json()
    assert len(first["value"]) == 500
    assert [each["name"] for each in first["value"][0]["properties"]["credentials"]["passwords"]] == ["password1"]
    names = await arm.names(f"{arm.registry()}/tokens")
    assert (len(names), names) == (MANY, sorted({f"many-{at}" for at in range(MANY)}))


def _fill(tx: Connection, registry: Registry, name: str, count: int) -> None:
    """So many tokens with a password each, and as many scope maps up to a thousand."""
    now, where = registry.clock.now, registry_id(tx, name)
    tenant = tx.execute(select(principal.c.tenant_id).limit(1)).scalar_one()
    maps = [
        {"registry_id": where, "name": f"many-{at}", "actions": "[]", "created_at": now}
        for at in range(min(count, 1000))
    ]
    tx.execute(insert(scope_map), maps)
    principals, tokens, passwords = [], [], []
    for at in range(count):
        of = {"name": f"many-{at}", "created_at": now, "registry_id": where}
        principals.append(of | {"id": f"p{at}", "tenant_id": tenant, "kind": "Token"})
        tokens.append(of | {"principal_id": f"p{at}"})
        kept = {"secret_hash": hash_generated("secret"), "created_at": now, "name": "password1"}
        passwords.append(kept | {"id": f"c{at}", "principal_id": f"p{at}", "kind": "token"})
    for table, values in ((principal, principals), (token, tokens), (credential, passwords)):
        tx.execute(insert(table), values)
