"""What az does to undo: both policies, lists of what was deleted, restore."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from tests.content import an_image
from tests.e2e.az.cli import Az
from tests.e2e.clients import http_of
from tests.faults.plain import Repository
from tests.services import Registry

pytestmark = pytest.mark.timeout(600)

IMAGE, OTHER = an_image("one"), an_image("two")
OF = ("--registry", "local")


@pytest.fixture
def name(az: Az, server: Registry) -> Iterator[str]:
    """A repository of a registry that keeps what is deleted: two images, one tag each."""
    name = f"undo/{uuid4().hex[:8]}"
    update = ("acr", "config", "soft-delete", "update", *OF)
    set_to = az.json(*update, "--status", "enabled", "--days", "30", "--yes")
    assert (set_to["status"], set_to["retentionDays"]) == ("enabled", 30)
    with http_of(server) as http:
        for tag, image in (("v1", IMAGE), ("v2", OTHER)):
            assert Repository(http, name).push(image, tag).status_code == 201
    yield name
    az.run(*update, "--status", "disabled", "--yes")


def test_manifests_tags_and_repositories_are_deleted_listed_and_restored(az: Az, server: Registry, name: str) -> None:
    here = (*OF, "--name", name)
    az.run("acr", "repository", "delete", "--name", "local", "--image", f"{name}:v1", "--yes")
    az.run("acr", "repository", "untag", "--name", "local", "--image", f"{name}:v2")
    manifests, tags = az.at_once(
        ("acr", "manifest", "list-deleted", *here), ("acr", "manifest", "list-deleted-tags", *here)
    )
    assert [found["digest"] for found in manifests] == [IMAGE.digest]
    assert manifests[0].keys() >= {"createdAt", "deletedAt", "expiresAfter"}
    assert [(found["tag"], found["digest"]) for found in tags] == [("v1", IMAGE.digest), ("v2", OTHER.digest)]
    az.run("acr", "manifest", "restore", *OF, "--name", f"{name}:v1", "--yes")
    az.run("acr", "manifest", "restore", *OF, "--name", f"{name}:v2", "--digest", OTHER.digest, "--yes")
    shown = ("acr", "repository", "show-tags", "--name", "local", "--repository", name)
    assert az.json(*shown) == ["v1", "v2"]
    with http_of(server) as http:
        found = http.get(f"/v2/{name}/manifests/v1", headers={"accept": IMAGE.media_type})
        assert found.content == IMAGE.body
        assert [http.get(f"/v2/{name}/blobs/{blob}").content for blob in IMAGE.blobs] == list(IMAGE.blobs.values())
        az.run("acr", "repository", "delete", "--name", "local", "--repository", name, "--yes")
        told = az.json("acr", "repository", "list-deleted", "--name", "local")
        assert name in {row["repository"] for row in told}
        assert Repository(http, name).push(OTHER, "v1").status_code == 201
    restore = ("acr", "manifest", "restore", *OF, "--name", f"{name}:v1", "--digest", IMAGE.digest, "--yes")
    assert "use force to replace it" in az.refused(*restore)
    az.run(*restore, "--force")
    az.run("acr", "manifest", "restore", *OF, "--name", f"{name}:v2", "--yes")
    assert az.json(*shown) == ["v1", "v2"]
    digest = az.json("acr", "repository", "show", "--name", "local", "--image", f"{name}:v1")["digest"]
    assert digest == IMAGE.digest


def test_retention_of_untagged_manifests_is_set_beside_soft_delete(az: Az, name: str) -> None:
    update = ("acr", "config", "retention", "update", *OF, "--type", "UntaggedManifests")
    assert az.json(*update, "--status", "enabled", "--days", "30")["status"] == "enabled"
    shown, kept = az.at_once(("acr", "config", "retention", "show", *OF), ("acr", "config", "soft-delete", "show", *OF))
    assert (shown["status"], shown["days"], kept["status"]) == ("enabled", 30, "enabled")
    az.run(*update, "--status", "disabled")
    assert name
