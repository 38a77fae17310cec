"""Spec: OCI distribution-spec, "Listing Referrers", "Pushing Manifests with Subject", "Referrers Tag Schema"."""

from urllib.parse import quote

import pytest
from tests.content import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Manifest,
    an_artifact,
    an_image,
    an_index,
    digest_of,
)
from tests.registry import Registry, Repository, next_page

SBOM = "application/vnd.example.sbom.v1"
SIGNATURE = "application/vnd.example.signature.v1"


@pytest.fixture
async def subject(app: Repository) -> Manifest:
    image = an_image("subject")
    await app.push(image, "v1")
    return image


async def test_what_names_a_subject_is_listed_as_its_referrer(app: Repository, subject: Manifest) -> None:
    sbom = an_artifact(SBOM, subject=subject.descriptor(), annotations={"org.example": "yes", "é": "\u0000 \"' ü"})
    answer = await app.push(sbom)
    assert answer["oci-subject"] == subject.digest
    listed = await app.http.get(app.path(f"referrers/{subject.digest}"))
    assert (listed.status, listed["content-type"]) == (200, OCI_INDEX)
    assert listed.json() == {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [
            {
                "mediaType": OCI_MANIFEST,
                "digest": sbom.digest,
                "size": len(sbom.body),
                "artifactType": SBOM,
                "annotations": {"org.example": "yes", "é": "\u0000 \"' ü"},
            }
        ],
    }


@pytest.mark.parametrize("reference", [None, "sbom"], ids=["by digest", "by tag"])
async def test_the_answer_names_the_subject_however_it_was_pushed(
    app: Repository, subject: Manifest, reference: str | None
) -> None:
    sbom = an_artifact(subject=subject.descriptor())
    await app.push(sbom)
    assert (await app.put(sbom, reference))["oci-subject"] == subject.digest


async def test_an_image_without_artifact_type_is_listed_by_its_config_s_type(
    app: Repository, subject: Manifest
) -> None:
    image = an_image("referrer", subject=subject.descriptor())
    await app.push(image)
    assert [found["artifactType"] for found in await app.referrers(subject.digest)] == [OCI_CONFIG]


async def test_an_index_without_artifact_type_is_listed_without_one(app: Repository, subject: Manifest) -> None:
    index = an_index([], subject=subject.descriptor(), annotations={"a": "b"})
    await app.push(index)
    (found,) = await app.referrers(subject.digest)
    assert "artifactType" not in found
    assert found["annotations"] == {"a": "b"}


async def test_an_index_with_artifact_type_is_listed_with_it(app: Repository, subject: Manifest) -> None:
    await app.push(an_index([], artifactType=SBOM, subject=subject.descriptor()))
    assert [found["artifactType"] for found in await app.referrers(subject.digest)] == [SBOM]


async def test_a_subject_may_come_after_its_referrers(app: Repository) -> None:
    image = an_image("later")
    sbom = an_artifact(subject=image.descriptor())
    answer = await app.push(sbom)
    assert answer["oci-subject"] == image.digest
    assert [found["digest"] for found in await app.referrers(image.digest)] == [sbom.digest]
    await app.push(image)
    assert [found["digest"] for found in await app.referrers(image.digest)] == [sbom.digest]


async def test_a_subject_may_be_named_by_sha512(app: Repository, subject: Manifest) -> None:
    digest = digest_of(subject.body, "sha512")
    sbom = an_artifact(subject={**subject.descriptor(), "digest": digest})
    assert (await app.push(sbom))["oci-subject"] == digest
    assert len(await app.referrers(digest)) == 1
    assert await app.referrers(subject.digest) == []


async def test_a_filter_by_artifact_type_says_that_it_was_applied(app: Repository, subject: Manifest) -> None:
    sbom = an_artifact(SBOM, subject=subject.descriptor())
    for artifact in (sbom, an_artifact(SIGNATURE, subject=subject.descriptor())):
        await app.push(artifact)
    answer = await app.http.get(app.path(f"referrers/{subject.digest}?artifactType={quote(SBOM, safe='')}"))
    assert answer["oci-filters-applied"] == "artifactType"
    assert [found["digest"] for found in answer.json()["manifests"]] == [sbom.digest]
    assert (await app.http.get(app.path(f"referrers/{subject.digest}"))).get("oci-filters-applied") is None


@pytest.mark.parametrize("wanted", ["", "no/such", "%00", "'--", "%C3%A9", "x" * 1000], ids=repr)
async def test_a_filter_that_nothing_meets_has_an_empty_answer(app: Repository, subject: Manifest, wanted: str) -> None:
    await app.push(an_artifact(SBOM, subject=subject.descriptor()))
    answer = await app.http.get(app.path(f"referrers/{subject.digest}?artifactType={wanted}"))
    assert answer.status == 400 or answer.json()["manifests"] == []


