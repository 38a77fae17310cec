"""Windows images: the base layer is foreign, named with its URLs and not pushed; others may push it all the same."""

from pathlib import Path

import httpx
import pytest
from tests.e2e.clients import Shell, Skopeo, skopeo_for
from tests.e2e.layouts import (
    DOCKER_CONFIG,
    DOCKER_FOREIGN_LAYER,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    Descriptor,
    Layer,
    Layout,
    unique,
)
from tests.services import Registry

NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
WHERE = ["https://mcr.example.com/v2/windows/nanoserver/blobs/sha256"]


@pytest.fixture
def skopeo(shell: Shell, server: Registry, certificates: Path) -> Skopeo:
    return skopeo_for(shell, server, certificates)


@pytest.fixture
def base(layout: Layout) -> Layer:
    layer = layout.layer({"Files/Windows": unique()}, NONDISTRIBUTABLE)
    return Layer(layer.descriptor.having(urls=WHERE), layer.diff_id)


def test_a_foreign_layer_is_named_with_its_urls_and_not_pushed(
    skopeo: Skopeo, layout: Layout, base: Layer, image: str, repository: str, http: httpx.Client
) -> None:
    pushed = layout.tagged("v1", layout.image(base, layout.layer({"Files/app": unique()})))
    skopeo("copy", "--preserve-digests", f"oci:{layout.folder}:v1", f"docker://{image}:v1")
    stored = http.get(f"/v2/{repository}/manifests/v1")
    assert stored.content == layout.read(pushed.digest)
    foreign, own = stored.json()["layers"]
    assert foreign["urls"] == WHERE
    assert http.head(f"/v2/{repository}/blobs/{foreign['digest']}").status_code == 404
    assert http.head(f"/v2/{repository}/blobs/{own['digest']}").status_code == 200


def test_a_foreign_layer_is_stored_when_a_client_is_told_to_push_it(
    trusting: Shell, server: Registry, layout: Layout, base: Layer, image: str, repository: str, http: httpx.Client
) -> None:
    layout.tagged("v1", layout.image(base))
    login = ["crane", "auth", "login", server.login_server, f"--username={server.user}", "--password-stdin"]
    trusting.run(*login, stdin=server.password)
    trusting.run("crane", "push", "--allow-nondistributable-artifacts", layout.folder, f"{image}:v1")
    stored = http.get(f"/v2/{repository}/blobs/{base.descriptor.digest}")
    assert stored.content == layout.read(base.descriptor.digest)


def test_dockers_own_foreign_layer_type_is_accepted_too(layout: Layout, repository: str, http: httpx.Client) -> None:
    """By hand, because no client on Linux makes one."""
    foreign = Descriptor(DOCKER_FOREIGN_LAYER, "sha256:" + "5" * 64, 1234, {"urls": WHERE})
    own = layout.layer({"Files/app": unique()}, DOCKER_LAYER)
    config = layout.document(DOCKER_CONFIG, {"architecture": "amd64", "os": "windows", "os.version": "10.0.20348.1"})
    for blob in (config, own.descriptor):
        upload = http.post(f"/v2/{repository}/blobs/uploads/").headers["location"]
        closing = httpx.URL(upload).copy_add_param("digest", blob.digest)
        assert http.put(closing, content=layout.read(blob.digest)).status_code == 201
    layers = [foreign.json, own.descriptor.json]
    manifest = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config.json, "layers": layers}
    answer = http.put(f"/v2/{repository}/manifests/v1", json=manifest, headers={"Content-Type": DOCKER_MANIFEST})
    assert answer.status_code == 201, answer.text
