import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.content import (
    FOREIGN_LAYER,
    OCI_CONFIG,
    OCI_LAYER,
    a_docker_image,
    an_artifact,
    an_image,
    an_index,
    describe,
    digest_of,
    json_of,
)
from tests.examples import examples

from entrepot.errors import Kind, Problem
from entrepot.oci.manifest import Manifest, ReferenceKind, parse_manifest
from entrepot.oci.media_type import ARTIFACTS, DOCKER_LIST, DOCKER_MANIFEST, IMAGES, INDEXES, OCI_INDEX, OCI_MANIFEST

KINDS = {Kind.MANIFEST_INVALID, Kind.MANIFEST_TOO_LARGE, Kind.DIGEST_INVALID}

TYPES = st.sampled_from([*sorted(IMAGES | INDEXES | ARTIFACTS), "application/json", "x/y", "", "nonsense"])
# Values as they come and values that nearly fit, so that some examples get far.
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from([digest_of(b"a"), digest_of(b"b", "sha512"), OCI_LAYER, OCI_CONFIG, OCI_INDEX, "e30=", "\ud800"])
)
KEYS = st.sampled_from(
    [
        *("schemaVersion", "mediaType", "config", "layers", "manifests", "blobs", "subject", "artifactType"),
        *(
            "annotations",
            "digest",
            "size",
            "urls",
            "data",
            "platform",
            "fsLayers",
            "Config",
            "layer\u017f",
            "extra",
            "",
        ),
    ]
) | st.text(max_size=5)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8), max_leaves=30
)
DESCRIPTORS = st.fixed_dictionaries(
    {
        "mediaType": st.sampled_from([OCI_LAYER, OCI_CONFIG, FOREIGN_LAYER, OCI_MANIFEST]),
        "digest": st.binary(max_size=2).map(digest_of),
        "size": st.integers(0, 100),
    },
    optional={"annotations": JSON, "urls": JSON, "data": JSON, "platform": JSON, "extra": JSON},
)
DOCUMENTS = st.fixed_dictionaries(
    {"schemaVersion": st.just(2)},
    optional={
        "mediaType": TYPES | JSON,
        "config": DESCRIPTORS | JSON,
        "layers": st.lists(DESCRIPTORS, max_size=4) | JSON,
        "manifests": st.lists(DESCRIPTORS, max_size=4) | JSON,
        "blobs": st.lists(DESCRIPTORS, max_size=4) | JSON,
        "subject": DESCRIPTORS | JSON,
        "artifactType": JSON,
        "annotations": JSON,
    },
)


def parsed(body: bytes, content_type: str | None) -> Manifest | None:
    """Whatever is sent: a manifest that holds to its promises, or a Problem of a kind that the caller can act on."""
    try:
        manifest = parse_manifest(body, content_type)
    except Problem as problem:
        assert problem.kind in KINDS
        assert all(len(str(value)) < 1000 for value in problem.detail.values())
        return None
    assert manifest.body == body
    # What a database keeps: text that encodes, without NUL, in the columns' length.
    texts = [manifest.media_type, manifest.artifact_type, manifest.config_media_type]
    texts += [reference.media_type for reference in manifest.references]
    for text in texts:
        assert text is None or (len(text) <= 255 and "\0" not in text and text.encode())
    assert json.dumps(manifest.annotations, ensure_ascii=False).encode()
    assert all(0 <= reference.size < 2**63 for reference in manifest.references)
    return manifest


@examples(400)
@given(DOCUMENTS | JSON, TYPES)
@example({"schemaVersion": 2, "config": describe(b"a"), "layers": []}, "")
def test_any_json_is_a_manifest_or_a_problem(document: Any, content_type: str) -> None:  # noqa: ANN401
    parsed(json.dumps(document).encode(), content_type)


@examples(400)
@given(st.binary(max_size=300), TYPES | st.text(st.characters(codec="latin-1"), max_size=30))
@example(b"[" * 100_000, "")
@example(b'{"a":' * 100_000, OCI_MANIFEST)
@example(b"9" * 10_000, OCI_MANIFEST)
@example(b'{"schemaVersion":' + b"9" * 5000 + b"}", OCI_MANIFEST)
@example(b"\xef\xbb\xbf{}", OCI_MANIFEST)
def test_any_bytes_are_a_manifest_or_a_problem(body: bytes, content_type: str) -> None:
    parsed(body, content_type)


