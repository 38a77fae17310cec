"""Spec: OCI distribution-spec, "Pulling manifests", "Checking if content exists"."""

import pytest
from tests.content import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Manifest,
    a_docker_image,
    an_image,
    an_index,
    digest_of,
    json_of,
)
from tests.registry import Registry, Repository


async def test_an_image_is_pulled_as_it_was_pushed(app: Repository) -> None:
    image = an_image(layers=3)
    await app.push(image, "v1")
    for reference in ("v1", image.digest):
        answer = await app.manifest(reference)
        assert (answer.status, answer.body) == (200, image.body)
        assert (answer["content-type"], answer["docker-content-digest"]) == (OCI_MANIFEST, image.digest)
        assert answer["content-length"] == str(len(image.body))
    for digest, content in image.blobs.items():
        assert (await app.blob(digest)).body == content


@pytest.mark.parametrize("reference", ["v1", "digest"])
async def test_head_says_what_get_would_without_the_body(app: Repository, reference: str) -> None:
    image = an_image()
    await app.push(image, "v1")
    target = app.path(f"manifests/{image.digest if reference == 'digest' else reference}")
    head, got = await app.http.head(target), await app.http.get(target)
    assert (head.status, head.body) == (200, b"")
    assert _told(head.headers) == _told(got.headers)


@pytest.mark.parametrize("reference", ["v2", digest_of(b"never pushed"), digest_of(b"never pushed", "sha512")])
async def test_a_manifest_that_is_not_here_is_not_found(app: Repository, reference: str) -> None:
    await app.push(an_image(), "v1")
    answer = await app.manifest(reference)
    assert (answer.status, answer.code, answer.detail["reference"]) == (404, "MANIFEST_UNKNOWN", reference)
    assert (await app.http.head(app.path(f"manifests/{reference}"))).status == 404


async def test_a_repository_that_was_never_pushed_to_is_not_found(registry: Registry) -> None:
    answer = await registry.repository("nowhere").manifest("latest")
    assert answer.status == 404


async def test_a_manifest_of_another_repository_is_not_found(app: Repository, registry: Registry) -> None:
    image = an_image()
    await app.push(image, "v1")
    other = registry.repository("other")
    await other.push(an_image("other"), "latest")
    for reference in ("v1", image.digest):
        assert (await other.manifest(reference)).status == 404


async def test_a_digest_may_be_percent_encoded(app: Repository) -> None:
    image = an_image()
    await app.push(image)
    assert (await app.manifest(image.digest.replace(":", "%3A"))).body == image.body


@pytest.mark.parametrize("form", ['"{}"', 'W/"{}"', "{}"])
async def test_who_holds_the_manifest_is_told_so_without_a_body(app: Repository, form: str) -> None:
    image = an_image()
    await app.push(image, "v1")
    etag = (await app.manifest("v1"))["etag"]
    assert etag == f'"{image.digest}"'
    assert (await app.manifest("v1", {"if-none-match": form.format(image.digest)})).status == 304


async def test_who_holds_what_the_tag_named_before_gets_what_it_names_now(app: Repository) -> None:
    old, new = an_image("old"), an_image("new")
    await app.push(old, "v1")
    await app.push(new, "v1")
    assert (await app.manifest("v1", {"if-none-match": f'"{old.digest}"'})).body == new.body


# --- negotiation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", [None, "*/*", OCI_MANIFEST, "text/html", DOCKER_MANIFEST, "nonsense"])
async def test_an_image_is_answered_whatever_the_client_accepts(app: Repository, accept: str | None) -> None:
    """A client that cannot read it says so better than a 404 would."""
    image = an_image()
    await app.push(image, "v1")
    answer = await app.manifest("v1", {} if accept is None else {"accept": accept})
    assert (answer.status, answer["content-type"]) == (200, OCI_MANIFEST)


@pytest.fixture
async def index(app: Repository) -> Manifest:
    """An index of two architectures, tagged v1."""
    images = [an_image(architecture, architecture=architecture) for architecture in ("arm64", "amd64")]
    for image in images:
        await app.push(image)
    index = an_index(images)
    await app.push(index, "v1")
    return index


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        OCI_INDEX,
        f"{OCI_MANIFEST}, {OCI_INDEX};q=0.5",
        (OCI_MANIFEST, OCI_INDEX),
        DOCKER_MANIFEST,
        "application/json",
    ],
    ids=str,
)
async def test_an_index_is_answered_to_whoever_does_not_refuse_it(
    app: Repository, index: Manifest, accept: str | tuple[str, ...] | None
) -> None:
    answer = await app.manifest("v1", {} if accept is None else {"accept": accept})
    assert (answer.body, answer["content-type"]) == (index.body, OCI_INDEX)


async def test_a_client_that_takes_images_only_gets_the_one_for_linux_on_amd64(
    app: Repository, index: Manifest
) -> None:
    answer = await app.manifest("v1", {"accept": OCI_MANIFEST})
    image = an_image("amd64", architecture="amd64")
    assert (answer.body, answer["docker-content-digest"]) == (image.body, image.digest)


async def test_an_index_asked_for_by_digest_is_never_exchanged(app: Repository, index: Manifest) -> None:
    answer = await app.manifest(index.digest, {"accept": OCI_MANIFEST})
    assert answer.body == index.body


async def test_docker_s_manifest_list_is_negotiated_too(app: Repository) -> None:
    image = a_docker_image()
    await app.push(image)
    manifest_list = an_index([image], DOCKER_LIST)
    await app.push(manifest_list, "v1")
    assert (await app.manifest("v1", {"accept": DOCKER_LIST})).body == manifest_list.body
    assert (await app.manifest("v1", {"accept": DOCKER_MANIFEST})).body == image.body


async def test_an_index_whose_image_is_absent_is_answered_itself(app: Repository) -> None:
    index = an_index([an_image()])
    await app.put(index, "v1")
    answer = await app.manifest("v1", {"accept": OCI_MANIFEST})
    assert (answer.status, answer.body) == (200, index.body)


@pytest.mark.parametrize(
    "platform",
    [
        {"os": 5},
        {"architecture": None},
        [],
        "linux/amd64",
        {"os": "linux", "architecture": {"a": "b"}},
        {"os": "\ud800"},
    ],
    ids=repr,
)
async def test_an_index_with_an_odd_platform_is_answered_itself(app: Repository, platform: object) -> None:
    document = an_index([an_image()]).document
    document["manifests"][0]["platform"] = platform
    pushed = await app.put(Manifest(json_of(document), OCI_INDEX), "v1")
    assert pushed.status in {201, 400}
    if pushed.status == 201:
        assert (await app.manifest("v1", {"accept": OCI_MANIFEST})).body == json_of(document)


def _told(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {name: value for name, value in headers if name != "x-request-id"}
