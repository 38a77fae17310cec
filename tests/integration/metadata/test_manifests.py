"""Manifests of /acr/v1. Spec: ACR-REFERENCE 3."""

from typing import Any

import pytest
from tests.content import DOCKER_CONFIG, OCI_CONFIG, a_docker_image, an_artifact, an_image, an_index
from tests.registry import FakeClock, Registry, Repository, next_page

OPEN = {"deleteEnabled": True, "writeEnabled": True, "readEnabled": True, "listEnabled": True}
AMD, ARM = an_image("amd"), an_image("arm", architecture="arm64")
MANY = sorted((an_image(f"many-{number}") for number in range(5)), key=lambda image: image.digest)


async def told(app: Repository, digest: str) -> dict[str, Any]:
    answer = await app.http.get(f"/acr/v1/app/_manifests/{digest}")
    assert answer.status == 200, answer.body
    return answer.json()["manifest"]


async def test_an_image_tells_its_size_platform_and_tags(app: Repository, clock: FakeClock) -> None:
    await app.push(AMD, "v1", "latest")
    answer = await app.http.get(f"/acr/v1/app/_manifests/{AMD.digest.replace(':', '%3A')}")
    manifest = {
        "digest": AMD.digest,
        "imageSize": sum(map(len, AMD.blobs.values())),
        "createdTime": "2024-05-06T07:08:09.0000000Z",
        "lastUpdateTime": "2024-05-06T07:08:09.0000000Z",
        "mediaType": AMD.media_type,
        "architecture": "amd64",
        "os": "linux",
        "configMediaType": OCI_CONFIG,
        "tags": ["latest", "v1"],
        "changeableAttributes": OPEN,
    }
    around = {"registry": "localhost:5000", "imageName": "app"}
    assert answer.json() == {**around, "manifest": manifest}
    assert (await app.http.get("/acr/v1/app/_manifests")).json() == {**around, "manifests": [manifest]}


async def test_a_docker_image_tells_its_own_types(app: Repository) -> None:
    image = a_docker_image()
    await app.push(image)
    manifest = await told(app, image.digest)
    assert (manifest["mediaType"], manifest["configMediaType"]) == (image.media_type, DOCKER_CONFIG)
    assert manifest.keys().isdisjoint({"tags", "artifactType", "subject", "references", "lastPulledTime"})


async def test_an_index_tells_its_children_and_the_size_of_them_all(app: Repository) -> None:
    for image in (AMD, ARM):
        await app.push(image)
    index = an_index([AMD, ARM])
    await app.put(index, "multi")
    manifest = await told(app, index.digest)
    assert manifest["references"] == [
        {"digest": AMD.digest, "architecture": "amd64", "os": "linux"},
        {"digest": ARM.digest, "architecture": "arm64", "os": "linux"},
    ]
    parts = [len(blob) for image in (AMD, ARM) for blob in image.blobs.values()]
    assert manifest["imageSize"] == len(index.body) + sum(parts)
    assert manifest.keys().isdisjoint({"architecture", "os", "configMediaType"})
    rows = (await app.http.get("/acr/v1/app/_manifests")).json()["manifests"]
    assert [row["digest"] for row in rows if "references" in row] == []


async def test_an_artifact_tells_its_type_and_subject(app: Repository) -> None:
    await app.push(AMD)
    artifact = an_artifact("application/vnd.example.sbom", subject=AMD.descriptor())
    await app.push(artifact)
    manifest = await told(app, artifact.digest)
    assert (manifest["artifactType"], manifest["subject"]) == ("application/vnd.example.sbom", AMD.digest)
    assert manifest.keys().isdisjoint({"architecture", "os", "configMediaType", "tags"})


async def test_a_manifest_tells_when_it_was_pulled_last(registry: Registry, clock: FakeClock) -> None:
    app = registry.repository("app")
    await app.push(AMD, "v1")
    clock.advance(minutes=1)
    await app.manifest("v1")
    # What the worker does every half minute.
    await registry.app._flush_pulls()
    assert (await told(app, AMD.digest))["lastPulledTime"] == "2024-05-06T07:09:09.0000000Z"


async def test_the_last_tag_of_a_manifest_is_told_until_it_goes(app: Repository, clock: FakeClock) -> None:
    await app.push(AMD, "v1")
    clock.advance(seconds=1)
    await app.put(AMD, "v2")
    assert (await told(app, AMD.digest))["lastUpdateTime"] == "2024-05-06T07:08:10.0000000Z"
    for tag, left in (("v1", ["v2"]), ("v2", None)):
        await app.http.delete(f"/acr/v1/app/_tags/{tag}")
        assert (await told(app, AMD.digest)).get("tags") == left


@pytest.fixture
async def filled(app: Repository, clock: FakeClock) -> Repository:
    """In the reverse order of their digests, a second between them."""
    for image in reversed(MANY):
        await app.push(image)
        clock.advance(seconds=1)
    return app


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize(
    ("orderby", "expected"), [("", MANY), ("timeasc", MANY[::-1]), ("timedesc", MANY)], ids=["digest", "asc", "desc"]
)
async def test_manifests_come_in_pages_in_each_order(filled: Repository, orderby: str, expected, size: int) -> None:
    found: list[str] = []
    target: str | None = f"/acr/v1/app/_manifests?n={size}&orderby={orderby}"
    while target is not None:
        answer = await filled.http.get(target)
        found += [row["digest"] for row in answer.json()["manifests"]]
        target = next_page(answer)
    assert found == [image.digest for image in expected]


async def test_a_link_escapes_the_digest_that_it_goes_on_after(filled: Repository) -> None:
    answer = await filled.http.get("/acr/v1/app/_manifests?n=2")
    digest = MANY[1].digest.replace(":", "%3A")
    assert answer["link"] == f'</acr/v1/app/_manifests?last={digest}&n=2&orderby=>; rel="next"'


async def test_a_list_by_time_goes_on_after_a_digest_alone(filled: Repository) -> None:
    answer = await filled.http.get(f"/acr/v1/app/_manifests?orderby=timedesc&last={MANY[2].digest}")
    assert [row["digest"] for row in answer.json()["manifests"]] == [image.digest for image in MANY[3:]]
    answer = await filled.http.get(f"/acr/v1/app/_manifests?orderby=timedesc&last=sha256:{'0' * 64}")
    assert answer.status == 400


async def test_a_manifest_that_is_not_to_be_listed_is_told_of_who_asks_for_it(app: Repository) -> None:
    await app.push(AMD, "v1")
    signature = an_artifact(subject=AMD.descriptor())
    await app.push(signature)
    assert len(await app.referrers(AMD.digest)) == 1
    path = f"/acr/v1/app/_manifests/{signature.digest}"
    assert (await app.http.patch(path, b'{"listEnabled":false}')).status == 200
    for orderby in ("", "timeasc", "timedesc"):
        rows = (await app.http.get(f"/acr/v1/app/_manifests?orderby={orderby}")).json()["manifests"]
        assert [row["digest"] for row in rows] == [AMD.digest]
    assert await app.referrers(AMD.digest) == []
    assert (await told(app, signature.digest))["changeableAttributes"] == {**OPEN, "listEnabled": False}
    assert (await app.manifest(signature.digest)).body == signature.body


async def test_a_manifest_that_is_not_there_is_unknown(app: Repository) -> None:
    await app.push(AMD)
    path = f"/acr/v1/app/_manifests/{ARM.digest}"
    for answer in (await app.http.get(path), await app.http.patch(path, b'{"readEnabled":false}')):
        assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")
    assert (await app.http.get("/acr/v1/app/_manifests/latest")).code == "DIGEST_INVALID"
