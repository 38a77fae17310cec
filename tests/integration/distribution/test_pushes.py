"""Spec: OCI distribution-spec, "Pushing Manifests"; image-spec manifest.md, image-index.md."""

import pytest
from tests.content import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    FOREIGN_LAYER,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Manifest,
    a_docker_image,
    an_artifact,
    an_image,
    an_index,
    describe,
    digest_of,
    json_of,
)
from tests.registry import Registry, Repository

MIB = 1024 * 1024


async def test_a_manifest_pushed_by_tag_is_pullable_where_the_answer_says(app: Repository) -> None:
    image = an_image()
    await app.push(image)
    answer = await app.put(image, "v1")
    assert (answer.status, answer["docker-content-digest"]) == (201, image.digest)
    assert answer["location"] == f"/v2/app/manifests/{image.digest}"
    assert (await app.http.get(answer["location"])).body == image.body


async def test_a_manifest_pushed_by_digest_has_no_tag(app: Repository) -> None:
    image = an_image()
    await app.push(image)
    assert await app.tags() == []
    assert (await app.manifest(image.digest)).body == image.body


async def test_several_tags_may_come_with_one_push(app: Repository) -> None:
    image = an_image()
    await app.push(image)
    tags = [f"v1.{number}" for number in range(12)]
    answer = await app.put(image, image.digest, *tags)
    told = [tag.strip() for line in answer.every("oci-tag") for tag in line.split(",")]
    assert sorted(told) == sorted(tags)
    assert await app.tags() == sorted(tags)


async def test_tags_in_the_query_join_the_tag_in_the_path(app: Repository) -> None:
    image = an_image()
    await app.push(image)
    await app.put(image, "v1", "latest", "v1", "latest")
    assert await app.tags() == ["latest", "v1"]


async def test_too_many_tags_are_refused_and_none_is_set(app: Repository) -> None:
    image = an_image()
    await app.push(image)
    answer = await app.put(image, image.digest, *(f"v{number}" for number in range(101)))
    assert (answer.status, answer.code) == (414, "TAG_INVALID")
    assert await app.tags() == []


async def test_one_bad_tag_refuses_the_whole_push(app: Repository) -> None:
    image = an_image()
    await app.push(image)
    answer = await app.put(image, image.digest, "good", "-bad")
    assert (answer.status, answer.code) == (400, "TAG_INVALID")
    assert await app.tags() == []


async def test_a_tag_moves_to_what_was_pushed_last(app: Repository) -> None:
    old, new = an_image("old"), an_image("new")
    await app.push(old, "v1")
    await app.push(new, "v1")
    assert (await app.manifest("v1")).body == new.body
    assert (await app.manifest(old.digest)).body == old.body


async def test_a_tag_remembers_the_algorithm_it_was_pushed_by(app: Repository) -> None:
    image = an_image()
    await app.push(image)
    digest = digest_of(image.body, "sha512")
    answer = await app.put(image, digest, "v1")
    assert answer["docker-content-digest"] == digest
    assert (await app.manifest("v1"))["docker-content-digest"] == digest
    assert (await app.manifest(digest)).body == image.body


async def test_a_manifest_under_another_s_digest_is_refused(app: Repository) -> None:
    image = an_image()
    await app.push(image)
    answer = await app.put(image, digest_of(b"something else"))
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert (await app.manifest(digest_of(b"something else"))).status == 404


async def test_a_push_twice_is_the_same_push(app: Repository) -> None:
    image = an_image()
    assert [(await app.push(image, "v1")).status for _ in range(3)] == [201, 201, 201]
    assert await app.tags() == ["v1"]


@pytest.mark.parametrize("make", [an_image, a_docker_image, an_artifact], ids=["oci", "docker", "artifact"])
async def test_each_kind_of_image_is_kept_as_it_is(app: Repository, make) -> None:
    image: Manifest = make()
    await app.push(image, "v1")
    answer = await app.manifest("v1")
    assert (answer.body, answer["content-type"]) == (image.body, image.media_type)


# --- bytes and types --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spaces", [b"  ", b"\n", b"\r\n\t "])
async def test_a_body_keeps_every_byte(app: Repository, spaces: bytes) -> None:
    image = an_image()
    await app.push(image)
    odd = Manifest(spaces + image.body.replace(b",", b" ,\n") + spaces, OCI_MANIFEST)
    await app.put(odd, "v1")
    assert (await app.manifest(odd.digest)).body == odd.body


@pytest.mark.parametrize(
    "media_type", ["application/vnd.example.thing.v7+json", "application/vnd.acme.rocket+yaml", "x/y"]
)
async def test_an_unknown_type_is_kept_byte_for_byte(app: Repository, media_type: str) -> None:
    body = b'{ "whatever" : [1, 2.50, null], "mediaType":"' + media_type.encode() + b'"}\n'
    manifest = Manifest(body, media_type)
    assert (await app.put(manifest, "v1")).status == 201
    answer = await app.manifest("v1")
    assert (answer.body, answer["content-type"]) == (body, media_type)