@examples(300)
@given(st.data(), st.sampled_from([an_image(), a_docker_image(), an_artifact(), an_index([an_image()])]))
def test_a_manifest_with_a_few_changed_bytes_is_a_manifest_or_a_problem(data: st.DataObject, manifest: Any) -> None:  # noqa: ANN401
    body = bytearray(manifest.body)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(body) - 1))
        body[position : position + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"{", b"}", b'"', b"\\u0000", b"null", b"[", b"1e9", b"-", b","])
        )
    parsed(bytes(body), manifest.media_type)


def test_an_image_names_its_config_then_its_layers() -> None:
    image = an_image(layers=2)
    manifest = parse_manifest(image.body, OCI_MANIFEST)
    assert [reference.kind for reference in manifest.references] == [
        ReferenceKind.CONFIG,
        ReferenceKind.LAYER,
        ReferenceKind.LAYER,
    ]
    assert [str(reference.digest) for reference in manifest.references] == list(image.blobs)
    assert all(reference.required for reference in manifest.references)
    assert manifest.config == manifest.references[0]
    assert not manifest.is_index


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_an_index_names_its_children_and_needs_none_of_them(media_type: str) -> None:
    images = [an_image(1), a_docker_image(2)]
    manifest = parse_manifest(an_index(images, media_type).body, media_type)
    assert [str(reference.digest) for reference in manifest.references] == [image.digest for image in images]
    assert not any(reference.required for reference in manifest.references)
    assert manifest.is_index
    assert manifest.config is None


@pytest.mark.parametrize(
    ("layer", "required"),
    [
        (describe(b"a"), True),
        (describe(b"a", FOREIGN_LAYER), False),
        (describe(b"a", "application/vnd.oci.image.layer.nondistributable.v1.tar"), False),
        (describe(b"a", urls=["https://example.com"]), False),
        (describe(b"a", urls=[]), True),
    ],
)
def test_a_layer_from_elsewhere_is_not_required(layer: dict[str, Any], required: bool) -> None:
    manifest = parse_manifest(an_image().changed(layers=[layer]).body, OCI_MANIFEST)
    assert manifest.references[1].required is required


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (an_image(), OCI_CONFIG),
        (an_image(artifactType="a/b"), "a/b"),
        (an_image(artifactType=""), OCI_CONFIG),
        (an_artifact("a/b"), "a/b"),
        (an_index(), None),
        (an_index(artifactType="a/b"), "a/b"),
        (an_index(artifactType=""), None),
    ],
)
def test_the_artifact_type_is_what_referrers_show(manifest: Any, expected: str | None) -> None:  # noqa: ANN401
    assert parse_manifest(manifest.body, manifest.media_type).artifact_type == expected


@pytest.mark.parametrize("make", [an_image, an_index])
def test_a_subject_is_known(make) -> None:
    subject = an_image("subject")
    manifest = make(subject=subject.descriptor())
    assert str(parse_manifest(manifest.body, None).subject) == subject.digest
    assert parse_manifest(make().body, None).subject is None


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (None, OCI_MANIFEST),
        ("", OCI_MANIFEST),
        ("application/json", OCI_MANIFEST),
        (OCI_MANIFEST.upper(), OCI_MANIFEST),
        (f"  {OCI_MANIFEST} ; charset=utf-8", OCI_MANIFEST),
    ],
)
def test_header_and_field_agree_on_one_type(content_type: str | None, expected: str) -> None:
    assert parse_manifest(an_image().body, content_type).media_type == expected


def test_a_body_without_a_field_takes_the_header_s_type() -> None:
    bare = an_image().changed(mediaType=None)
    assert parse_manifest(bare.body, DOCKER_MANIFEST).media_type == DOCKER_MANIFEST
    assert parse_manifest(bare.body, None).media_type == OCI_MANIFEST


def test_a_refusal_says_why() -> None:
    with pytest.raises(Problem) as refusal:
        parse_manifest(json_of({"schemaVersion": 2, "layers": []}), OCI_MANIFEST)
    assert "config" in str(refusal.value.detail["reason"])
