"""What ACR had under /v2/_acr before /acr/v1, as Visual Studio Code's extensions still call it."""

from tests.content import an_image
from tests.registry import Registry

IMAGE = an_image("one")


async def test_a_tag_is_removed_and_its_manifest_stays(registry: Registry) -> None:
    app = registry.repository("team/app")
    await app.push(IMAGE, "v1", "v2")
    assert (await registry.http.delete("/v2/_acr/team/app/tags/v1")).status == 202
    assert (await registry.http.get("/v2/team/app/tags/list")).json()["tags"] == ["v2"]
    assert (await registry.http.get(f"/v2/team/app/manifests/{IMAGE.digest}")).status == 200
    assert (await registry.http.delete("/v2/_acr/team/app/tags/v1")).code == "MANIFEST_UNKNOWN"


async def test_a_repository_is_deleted(registry: Registry) -> None:
    await registry.repository("team/app").push(IMAGE, "v1")
    answer = await registry.http.delete("/v2/_acr/team/app/repository")
    assert (answer.status, answer.json()["tagsDeleted"]) == (202, ["v1"])
    assert (await registry.http.get("/v2/_catalog")).json()["repositories"] == []


async def test_their_challenge_asks_for_the_right_to_delete(registry: Registry) -> None:
    for path in ("/v2/_acr/team/app/tags/v1", "/v2/_acr/team/app/repository"):
        answer = await registry.nobody.delete(path)
        assert answer.status == 401
        assert answer["www-authenticate"].endswith(',scope="repository:team/app:delete"')


async def test_nothing_else_is_there(registry: Registry) -> None:
    assert (await registry.http.get("/v2/_acr/team/app/tags/v1")).status == 405
    assert (await registry.http.get("/v2/_acr/team/app/tags/list")).status == 405
    assert (await registry.http.get("/v2/_acr")).status == 404
