"""skopeo: whole indexes byte for byte, formats, listing, deleting, syncing. It is told of the CA by a folder."""

import json
from pathlib import Path

import httpx
import pytest
from tests.e2e.clients import Shell, Skopeo, skopeo_for
from tests.e2e.layouts import DOCKER_MANIFEST, Layout, sha256
from tests.services import Registry


@pytest.fixture
def skopeo(shell: Shell, server: Registry, certificates: Path) -> Skopeo:
    return skopeo_for(shell, server, certificates)


def test_a_multi_platform_index_goes_there_and_back_byte_for_byte(
    skopeo: Skopeo, layout: Layout, image: str, repository: str, http: httpx.Client, tmp_path: Path
) -> None:
    index = layout.tagged("v1", layout.multi_platform())
    skopeo("copy", "--all", "--preserve-digests", f"oci:{layout.folder}:v1", f"docker://{image}:v1")
    stored = http.get(f"/v2/{repository}/manifests/v1")
    assert (stored.headers["docker-content-digest"], stored.content) == (index.digest, layout.read(index.digest))
    skopeo("copy", "--all", "--preserve-digests", f"docker://{image}@{index.digest}", f"oci:{tmp_path}/back:v1")
    assert blobs_in(tmp_path / "back") == blobs_in(layout.folder)


def test_one_platform_of_an_index_is_pulled_alone(skopeo: Skopeo, layout: Layout, image: str, tmp_path: Path) -> None:
    layout.tagged("v1", layout.multi_platform())
    skopeo("copy", "--all", f"oci:{layout.folder}:v1", f"docker://{image}:v1")
    skopeo("copy", "--override-arch=s390x", f"docker://{image}:v1", f"dir:{tmp_path}/back")
    manifest = json.loads((tmp_path / "back" / "manifest.json").read_bytes())
    config = json.loads((tmp_path / "back" / manifest["config"]["digest"].removeprefix("sha256:")).read_bytes())
    assert config["architecture"] == "s390x"


def test_inspect_tells_digest_tags_and_layers(skopeo: Skopeo, layout: Layout, image: str) -> None:
    pushed = layout.tagged("v1", layout.image())
    for tag in ("v1", "v2", "latest"):
        skopeo("copy", f"oci:{layout.folder}:v1", f"docker://{image}:{tag}")
    told = json.loads(skopeo("inspect", f"docker://{image}:v2"))
    layers = json.loads(layout.read(pushed.digest))["layers"]
    assert told["Digest"] == pushed.digest
    assert told["RepoTags"] == ["latest", "v1", "v2"]
    assert told["Layers"] == [layer["digest"] for layer in layers]


def test_raw_inspect_gives_the_bytes_that_were_pushed(skopeo: Skopeo, layout: Layout, image: str) -> None:
    pushed = layout.tagged("v1", layout.image(annotations={"org.example.note": "é, kept byte for byte"}))
    skopeo("copy", "--preserve-digests", f"oci:{layout.folder}:v1", f"docker://{image}:v1")
    assert skopeo("inspect", "--raw", f"docker://{image}:v1").encode() == layout.read(pushed.digest)


def test_list_tags_lists_in_order(skopeo: Skopeo, layout: Layout, image: str) -> None:
    layout.tagged("v1", layout.image())
    for tag in ("b", "A", "a.1", "_z"):
        skopeo("copy", f"oci:{layout.folder}:v1", f"docker://{image}:{tag}")
    assert json.loads(skopeo("list-tags", f"docker://{image}"))["Tags"] == ["A", "_z", "a.1", "b"]


def test_delete_takes_the_manifest_and_its_tags_away(
    skopeo: Skopeo, layout: Layout, image: str, repository: str, http: httpx.Client
) -> None:
    pushed = layout.tagged("v1", layout.image())
    skopeo("copy", f"oci:{layout.folder}:v1", f"docker://{image}:v1")
    skopeo("delete", f"docker://{image}:v1")
    for reference in ("v1", pushed.digest):
        assert http.get(f"/v2/{repository}/manifests/{reference}").status_code == 404


def test_a_docker_schema_2_image_keeps_its_media_type(
    skopeo: Skopeo, layout: Layout, image: str, repository: str, http: httpx.Client
) -> None:
    layout.tagged("v1", layout.image())
    skopeo("copy", "--format=v2s2", f"oci:{layout.folder}:v1", f"docker://{image}:v1")
    stored = http.get(f"/v2/{repository}/manifests/v1")
    assert stored.headers["content-type"] == stored.json()["mediaType"] == DOCKER_MANIFEST
    assert stored.headers["docker-content-digest"] == sha256(stored.content)


def test_a_schema_1_push_is_refused_with_a_reason(
    skopeo: Skopeo, shell: Shell, layout: Layout, image: str, certificates: Path
) -> None:
    layout.tagged("v1", layout.image())
    copy = ["skopeo", "copy", f"--dest-cert-dir={certificates}", "--format=v2s1"]
    said = shell.refused(*copy, f"oci:{layout.folder}:v1", f"docker://{image}:v1")
    assert "schema" in said.lower()


def test_a_copy_between_repositories_mounts_the_layers(
    skopeo: Skopeo, shell: Shell, layout: Layout, image: str, certificates: Path
) -> None:
    layout.tagged("v1", layout.image())
    skopeo("copy", f"oci:{layout.folder}:v1", f"docker://{image}:v1")
    trust = [f"--src-cert-dir={certificates}", f"--dest-cert-dir={certificates}"]
    said = shell.heard("skopeo", "--debug", "copy", *trust, f"docker://{image}:v1", f"docker://{image}-copy:v1")
    assert "mount ok" in said.lower()
    assert said.count("PATCH https") <= 1  # the configuration, which skopeo does not mount


def test_sync_mirrors_a_repository_into_a_folder_and_into_another_repository(
    skopeo: Skopeo, layout: Layout, image: str, tmp_path: Path
) -> None:
    layout.tagged("v1", layout.image())
    for tag in ("v1", "v2"):
        skopeo("copy", f"oci:{layout.folder}:v1", f"docker://{image}:{tag}")
    skopeo("sync", "--all", "--src=docker", "--dest=dir", image, str(tmp_path / "mirror"))
    name = image.rpartition("/")[2]
    assert {folder.name for folder in (tmp_path / "mirror").iterdir()} == {f"{name}:v1", f"{name}:v2"}
    skopeo("sync", "--all", "--src=docker", "--dest=docker", image, f"{image}-mirror")
    tags = json.loads(skopeo("list-tags", f"docker://{image}-mirror/{name}"))["Tags"]
    assert tags == ["v1", "v2"]


def test_a_wrong_password_is_refused(shell: Shell, server: Registry, certificates: Path) -> None:
    login = ["skopeo", "login", f"--cert-dir={certificates}", f"--username={server.user}", "--password-stdin"]
    assert "invalid username/password" in shell.refused(*login, server.login_server, stdin="wrong")


def test_without_the_ca_the_server_is_not_trusted(shell: Shell, server: Registry) -> None:
    login = ["skopeo", "login", f"--username={server.user}", "--password-stdin", server.login_server]
    assert "certificate signed by unknown authority" in shell.refused(*login, stdin=server.password)


def blobs_in(layout: Path) -> dict[str, bytes]:
    return {blob.name: blob.read_bytes() for blob in (layout / "blobs" / "sha256").iterdir()}
