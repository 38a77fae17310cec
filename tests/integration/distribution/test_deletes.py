"""Spec: OCI distribution-spec, "Content Management"."""

import pytest
from tests.content import an_artifact, an_image, an_index, digest_of
from tests.registry import Registry, Repository


async def test_a_deleted_tag_leaves_the_manifest_pullable_by_digest(app: Repository) -> None:
    image = an_image()
    await app.push(image, "v1", "v2")
    assert (await app.http.delete(app.path("manifests/v1"))).status == 202
    assert (await app.manifest("v1")).status == 404
    assert (await app.manifest("v2")).body == image.body
    assert (await app.http.delete(app.path("manifests/v2"))).status == 202
    assert (await app.manifest(image.digest)).body == image.body


async def test_a_deleted_manifest_goes_with_all_its_tags(app: Repository) -> None:
    image, other = an_image(), an_image("other")
    await app.push(image, "v1", "v2")
    await app.push(other, "v3")
    assert (await app.http.delete(app.path(f"manifests/{image.digest}"))).status == 202
    for reference in ("v1", "v2", image.digest):
        assert (await app.manifest(reference)).status == 404
    assert await app.tags() == ["v3"]


async def test_what_was_deleted_can_be_pushed_again(app: Repository) -> None:
    image = an_image()
    for _ in range(3):
        await app.push(image, "v1")
        assert (await app.manifest("v1")).body == image.body
        await app.http.delete(app.path(f"manifests/{image.digest}"))
        assert (await app.manifest("v1")).status == 404


@pytest.mark.parametrize("reference", ["v2", digest_of(b"absent")])
@pytest.mark.parametrize("name", ["app", "nowhere"])
async def test_what_is_not_here_cannot_be_deleted(registry: Registry, name: str, reference: str) -> None:
    await registry.repository("app").push(an_image(), "v1")
    repository = registry.repository(name)
    answer = await repository.http.delete(repository.path(f"manifests/{reference}"))
    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")


async def test_a_manifest_is_deleted_once(app: Repository) -> None:
    image = an_image()
    await app.push(image, "v1")
    target = app.path(f"manifests/{image.digest}")
    assert [(await app.http.delete(target)).status for _ in range(2)] == [202, 404]


@pytest.mark.parametrize("make", [an_image, an_artifact])
async def test_a_blob_that_a_manifest_needs_cannot_be_deleted(app: Repository, make) -> None:
    image = make()
    await app.push(image, "v1")
    for digest in image.blobs:
        answer = await app.http.delete(app.path(f"blobs/{digest}"))
        assert (answer.status, answer.code, answer.detail["digest"]) == (405, "REGISTRY_DISALLOWED_OPERATION", digest)
        assert (await app.blob(digest)).status == 200


async def test_a_blob_can_be_deleted_when_its_last_manifest_is_gone(app: Repository) -> None:
    first, shared = an_image("first"), an_image("first").changed(annotations={"twin": "yes"})
    await app.push(first)
    await app.push(shared)
    layer = first.document["layers"][0]["digest"]
    for manifest, expected in ((first, 405), (shared, 202)):
        await app.http.delete(app.path(f"manifests/{manifest.digest}"))
        assert (await app.http.delete(app.path(f"blobs/{layer}"))).status == expected


async def test_a_manifest_that_keeps_a_blob_keeps_it_in_its_own_repository_only(
    app: Repository, registry: Registry
) -> None:
    image = an_image()
    await registry.repository("other").push(image)
    layer = await app.push_blob(next(iter(image.blobs.values())))
    assert (await app.http.delete(app.path(f"blobs/{layer}"))).status == 202


async def test_a_child_may_go_before_its_index(app: Repository) -> None:
    """The specification leaves it open; what is left is a sparse index."""
    image = an_image()
    await app.push(image)
    index = an_index([image])
    await app.push(index, "v1")
    assert (await app.http.delete(app.path(f"manifests/{image.digest}"))).status == 202
    assert (await app.manifest("v1")).body == index.body


async def test_a_subject_may_go_before_its_referrers(app: Repository) -> None:
    image = an_image()
    await app.push(image)
    sbom = an_artifact(subject=image.descriptor())
    await app.push(sbom)
    await app.http.delete(app.path(f"manifests/{image.digest}"))
    assert (await app.manifest(sbom.digest)).body == sbom.body
    assert len(await app.referrers(image.digest)) == 1


async def test_the_same_bytes_under_another_algorithm_are_another_manifest(app: Repository) -> None:
    image = an_image()
    await app.push(image, "v1")
    wide = digest_of(image.body, "sha512")
    await app.put(image, wide, "v2")
    await app.http.delete(app.path(f"manifests/{image.digest}"))
    assert (await app.manifest("v2"))["docker-content-digest"] == wide
    assert (await app.manifest("v1")).status == 404
