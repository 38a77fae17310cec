"""crane: pushing layouts, copying with mounts, indexes, listing, deleting. SSL_CERT_FILE tells it of the CA."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.e2e.clients import Shell
from tests.e2e.layouts import DOCKER_MANIFEST_LIST, OCI_INDEX, Layout, tar_of, unique
from tests.services import Registry

Crane = Callable[..., str]


@pytest.fixture
def crane(trusting: Shell, server: Registry) -> Crane:
    login = ["crane", "auth", "login", server.login_server, "--username", server.user, "--password-stdin"]
    trusting.run(*login, stdin=server.password)
    return lambda *words: trusting.run("crane", *words)


def test_an_image_goes_there_and_back_byte_for_byte(crane: Crane, layout: Layout, image: str, tmp_path: Path) -> None:
    pushed = layout.tagged("v1", layout.image())
    crane("push", layout.folder, f"{image}:v1")
    assert crane("digest", f"{image}:v1").strip() == pushed.digest
    assert crane("manifest", f"{image}:v1").encode() == layout.read(pushed.digest)
    crane("pull", "--format=oci", f"{image}@{pushed.digest}", tmp_path / "back")
    blobs = {blob.name: blob.read_bytes() for blob in (tmp_path / "back" / "blobs" / "sha256").iterdir()}
    assert blobs == {blob.name: blob.read_bytes() for blob in (layout.folder / "blobs" / "sha256").iterdir()}


def test_what_is_stored_is_well_formed(crane: Crane, layout: Layout, image: str) -> None:
    layout.tagged("v1", layout.runnable())
    crane("push", layout.folder, f"{image}:v1")
    assert "PASS" in crane("validate", "--remote", f"{image}:v1")


def test_config_blob_and_files_of_an_image_can_be_read(
    crane: Crane, layout: Layout, image: str, tmp_path: Path
) -> None:
    layer = layout.layer({"etc/motd": b"welcome\n"})
    layout.tagged("v1", layout.image(layer))
    crane("push", layout.folder, f"{image}:v1")
    assert json.loads(crane("config", f"{image}:v1"))["architecture"] == "amd64"
    crane("export", f"{image}:v1", tmp_path / "files.tar")
    assert b"welcome\n" in (tmp_path / "files.tar").read_bytes()


def test_a_copy_keeps_the_digest_and_mounts_the_layers(
    crane: Crane, trusting: Shell, layout: Layout, image: str
) -> None:
    layout.tagged("v1", layout.multi_platform())
    crane("push", layout.folder, f"{image}:v1")
    said = trusting.heard("crane", "--verbose", "copy", f"{image}:v1", f"{image}-copy:v1")
    assert "mounted blob" in said
    assert "pushed blob" not in said
    assert crane("digest", f"{image}-copy:v1") == crane("digest", f"{image}:v1")


def test_tags_are_added_and_listed_in_order(crane: Crane, layout: Layout, image: str) -> None:
    layout.tagged("v1", layout.image())
    crane("push", layout.folder, f"{image}:v1")
    for tag in ("v10", "V2", "latest"):
        crane("tag", f"{image}:v1", tag)
    assert crane("ls", image).split() == ["V2", "latest", "v1", "v10"]


def test_the_catalog_lists_repositories(
    crane: Crane, layout: Layout, server: Registry, image: str, repository: str
) -> None:
    layout.tagged("v1", layout.image())
    for name in (f"{image}/b", f"{image}/a"):
        crane("push", layout.folder, f"{name}:v1")
    listed = crane("catalog", server.login_server).split()
    assert [name for name in listed if name.startswith(repository)] == [f"{repository}/a", f"{repository}/b"]


def test_delete_by_digest_takes_the_manifest_away(crane: Crane, trusting: Shell, layout: Layout, image: str) -> None:
    pushed = layout.tagged("v1", layout.image())
    crane("push", layout.folder, f"{image}:v1")
    crane("delete", f"{image}@{pushed.digest}")
    assert "MANIFEST_UNKNOWN" in trusting.refused("crane", "manifest", f"{image}:v1")


def test_delete_by_tag_leaves_the_manifest(crane: Crane, layout: Layout, image: str) -> None:
    pushed = layout.tagged("v1", layout.image())
    crane("push", layout.folder, f"{image}:v1")
    crane("tag", f"{image}:v1", "v2")
    crane("delete", f"{image}:v1")
    assert crane("ls", image).split() == ["v2"]
    assert crane("digest", f"{image}@{pushed.digest}").strip() == pushed.digest


@pytest.mark.parametrize("flags", [[], ["--docker-empty-base"]], ids=["oci", "docker"])
def test_an_index_is_put_together_in_the_registry(
    crane: Crane, layout: Layout, image: str, repository: str, http: httpx.Client, flags: list[str], tmp_path: Path
) -> None:
    digests = []
    for architecture in ("amd64", "arm64"):
        single = Layout(tmp_path / architecture)
        digests.append(single.tagged("v1", single.image(architecture=architecture)).digest)
        crane("push", single.folder, f"{image}:{architecture}")
    sources = [f"--manifest={image}:{architecture}" for architecture in ("amd64", "arm64")]
    crane("index", "append", *flags, *sources, f"--tag={image}:both")
    stored = http.get(f"/v2/{repository}/manifests/both")
    assert stored.headers["content-type"] == (DOCKER_MANIFEST_LIST if flags else OCI_INDEX)
    assert [child["digest"] for child in stored.json()["manifests"]] == digests


def test_a_layer_is_appended_and_the_image_stays_well_formed(
    crane: Crane, trusting: Shell, layout: Layout, image: str
) -> None:
    layout.tagged("v1", layout.image())
    crane("push", layout.folder, f"{image}:v1")
    (trusting.folder / "more.tar").write_bytes(tar_of({"more": unique()}))
    crane("append", f"--base={image}:v1", "--new_layer=more.tar", f"--new_tag={image}:v2")
    crane("mutate", f"{image}:v2", "--label=org.example=yes", f"--tag={image}:v3")
    assert json.loads(crane("config", f"{image}:v3"))["config"]["Labels"] == {"org.example": "yes"}
    assert "PASS" in crane("validate", "--remote", f"{image}:v3")


def test_a_wrong_password_is_refused(trusting: Shell, server: Registry, image: str) -> None:
    login = ["crane", "auth", "login", server.login_server, "--username", server.user, "--password-stdin"]
    trusting.run(*login, stdin="wrong")  # crane only writes it down
    assert "UNAUTHORIZED" in trusting.refused("crane", "ls", image).upper()
