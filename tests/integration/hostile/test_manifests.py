"""Bodies that two clients would read differently, or that cost more than they weigh (MARKET 5b, 16 to 19)."""

import time
from typing import Any

import pytest
from tests.content import (
    DOCKER_MANIFEST,
    FOREIGN_LAYER,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Document,
    Manifest,
    an_artifact,
    an_image,
    an_index,
    describe,
    digest_of,
    json_of,
)
from tests.integration.rows import bytes_used, events_of
from tests.registry import Registry, Repository
from tests.wire import Answer

IMAGE = an_image()
BODY = IMAGE.body
CONFIG = IMAGE.document["config"]
LAYERS = IMAGE.document["layers"]


@pytest.fixture
async def filled(app: Repository) -> Repository:
    """A repository with the blobs of IMAGE, so that only the manifest can be wrong."""
    for content in IMAGE.blobs.values():
        await app.push_blob(content)
    await app.push_blob(b"{}")
    return app


async def put(repository: Repository, body: bytes, content_type: str = OCI_MANIFEST) -> Answer:
    return await repository.http.put(repository.path("manifests/v1"), body, {"content-type": content_type})


async def assert_refused(repository: Repository, body: bytes, content_type: str = OCI_MANIFEST) -> None:
    """Clearly, at once, and without a trace."""
    started = time.perf_counter()
    answer = await put(repository, body, content_type)
    assert time.perf_counter() - started < 5
    assert (answer.status, answer.code) in {
        (400, "MANIFEST_INVALID"),
        (400, "DIGEST_INVALID"),
        (413, "MANIFEST_INVALID"),
    }, answer.body[:300]
    assert len(answer.body) < 4096
    assert (await repository.manifest("v1")).status == 404
    assert (await repository.manifest(digest_of(body))).status == 404


def image(**fields: Any) -> bytes:  # noqa: ANN401  any JSON value
    return json_of({**IMAGE.document, **fields})


def with_layer(**fields: Any) -> bytes:  # noqa: ANN401  any JSON value
    return image(layers=[{**LAYERS[0], **fields}])


# --- what kind of manifest is this? -----------------------------------------------------------------------------------

AMBIGUOUS = {
    "layers and manifests": (image(manifests=[]), OCI_MANIFEST),
    "layers and manifests, null": (image(manifests=None), OCI_MANIFEST),
    "layers and manifests, as an index": (image(manifests=[], mediaType=OCI_INDEX), OCI_INDEX),
    "config and manifests": (json_of({"schemaVersion": 2, "config": CONFIG, "manifests": []}), OCI_INDEX),
    "layers and fsLayers": (image(fsLayers=[]), OCI_MANIFEST),
    "layers and blobs": (image(blobs=[]), OCI_MANIFEST),
    "no type, both shapes": (image(mediaType=None, manifests=[]).replace(b'"mediaType":null,', b""), ""),
    "mediaType of an index, Content-Type of an image": (image(mediaType=OCI_INDEX), OCI_MANIFEST),
    "mediaType of docker, Content-Type of OCI": (image(mediaType=DOCKER_MANIFEST), OCI_MANIFEST),
    "Content-Type of an index": (BODY, OCI_INDEX),
    "an index as an image": (an_index().body, OCI_MANIFEST),
    "mediaType not text": (image(mediaType=5), OCI_MANIFEST),
    "mediaType a list": (image(mediaType=[OCI_MANIFEST]), OCI_MANIFEST),
    "mediaType no type": (image(mediaType="nonsense"), ""),
    "Content-Type no type": (BODY, "nonsense"),
    "Content-Type with a NUL": (BODY, "application/x\0y"),
    "Content-Type too long": (BODY.replace(OCI_MANIFEST.encode(), b"x/y", 1), "a/" + "b" * 300),
    "no type and no shape": (b"{}", ""),
    "schemaVersion 1 as an image": (image(schemaVersion=1), OCI_MANIFEST),
    "schemaVersion missing": (BODY.replace(b'"schemaVersion":2,', b""), OCI_MANIFEST),
    "schemaVersion text": (image(schemaVersion="2"), OCI_MANIFEST),
    "schemaVersion 2.0": (BODY.replace(b'"schemaVersion":2', b'"schemaVersion":2.0'), OCI_MANIFEST),
    "schemaVersion true": (image(schemaVersion=True), OCI_MANIFEST),
}