async def test_an_unknown_type_keeps_the_blobs_that_it_seems_to_name(app: Repository) -> None:
    digest = await app.push_blob(b"named")
    body = json_of({"blobs": [describe(b"named", "text/plain")]})
    await app.put(Manifest(body, "application/vnd.example.thing.v7+json"), "v1")
    assert (await app.http.delete(app.path(f"blobs/{digest}"))).status == 405


@pytest.mark.parametrize("parameters", ["; charset=utf-8", ";charset=UTF-8; profile=x"])
async def test_parameters_of_the_content_type_are_ignored(app: Repository, parameters: str) -> None:
    image = an_image()
    await app.push(image)
    await app.put(image, "v1", headers={"content-type": OCI_MANIFEST + parameters})
    assert (await app.manifest("v1"))["content-type"] == OCI_MANIFEST


@pytest.mark.parametrize("content_type", ["application/json", "application/octet-stream"])
async def test_a_client_that_does_not_know_the_type_may_leave_it_to_the_body(
    app: Repository, content_type: str
) -> None:
    image = an_image()
    await app.push(image)
    await app.put(image, "v1", headers={"content-type": content_type})
    assert (await app.manifest("v1"))["content-type"] == OCI_MANIFEST


@pytest.mark.parametrize(("make", "expected"), [(an_image, OCI_MANIFEST), (an_index, OCI_INDEX)])
async def test_a_body_without_any_type_is_known_by_its_shape(app: Repository, make, expected: str) -> None:
    manifest: Manifest = make()
    for content in manifest.blobs.values():
        await app.push_blob(content)
    await app.put(manifest.changed(mediaType=None), "v1", headers={"content-type": ""})
    assert (await app.manifest("v1"))["content-type"] == expected


@pytest.mark.parametrize("kind", ["v1+json", "v1+prettyjws"])
async def test_docker_schema_1_is_refused_with_what_to_do(app: Repository, kind: str) -> None:
    body = json_of({"schemaVersion": 1, "name": "app", "tag": "v1", "fsLayers": [], "history": []})
    answer = await app.put(Manifest(body, f"application/vnd.docker.distribution.manifest.{kind}"), "v1")
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    assert "schema 1" in answer.detail["reason"]


async def test_a_manifest_of_four_mebibytes_is_taken(app: Repository) -> None:
    image = an_image()
    await app.push(image)
    large = _padded(image, 4 * MIB)
    assert (await app.put(large, "v1")).status == 201
    assert (await app.manifest("v1")).body == large.body


@pytest.mark.parametrize("streamed", [False, True], ids=["with Content-Length", "without"])
async def test_a_larger_manifest_is_refused(app: Repository, streamed: bool) -> None:
    image = an_image()
    await app.push(image)
    large = _padded(image, 4 * MIB + 1)
    body = iter([large.body]) if streamed else large.body
    answer = await app.http.put(app.path("manifests/v1"), body, {"content-type": OCI_MANIFEST})
    assert (answer.status, answer.code) == (413, "MANIFEST_INVALID")
    assert await _has_no_tags(app)


def _padded(image: Manifest, length: int) -> Manifest:
    shorter = len(image.changed(annotations={"padding": ""}).body)
    padded = image.changed(annotations={"padding": "x" * (length - shorter)})
    assert len(padded.body) == length
    return padded


async def _has_no_tags(app: Repository) -> bool:
    return await app.tags() == []


# --- what must be there -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("absent", ["config", "layers"])
async def test_an_image_whose_blobs_were_not_pushed_is_refused(app: Repository, absent: str) -> None:
    image = an_image(layers=1)
    named = image.document[absent] if absent == "config" else image.document[absent][0]
    for digest, content in image.blobs.items():
        if digest != named["digest"]:
            await app.push_blob(content)
    answer = await app.put(image, "v1")
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert answer.detail["digest"] == named["digest"]
    assert (await app.manifest(image.digest)).status == 404


async def test_a_blob_of_another_repository_is_as_good_as_absent(app: Repository, registry: Registry) -> None:
    image = an_image()
    await registry.repository("other").push(image)
    assert (await app.put(image, "v1")).code == "MANIFEST_BLOB_UNKNOWN"


async def test_where_sparse_manifests_are_accepted_an_image_may_lack_a_layer(start_registry) -> None:
    registry = await start_registry(sparse_manifests=True)
    app = registry.repository("app")
    image = an_image(layers=2)
    present = list(image.blobs.values())[:-1]
    for content in present:
        await app.push_blob(content)
    assert (await app.put(image, "v1")).status == 201
    assert (await app.manifest("v1")).body == image.body


