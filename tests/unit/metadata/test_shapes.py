"""The JSON of ACR-REFERENCE 3.2, byte for byte where ACR's is known."""

import json
from datetime import UTC, datetime

import pytest

from entrepot.catalog.properties.model import (
    Attributes,
    ManifestProperties,
    RepositoryProperties,
    TagProperties,
)
from entrepot.metadata import shapes

CREATED = datetime(2018, 9, 6, 6, 17, 20, 953124, tzinfo=UTC)
UPDATED = datetime(2018, 9, 7, 16, 30, 46, tzinfo=UTC)
OPEN = Attributes(delete_enabled=True, write_enabled=True, read_enabled=True, list_enabled=True)
OPEN_JSON = {"deleteEnabled": True, "writeEnabled": True, "readEnabled": True, "listEnabled": True}
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
PLAIN = ManifestProperties(
    attributes=OPEN,
    id=7,
    digest="sha256:aa",
    media_type="application/vnd.docker.distribution.manifest.v2+json",
    image_size=2401606,
    created_at=CREATED,
    updated_at=UPDATED,
    last_pulled_at=None,
    architecture="amd64",
    os="linux",
    config_media_type="application/vnd.docker.container.image.v1+json",
    artifact_type="application/vnd.docker.container.image.v1+json",
    subject=None,
)


def written(known: ManifestProperties) -> dict[str, object]:
    return json.loads(shapes.answer(shapes.manifest(known)).body)


def test_a_repository_is_told_as_acr_tells_it() -> None:
    known = RepositoryProperties(OPEN, CREATED, UPDATED, manifest_count=2, tag_count=3)
    answer = shapes.answer(shapes.repository("r.example", "team/app", known))
    assert answer.body == (
        b'{"registry":"r.example","imageName":"team/app","createdTime":"2018-09-06T06:17:20.9531240Z",'
        b'"lastUpdateTime":"2018-09-07T16:30:46.0000000Z","manifestCount":2,"tagCount":3,"changeableAttributes":'
        b'{"deleteEnabled":true,"writeEnabled":true,"readEnabled":true,"listEnabled":true}}\n'
    )
    assert dict(answer.headers)[b"content-type"] == b"application/json; charset=utf-8"


def test_a_tag_is_told_as_acr_tells_it() -> None:
    known = TagProperties(OPEN._replace(write_enabled=False), "v1", "sha256:aa", CREATED, UPDATED)
    assert json.loads(shapes.answer(shapes.tag(known)).body) == {
        "name": "v1",
        "digest": "sha256:aa",
        "createdTime": "2018-09-06T06:17:20.9531240Z",
        "lastUpdateTime": "2018-09-07T16:30:46.0000000Z",
        "signed": False,
        "changeableAttributes": {**OPEN_JSON, "writeEnabled": False},
    }


def test_an_image_without_tags_has_no_member_for_them() -> None:
    assert written(PLAIN) == {
        "digest": "sha256:aa",
        "imageSize": 2401606,
        "createdTime": "2018-09-06T06:17:20.9531240Z",
        "lastUpdateTime": "2018-09-07T16:30:46.0000000Z",
        "mediaType": PLAIN.media_type,
        "architecture": "amd64",
        "os": "linux",
        "configMediaType": PLAIN.config_media_type,
        "changeableAttributes": OPEN_JSON,
    }


def test_an_image_is_told_with_its_tags_and_its_last_pull() -> None:
    known = written(PLAIN._replace(tags=("latest", "v1"), last_pulled_at=UPDATED))
    assert (known["tags"], known["lastPulledTime"]) == (["latest", "v1"], "2018-09-07T16:30:46.0000000Z")


def test_an_artifact_is_told_with_its_type_and_its_subject() -> None:
    known = written(
        PLAIN._replace(
            architecture=None,
            os=None,
            config_media_type="application/vnd.oci.empty.v1+json",
            artifact_type="application/vnd.example.sbom",
            subject="sha256:bb",
        )
    )
    assert (known["artifactType"], known["subject"]) == ("application/vnd.example.sbom", "sha256:bb")
    assert known.keys().isdisjoint({"architecture", "os", "configMediaType"})


@pytest.mark.parametrize(
    ("platform", "told"),
    [
        ({"architecture": "arm64", "os": "linux", "variant": "v8"}, {"architecture": "arm64", "os": "linux"}),
        ({"architecture": "arm64"}, {"architecture": "arm64"}),
        ({"architecture": "", "os": ""}, {}),
        ({"architecture": 7, "os": None}, {}),
        ([], {}),
        ("linux/amd64", {}),
        (None, {}),
    ],
    ids=repr,
)
def test_a_child_is_told_with_what_the_index_says_of_its_platform(platform: object, told: dict[str, str]) -> None:
    body = json.dumps({"manifests": [{"digest": "sha256:cc", "platform": platform}, {"digest": "sha256:dd"}]}).encode()
    index = PLAIN._replace(media_type=OCI_INDEX, body=body)
    assert written(index)["references"] == [{"digest": "sha256:cc", **told}, {"digest": "sha256:dd"}]


def test_what_a_deletion_did_not_find_is_null() -> None:
    assert shapes.answer(shapes.DeletedRepository(("sha256:aa",), None), status=202).body == (
        b'{"manifestsDeleted":["sha256:aa"],"tagsDeleted":null}\n'
    )