@pytest.mark.parametrize(("body", "content_type"), AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_a_body_of_two_kinds_is_refused(filled: Repository, body: bytes, content_type: str) -> None:
    """CVE-2021-41190."""
    await assert_refused(filled, body, content_type)


# --- is this JSON, and the same JSON for everybody? -------------------------------------------------------------------

BROKEN = {
    "empty": b"",
    "space": b" ",
    "null": b"null",
    "list": b"[]",
    "text": b'"x"',
    "number": b"5",
    "half": BODY[:-1],
    "trailing brace": BODY + b"}",
    "trailing document": BODY + BODY,
    "trailing NUL": BODY + b"\0",
    "leading NUL": b"\0" + BODY,
    "byte order mark": b"\xef\xbb\xbf" + BODY,
    "UTF-16": BODY.decode().encode("utf-16"),
    "UTF-32": BODY.decode().encode("utf-32"),
    "not UTF-8": BODY.replace(b'"schemaVersion"', b'"\xff":1,"schemaVersion"'),
    "overlong UTF-8": BODY.replace(b'"schemaVersion"', b'"\xc0\xaf":1,"schemaVersion"'),
    "surrogate bytes": BODY.replace(b'"schemaVersion"', b'"\xed\xa0\x80":1,"schemaVersion"'),
    "comment": BODY.replace(b"{", b"{/* */", 1),
    "trailing comma": BODY[:-1] + b",}",
    "single quotes": BODY.replace(b'"', b"'"),
    "NaN": image(annotations=None).replace(b"null", b"NaN"),
    "Infinity": image(extra=None).replace(b"null", b"-Infinity"),
    "raw control character": image(extra="@").replace(b"@", b"\n"),
    "duplicate key": BODY.replace(b'"schemaVersion":2', b'"schemaVersion":2,"schemaVersion":2'),
    "duplicate layers": BODY.replace(b'"layers"', b'"layers":[],"layers"'),
    "duplicate by escape": BODY.replace(b'"schemaVersion":2', b'"schemaVersion":2,"schema\\u0056ersion":2'),
    "duplicate in a descriptor": BODY.replace(b'"size"', b'"size":1,"size"', 1),
    "duplicate in an extension": image(extra=1).replace(b'"extra":1', b'"extra":{"a":1,"a":2}'),
    "deep list": image(extra="@").replace(b'"@"', b"[" * 100_000 + b"]" * 100_000),
    "deep list without end": b"[" * 1_000_000,
    "deep object": image(extra="@").replace(b'"@"', b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "deep annotations": image(annotations="@").replace(b'"@"', b'{"a":' * 100_000 + b'"x"' + b"}" * 100_000),
    "deep config": image(config="@").replace(b'"@"', b"[" * 100_000 + b"]" * 100_000),
    "huge number": image(extra="@").replace(b'"@"', b"9" * 1_000_000),
    "huge size": with_layer(size="@").replace(b'"@"', b"9" * 1_000_000),
    "over 4 MiB": image(extra="x" * (4 * 1024 * 1024)),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_a_body_that_is_not_one_clear_json_object_is_refused(filled: Repository, body: bytes) -> None:
    await assert_refused(filled, body)


def besides(key: str, look_alike: str) -> bytes:
    """The image with one more key. As text: Python itself reads a long s in a keyword as an s."""
    return BODY.replace(f'"{key}":'.encode(), f'"{look_alike}":[],"{key}":'.encode(), 1)


LOOK_ALIKES = {
    "Manifests": image(Manifests=[]),
    "LAYERS": image(LAYERS=[]),
    "Config": image(Config=CONFIG),
    "mediatype": image(mediatype=OCI_INDEX),
    "Subject": image(Subject=IMAGE.descriptor()),
    "SCHEMAVERSION": image(SCHEMAVERSION=1),
    "only Layers": BODY.replace(b'"layers"', b'"Layers"'),
    "long s in manifests": besides("config", "manife\u017fts"),
    "long s in layers": besides("layers", "layer\u017f"),
    "Digest in a descriptor": with_layer(Digest=digest_of(b"other")),
    "SIZE in a descriptor": with_layer(SIZE=1),
    "URLs in a descriptor": with_layer(Urls=["https://evil.example"]),
    "MediaType in the config": image(config={**CONFIG, "MediaType": OCI_INDEX}),
    "long s in a descriptor's size": besides("size", "\u017fize"),
    "Digest in the subject": image(subject={**IMAGE.descriptor(), "Digest": digest_of(b"other")}),
}


@pytest.mark.parametrize("body", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
async def test_a_key_that_go_takes_for_another_is_refused(filled: Repository, body: bytes) -> None:
    """Go's JSON reads keys in any case, and folds U+017F to s; other languages do not."""
    await assert_refused(filled, body)


async def test_a_child_of_an_index_has_no_look_alikes_either(filled: Repository) -> None:
    document = an_index([IMAGE]).document
    document["manifests"][0]["Digest"] = digest_of(b"other")
    await assert_refused(filled, json_of(document), OCI_INDEX)


# --- descriptors ------------------------------------------------------------------------------------------------------

DESCRIPTORS = {
    "negative size": {"size": -1},
    "size 2**63": {"size": 2**63},
    "size 2**64": {"size": 2**64},
    "size 10**100": {"size": 10**100},
    "fractional size": {"size": 64.5},
    "whole float size": {"size": 64.0},
    "size text": {"size": "64"},
    "size true": {"size": True},
    "size null": {"size": None},
    "size a list": {"size": [64]},
    "size of another blob": {"size": 65},
    "digest null": {"digest": None},
    "digest a number": {"digest": 5},
    "digest empty": {"digest": ""},
    "digest traversal": {"digest": "sha256:../../../etc/passwd"},
    "digest upper case": {"digest": LAYERS[0]["digest"].upper()},
    "digest upper hex": {"digest": "sha256:" + LAYERS[0]["digest"][7:].upper()},
    "digest unknown": {"digest": "md5:" + "0" * 32},
    "digest with a newline": {"digest": LAYERS[0]["digest"] + "\n"},
    "mediaType null": {"mediaType": None},
    "mediaType empty": {"mediaType": ""},
    "mediaType a list": {"mediaType": []},
    "mediaType too long": {"mediaType": "a/" + "b" * 300},
    "mediaType with a NUL": {"mediaType": "a/b\0"},
    "mediaType with a surrogate": {"mediaType": "a/\ud800"},
    "urls text": {"urls": "https://example.com"},
    "urls of numbers": {"urls": [1]},
    "annotations a list": {"annotations": ["a"]},
    "annotations of numbers": {"annotations": {"a": 1}},
    "data that is no base64": {"data": "!!!!"},
    "data of other bytes": {"data": "e30="},
    "data a list": {"data": []},
}


@pytest.mark.parametrize("fields", DESCRIPTORS.values(), ids=DESCRIPTORS)
async def test_a_layer_that_is_no_descriptor_is_refused(filled: Repository, fields: Document) -> None:
    await assert_refused(filled, with_layer(**fields))


# A subject or a child may be absent, so its size is not compared.
OF_WHAT_MAY_BE_ABSENT = DESCRIPTORS.keys() - {"size of another blob"}


@pytest.mark.parametrize("name", sorted(OF_WHAT_MAY_BE_ABSENT))
async def test_a_subject_that_is_no_descriptor_is_refused(filled: Repository, name: str) -> None:
    await assert_refused(filled, image(subject={**IMAGE.descriptor(), **DESCRIPTORS[name]}))


@pytest.mark.parametrize("name", sorted(OF_WHAT_MAY_BE_ABSENT))
async def test_a_child_that_is_no_descriptor_is_refused(filled: Repository, name: str) -> None:
    document = an_index([], manifests=[{**LAYERS[0], **DESCRIPTORS[name]}]).document
    await assert_refused(filled, json_of(document), OCI_INDEX)


SHAPES = {
    "layers null": {"layers": None},
    "layers an object": {"layers": {}},
    "layers of nulls": {"layers": [None]},
    "layers of text": {"layers": [LAYERS[0]["digest"]]},
    "config null": {"config": None},
    "config a list": {"config": [CONFIG]},
    "config text": {"config": CONFIG["digest"]},
    "subject a list": {"subject": []},
    "subject text": {"subject": LAYERS[0]["digest"]},
    "artifactType a number": {"artifactType": 5},
    "artifactType with a NUL": {"artifactType": "a/b\0"},
    "artifactType with a surrogate": {"artifactType": "a/\ud800"},
    "artifactType too long": {"artifactType": "a/" + "b" * 300},
    "annotations a list": {"annotations": []},
    "annotations nested": {"annotations": {"a": {"b": "c"}}},
    "annotations null value": {"annotations": {"a": None}},
    "annotations with a surrogate": {"annotations": {"a": "\ud800"}},
    "annotation key with a surrogate": {"annotations": {"\udfff": "a"}},
}


@pytest.mark.parametrize("fields", SHAPES.values(), ids=SHAPES)
async def test_a_field_of_another_shape_is_refused(filled: Repository, fields: Document) -> None:
    await assert_refused(filled, image(**fields))


@pytest.mark.parametrize("text", ["\0", "\u202e", "\ufffe", "\U0001f4e6", "é" * 10_000, "'; DROP TABLE manifest; --"])
async def test_an_annotation_may_hold_any_text_and_comes_back_as_it_was(filled: Repository, text: str) -> None:
    subject = digest_of(b"a subject")
    body = image(annotations={text: text}, subject=describe(b"a subject", OCI_MANIFEST))
    assert (await put(filled, body)).status == 201
    (found,) = await filled.referrers(subject)
    assert found["annotations"] == {text: text}
    assert (await filled.manifest("v1")).body == body


@pytest.mark.parametrize(
    "config",
    [
        b'{"architecture":"amd\\u000064","os":"li\\u0000nux"}',
        b'{"architecture":"\\ud800","os":"linux"}',
        b'{"architecture":5,"os":["linux"]}',
        b'{"architecture":"' + b"x" * 100_000 + b'"}',
        b"[" * 100_000,
        b"\xff\xfe",
        b"",
        b"null",
        b'{"architecture":"amd64","architecture":"arm64"}',
    ],
    ids=lambda config: repr(config)[:32],
)
async def test_an_odd_config_is_no_reason_to_refuse_and_none_to_fail(filled: Repository, config: bytes) -> None:
    """It is a blob as any other; what it says about the platform is only noted."""
    await filled.push_blob(config)
    assert (await put(filled, image(config=describe(config, OCI_CONFIG)))).status == 201


async def test_sizes_that_add_up_beyond_64_bits_are_refused_or_kept(filled: Repository) -> None:
    most = 2**63 - 1
    layers = [describe(str(number).encode(), FOREIGN_LAYER) | {"size": most} for number in range(3)]
    body = image(layers=layers)
    answer = await put(filled, body)
    assert answer.status in {201, 400}
    if answer.status == 201:
        assert (await filled.manifest("v1")).body == body
        index = an_index([], manifests=[{"mediaType": OCI_MANIFEST, "digest": digest_of(body), "size": len(body)}] * 3)
        assert (await filled.put(index, "all")).status in {201, 400}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["layers", "children"])
async def test_ten_thousand_references_are_taken_and_one_more_is_not(filled: Repository, kind: str) -> None:
    def body(count: int) -> bytes:
        if kind == "layers":
            return image(layers=[describe(b"%d" % number, FOREIGN_LAYER) for number in range(count)])
        return json_of(an_index([], manifests=[describe(b"%d" % n, OCI_MANIFEST) for n in range(count)]).document)

    content_type = OCI_MANIFEST if kind == "layers" else OCI_INDEX
    most = 10_000 if kind == "children" else 9_999  # the config is a reference too
    await assert_refused(filled, body(most + 1), content_type)
    assert (await put(filled, body(most), content_type)).status == 201


async def test_a_hundred_thousand_references_are_refused_at_once(filled: Repository) -> None:
    small = b'{"mediaType":"a/b","digest":"sha256:' + b"0" * 64 + b'","size":0}'
    unknown = b'{"layers":[' + b",".join([small] * 30_000) + b"]}"
    await assert_refused(filled, unknown, "application/vnd.example.thing.v7+json")
    await assert_refused(filled, b'{"layers":[' + b",".join([b"1"] * 1_500_000) + b"]}")


# --- graphs -----------------------------------------------------------------------------------------------------------


async def test_indexes_nested_deeper_than_the_limit_are_refused(app: Repository) -> None:
    """From the leaves up, as a client pushes."""
    child: Manifest = an_index()
    statuses: list[int] = []
    for _ in range(50):
        statuses.append((await app.put(child)).status)
        child = an_index([child])
    assert statuses[:5] == [201] * 5
    assert 400 in statuses[:20]
    assert set(statuses) == {201, 400}


async def test_an_index_pushed_before_its_children_is_no_way_around_the_limit(app: Repository) -> None:
    """From the top down: every child is absent when its parent comes."""
    chain: list[Manifest] = [an_index()]
    for _ in range(50):
        chain.append(an_index([chain[-1]]))
    started = time.perf_counter()
    statuses = [(await app.put(index)).status for index in reversed(chain)]
    assert 400 in statuses, "51 levels of indexes were accepted"
    assert time.perf_counter() - started < 30


async def test_a_manifest_may_name_itself_nowhere_because_nobody_can_know_its_digest(filled: Repository) -> None:
    """What comes nearest: the same digest as config, layer, subject and child of one graph."""
    await filled.push_blob(BODY)
    self_like = image(config=describe(BODY, OCI_CONFIG), layers=[describe(BODY)], subject=IMAGE.descriptor())
    assert (await put(filled, self_like)).status == 201
    assert (await filled.put(IMAGE, "v2")).status == 201
    assert (await filled.http.delete(filled.path(f"blobs/{digest_of(BODY)}"))).status == 405
    assert (await filled.http.delete(filled.path("manifests/v2"))).status == 202


async def test_a_subject_that_is_missing_for_ever_does_no_harm(filled: Repository) -> None:
    lost = describe(b"lost", OCI_MANIFEST)
    await put(filled, image(subject=lost))
    assert len(await filled.referrers(lost["digest"])) == 1
    assert (await filled.http.delete(filled.path("manifests/v1"))).status == 202


# --- what must not be done with a manifest ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "http://127.0.0.1:5000/",
        "gopher://x",
        "",
        "\0",
    ],
)
async def test_a_url_in_a_layer_is_kept_and_never_fetched(
    filled: Repository, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the registry opened a connection of its own")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    body = image(layers=[describe(b"far away", FOREIGN_LAYER, urls=[url])])
    assert (await put(filled, body)).status == 201
    assert (await filled.manifest("v1")).body == body
    assert (await filled.blob(digest_of(b"far away"))).status == 404


@pytest.mark.parametrize("second", [DOCKER_MANIFEST, "application/vnd.example.thing.v7+json"])
async def test_the_same_bytes_under_two_types_are_refused(filled: Repository, second: str) -> None:
    body = BODY.replace(b'"mediaType":"' + OCI_MANIFEST.encode() + b'",', b"", 1)
    assert (await put(filled, body)).status == 201
    answer = await put(filled, body, second)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    assert (await filled.manifest("v1"))["content-type"] == OCI_MANIFEST


async def test_a_refused_manifest_changes_nothing(filled: Repository, registry: Registry) -> None:
    before = registry.query(bytes_used)
    for body in (b"{", image(schemaVersion=1), with_layer(size=1), image(layers=[describe(b"absent", OCI_LAYER)])):
        assert (await put(filled, body)).status == 400
    assert registry.query(bytes_used) == before
    assert list(registry.query(lambda tx: events_of(tx, "app"))) == []


@pytest.mark.parametrize("artifact_type", [OCI_EMPTY, "x" * 255, "'; --", "\u202e/x", "a/b;c=d"])
async def test_an_odd_artifact_type_is_refused_or_found_again(filled: Repository, artifact_type: str) -> None:
    artifact = an_artifact(artifact_type, subject=IMAGE.descriptor())
    for content in artifact.blobs.values():
        await filled.push_blob(content)
    if (await filled.put(artifact)).status == 201:
        (found,) = await filled.referrers(IMAGE.digest)
        assert found["artifactType"] == artifact_type