async def test_a_descriptor_with_another_size_than_its_blob_is_refused(app: Repository) -> None:
    image = an_image(layers=1)
    await app.push(image)
    document = image.document
    document["layers"][0]["size"] += 1
    answer = await app.put(Manifest(json_of(document), OCI_MANIFEST), "v1")
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize("first", ["right", "wrong"])
async def test_a_layer_named_twice_must_have_its_size_both_times(app: Repository, first: str) -> None:
    image = an_image(layers=1)
    await app.push(image)
    right = image.document["layers"][0]
    wrong = {**right, "size": right["size"] + 1}
    layers = [right, wrong] if first == "right" else [wrong, right]
    answer = await app.put(image.changed(layers=layers), "v1")
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize("order", [1, -1], ids=["layer first", "foreign first"])
async def test_a_layer_named_twice_is_needed_when_it_is_needed_once(app: Repository, order: int) -> None:
    image = an_image(layers=0)
    await app.push(image)
    absent = describe(b"absent", OCI_LAYER)
    foreign = describe(b"absent", FOREIGN_LAYER, urls=["https://example.com/layer"])
    answer = await app.put(image.changed(layers=[absent, foreign][::order]), "v1")
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")


@pytest.mark.parametrize(
    "layer",
    [
        describe(b"far", FOREIGN_LAYER, urls=["https://example.com/far"]),
        describe(b"far", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
        describe(b"far", OCI_LAYER, urls=["https://example.com/far"]),
    ],
    ids=["docker foreign", "nondistributable", "with urls"],
)
async def test_a_foreign_layer_need_not_be_pushed(app: Repository, layer: dict[str, object]) -> None:
    image = an_image(layers=1)
    await app.push(image)
    windows = image.changed(layers=[layer, *image.document["layers"]])
    assert (await app.put(windows, "v1")).status == 201
    assert (await app.blob(digest_of(b"far"))).status == 404


async def test_the_empty_descriptor_is_a_blob_as_any_other(app: Repository) -> None:
    artifact = an_artifact().changed(layers=[describe(b"{}", OCI_EMPTY)])
    assert (await app.put(artifact, "v1")).code == "MANIFEST_BLOB_UNKNOWN"
    await app.push_blob(b"{}")
    assert (await app.put(artifact, "v1")).status == 201


async def test_an_image_without_layers_is_an_image(app: Repository) -> None:
    await app.push(an_image(layers=0), "v1")
    assert (await app.manifest("v1")).status == 200


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
async def test_an_index_may_be_sparse_and_empty(app: Repository, media_type: str) -> None:
    assert (await app.put(an_index([], media_type), "empty")).status == 201
    assert (await app.put(an_index([an_image()], media_type), "sparse")).status == 201


async def test_indexes_may_be_nested(app: Repository) -> None:
    image = an_image()
    await app.push(image)
    inner = an_index([image])
    await app.push(inner)
    outer = an_index([inner, image])
    await app.push(outer, "v1")
    assert (await app.manifest("v1")).body == outer.body


async def test_an_index_may_name_its_children_by_sha512(app: Repository) -> None:
    image = an_image()
    await app.push(image)
    digest = digest_of(image.body, "sha512")
    await app.put(image, digest)
    index = an_index([]).changed(manifests=[{**image.descriptor(), "digest": digest}])
    assert (await app.put(index, "v1")).status == 201


async def test_unknown_fields_are_kept(app: Repository) -> None:
    image = an_image(extension={"deep": [{"er": 1}]})
    await app.push(image, "v1")
    assert (await app.manifest("v1")).json()["extension"] == {"deep": [{"er": 1}]}


async def test_embedded_content_that_is_right_is_taken(app: Repository) -> None:
    image = an_image(layers=0)
    await app.push(image)
    config = {**image.document["config"], "data": "e30="}
    embedded = image.changed(config={**config, "digest": digest_of(b"{}"), "size": 2, "mediaType": OCI_EMPTY})
    await app.push_blob(b"{}")
    assert (await app.put(embedded, "v1")).status == 201


async def test_a_deprecated_artifact_manifest_is_kept_with_a_warning(app: Repository) -> None:
    media_type = "application/vnd.oci.artifact.manifest.v1+json"
    digest = await app.push_blob(b"sbom")
    body = json_of({"mediaType": media_type, "artifactType": "x/y", "blobs": [describe(b"sbom", "text/spdx")]})
    answer = await app.put(Manifest(body, media_type), "v1")
    assert answer["warning"].startswith("299 - ")
    assert (await app.manifest("v1")).body == body
    assert (await app.http.delete(app.path(f"blobs/{digest}"))).status == 405


@pytest.mark.parametrize("media_type", [DOCKER_MANIFEST, OCI_MANIFEST])
async def test_an_image_pushed_as_the_other_kind_is_refused(app: Repository, media_type: str) -> None:
    image = a_docker_image() if media_type == OCI_MANIFEST else an_image()
    for content in image.blobs.values():
        await app.push_blob(content)
    answer = await app.put(image, "v1", headers={"content-type": media_type})
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