@pytest.mark.parametrize("query", ["", f"&artifactType={quote(SBOM, safe='')}"], ids=["all", "filtered"])
async def test_referrers_have_pages(app: Repository, subject: Manifest, query: str) -> None:
    sboms = [an_artifact(SBOM, number, subject=subject.descriptor()) for number in range(7)]
    for sbom in sboms:
        await app.push(sbom)
    found: list[str] = []
    target: str | None = app.path(f"referrers/{subject.digest}?n=3{query}")
    while target is not None:
        answer = await app.http.get(target)
        assert len(answer.json()["manifests"]) <= 3
        assert (answer.get("oci-filters-applied") is not None) == bool(query)
        found += [descriptor["digest"] for descriptor in answer.json()["manifests"]]
        target = next_page(answer)
    assert sorted(found) == sorted(sbom.digest for sbom in sboms)


async def test_a_list_that_no_client_would_read_whole_is_split(app: Repository, subject: Manifest) -> None:
    """Clients read an index of at most 4 MiB; annotations may be as long as a manifest."""
    padding = "x" * 1_500_000
    sboms = [
        an_artifact(SBOM, number, subject=subject.descriptor(), annotations={"padding": padding}) for number in range(4)
    ]
    for sbom in sboms:
        await app.push(sbom)
    found: list[str] = []
    target: str | None = app.path(f"referrers/{subject.digest}")
    while target is not None:
        answer = await app.http.get(target)
        assert len(answer.body) <= 4 * 1024 * 1024
        found += [descriptor["digest"] for descriptor in answer.json()["manifests"]]
        target = next_page(answer)
    assert sorted(found) == sorted(sbom.digest for sbom in sboms)


async def test_what_is_pushed_with_the_tag_scheme_is_listed(app: Repository, subject: Manifest) -> None:
    """A client that does not trust the API pushes an index to the tag sha256-HEX as well; that one is no referrer."""
    sbom = an_artifact(SBOM, subject=subject.descriptor())
    await app.push(sbom)
    index = an_index([], manifests=[sbom.descriptor(artifactType=SBOM)])
    await app.put(index, subject.digest.replace(":", "-"))
    assert [found["digest"] for found in await app.referrers(subject.digest)] == [sbom.digest]


async def test_a_signature_in_the_way_of_cosign_is_a_tag_and_no_referrer(app: Repository, subject: Manifest) -> None:
    signature = an_image("signature")
    tag = subject.digest.replace(":", "-") + ".sig"
    await app.push(signature, tag)
    assert (await app.manifest(tag)).body == signature.body
    assert await app.referrers(subject.digest) == []


async def test_a_deleted_referrer_is_listed_no_more(app: Repository, subject: Manifest) -> None:
    sbom = an_artifact(subject=subject.descriptor())
    await app.push(sbom)
    await app.http.delete(app.path(f"manifests/{sbom.digest}"))
    assert await app.referrers(subject.digest) == []


async def test_referrers_of_one_repository_are_no_other_s(
    app: Repository, subject: Manifest, registry: Registry
) -> None:
    await app.push(an_artifact(subject=subject.descriptor()))
    other = registry.repository("other")
    await other.push(subject)
    assert await other.referrers(subject.digest) == []


@pytest.mark.parametrize("name", ["app", "nowhere"])
async def test_what_has_no_referrers_has_an_empty_list_never_a_404(registry: Registry, name: str) -> None:
    repository = registry.repository(name)
    await registry.repository("app").push(an_image())
    answer = await repository.http.get(repository.path(f"referrers/{digest_of(b'whatever')}"))
    assert (answer.status, answer["content-type"]) == (200, OCI_INDEX)
    assert answer.json() == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


@pytest.mark.parametrize("digest", ["sha256:short", "latest", "sha256:" + "G" * 64, "md5:" + "0" * 32, "%00"])
async def test_referrers_of_no_digest_are_refused(app: Repository, digest: str) -> None:
    answer = await app.http.get(app.path(f"referrers/{digest}"))
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


async def test_referrers_of_a_referrer_make_a_chain(app: Repository, subject: Manifest) -> None:
    link = subject
    for number in range(50):
        following = an_artifact(SIGNATURE, number, subject=link.descriptor())
        await app.push(following)
        assert [found["digest"] for found in await app.referrers(link.digest)] == [following.digest]
        link = following
