"""Imports between registries of one deployment: by id or by name, with the caller's own rights, and no byte copied."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, func, select
from tests.content import an_artifact, an_image, an_index
from tests.integration.registries.imports.conftest import Bodies, Import, result
from tests.integration.rows import add_principal
from tests.integration.working import working
from tests.management import Management, management
from tests.registry import Registry, Repository
from tests.wire import Client

from entrepot.db.tables import blob, retired_key

SECOND = "second.entrepot.localhost:5000"
IMPORT = "Microsoft.ContainerRegistry/registries/importImage/action"
IMPORTER = "577a9874-89fd-4f24-9dbd-b5034d0ad23a"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"


def stored(tx: Connection) -> tuple[int, int]:
    """Blobs that are kept, and copies that were thrown away."""
    kept, retired = (tx.execute(select(func.count()).select_from(table)).scalar_one() for table in (blob, retired_key))
    return kept, retired


async def guest_with(arm: Management, registry: Registry, role: str) -> Management:
    """Somebody with this one role, on the registry that is filled."""
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret", role=None))
    await give(arm, arm.registry(), role)
    return await management(registry, "guest")


async def give(arm: Management, scope: str, role: str) -> None:
    provider = "/providers/Microsoft.Authorization"
    properties = {"roleDefinitionId": f"{provider}/roleDefinitions/{role}", "principalId": "id-guest"}
    made = await arm.put(f"{scope}{provider}/roleAssignments/{uuid4()}", {"properties": properties})
    assert made.status == 201, made.body


def source_of(arm: Management, how: str, image: str = "team/app:v1") -> dict[str, Any]:
    named = {"resourceId": arm.registry("second")} if how == "id" else {"registryUri": SECOND}
    return {**named, "sourceImage": image}


@pytest.mark.parametrize("how", ["id", "name"])
async def test_an_image_is_linked_with_all_that_it_names(
    arm: Management, registry: Registry, second: Client, bring: Import, app: Repository, how: str
) -> None:
    there = registry.repository("team/app", second)
    children = [an_image(name, architecture=name) for name in ("amd64", "arm64")]
    index = an_index(children)
    for manifest in (*children, index):
        await there.push(manifest)
    await there.put(index, "v1")
    signature = an_artifact(subject=index.descriptor())
    await there.push(signature)
    before = registry.query(stored)
    ended = await bring(source_of(arm, how), "app:v1", includeReferrers=True)
    assert ended.status == 200, ended.body
    assert registry.query(stored) == before
    assert (await app.manifest("v1")).body == index.body
    for child in children:
        for digest, content in child.blobs.items():
            assert (await app.blob(digest)).body == content
    assert [each["digest"] for each in await app.referrers(index.digest)] == [signature.digest]


async def test_a_registry_may_be_its_own_source(arm: Management, bring: Import, app: Repository) -> None:
    image = an_image()
    await app.push(image, "v1")
    ended = await bring({"registryUri": "localhost:5000", "sourceImage": "app:v1"}, "app:stable")
    assert ended.status == 200, ended.body
    assert (await app.manifest("stable")).body == image.body
    assert await app.tags() == ["stable", "v1"]


async def test_an_image_that_is_not_there_is_named(arm: Management, second: Client, bring: Import) -> None:
    ended = await bring(source_of(arm, "id", "team/app:nothing"), "app:v1")
    assert (ended.status, ended.json()["error"]["code"]) == (400, "SourceRegistryFailed")
    assert "team/app nothing" in ended.json()["error"]["message"]


async def test_one_that_is_locked_against_reading_stays_there(
    arm: Management, registry: Registry, second: Client, bring: Import
) -> None:
    await registry.repository("team/app", second).push(an_image(), "v1")
    assert (await second.send("PATCH", "/acr/v1/team%2Fapp/_tags/v1", None, b'{"readEnabled":false}')).status == 200
    ended = await bring(source_of(arm, "id"), "app:v1")
    assert (ended.status, ended.json()["error"]["code"]) == (409, "ImageLocked")


async def test_the_caller_needs_the_right_to_pull_there(
    arm: Management, registry: Registry, second: Client, work: Bodies
) -> None:
    image = an_image()
    await registry.repository("team/app", second).push(image, "v1")
    theirs = await guest_with(arm, registry, IMPORTER)
    for how in ("id", "name"):
        body = {"source": source_of(arm, how), "targetTags": ["app:v1"]}
        refused = await theirs.post(f"{arm.registry()}/importImage", body)
        assert (refused.status, refused.json()["error"]["code"]) == (403, "AuthorizationFailed")
        assert arm.registry("second") in refused.json()["error"]["message"]
    await give(arm, arm.registry("second"), ACR_PULL)
    accepted = await theirs.post(
        f"{arm.registry()}/importImage", {"source": source_of(arm, "id"), "targetTags": ["app:v1"]}
    )
    assert accepted.status == 202, accepted.body
    with working(registry, work):
        assert (await result(theirs, accepted)).status == 200
    assert (await registry.repository("app").manifest("v1")).body == image.body


async def test_a_registry_that_is_not_there_is_refused_like_one_that_may_not_be_read(
    arm: Management, ask: Import
) -> None:
    refused = await ask({"resourceId": arm.registry("nothing"), "sourceImage": "app:v1"}, "app:v1")
    assert (refused.status, refused.json()["error"]["code"]) == (403, "AuthorizationFailed")


async def test_the_right_to_pull_is_not_the_right_to_import(arm: Management, registry: Registry) -> None:
    theirs = await guest_with(arm, registry, ACR_PULL)
    body = {"source": {"registryUri": "localhost:5000", "sourceImage": "app:v1"}, "targetTags": ["app:v2"]}
    refused = await theirs.post(f"{arm.registry()}/importImage", body)
    assert (refused.status, refused.json()["error"]["code"]) == (403, "AuthorizationFailed")
    assert IMPORT in refused.json()["error"]["message"]


# --- what is asked wrongly --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "body"),
    [
        ("source", {}),
        ("source.sourceImage", {"source": {"registryUri": "hub.example"}}),
        ("source.sourceImage", {"source": {"registryUri": "hub.example", "sourceImage": "hub.example:5000/app"}}),
        ("source.sourceImage", {"source": {"registryUri": "hub.example", "sourceImage": 7}}),
        ("source.registryUri", {"source": {"sourceImage": "app"}}),
        ("source.registryUri", {"source": {"registryUri": "http://hub.example", "sourceImage": "app"}}),
        ("source.resourceId", {"source": {"resourceId": "/subscriptions/x", "sourceImage": "app"}}),
        ("targetTags[0]", {"source": {"registryUri": "hub.example", "sourceImage": "app"}, "targetTags": ["A:b"]}),
        ("mode", {"source": {"registryUri": "hub.example", "sourceImage": "app"}, "mode": "Maybe"}),
    ],
)
async def test_a_wrong_member_is_named(arm: Management, member: str, body: dict[str, Any]) -> None:
    refused = await arm.post(f"{arm.registry()}/importImage", body)
    assert refused.status == 400, refused.body
    error = refused.json()["error"]
    assert error["code"] == "InvalidRequestContent"
    assert member.partition(".")[0] in error["message"]


async def test_a_registry_to_fill_must_be_there(arm: Management) -> None:
    body = {"source": {"registryUri": "hub.example", "sourceImage": "app"}}
    refused = await arm.post(f"{arm.registry('nothing')}/importImage", body)
    assert (refused.status, refused.json()["error"]["code"]) == (404, "ResourceNotFound")
