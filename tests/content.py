"""Builders of what registries hold: images, indexes, artifacts, as bytes and with their digests."""

import hashlib
import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# ``fields`` of a builder are any JSON values: hence each ANN401 below.

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

# A JSON document under construction; tests break it in every way, so its shape is open.
Document = dict[str, Any]


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def some_bytes(length: int, seed: object = 0) -> bytes:
    """The same bytes for the same seed."""
    return random.Random(f"{seed}").randbytes(length)


@dataclass(frozen=True)
class Manifest:
    """A manifest's body, its type, and the blobs that it needs, each under its digest."""

    body: bytes = field(repr=False)
    media_type: str
    blobs: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def digest(self) -> str:
        return digest_of(self.body)

    @property
    def document(self) -> Document:
        """A fresh copy, to be changed."""
        return json.loads(self.body)

    def changed(self, **fields: Any) -> "Manifest":  # noqa: ANN401
        """With other top-level fields; a field set to None is left out."""
        document = {key: value for key, value in {**self.document, **fields}.items() if value is not None}
        return Manifest(json_of(document), self.media_type, self.blobs)

    def descriptor(self, **fields: Any) -> Document:  # noqa: ANN401
        """How an index or a subject names it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body), **fields}


def json_of(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def describe(content: bytes, media_type: str = OCI_LAYER, algorithm: str = "sha256", **fields: Any) -> Document:  # noqa: ANN401
    return {"mediaType": media_type, "digest": digest_of(content, algorithm), "size": len(content), **fields}


def a_config(seed: object = 0, architecture: str = "amd64", os: str = "linux") -> bytes:
    return json_of({"architecture": architecture, "os": os, "rootfs": {"type": "layers"}, "seed": f"{seed}"})


def an_image(
    seed: object = 0,
    *,
    layers: int = 2,
    size: int = 64,
    architecture: str = "amd64",
    **fields: Any,  # noqa: ANN401
) -> Manifest:
    """An OCI image whose every byte follows from the seed. ``fields`` are more of the manifest's own."""
    config = a_config(seed, architecture)
    contents = [some_bytes(size, f"{seed}/{number}") for number in range(layers)]
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": describe(config, OCI_CONFIG),
        "layers": [describe(content) for content in contents],
        **fields,
    }
    return Manifest(json_of(document), OCI_MANIFEST, {digest_of(blob): blob for blob in (config, *contents)})


def a_docker_image(seed: object = 0) -> Manifest:
    """The same in Docker's schema 2."""
    config, layer = a_config(seed), some_bytes(64, seed)
    document = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": describe(config, DOCKER_CONFIG),
        "layers": [describe(layer, DOCKER_LAYER)],
    }
    return Manifest(json_of(document), DOCKER_MANIFEST, {digest_of(blob): blob for blob in (config, layer)})


def an_artifact(
    artifact_type: str = "application/vnd.example.sbom.v1",
    seed: object = 0,
    **fields: Any,  # noqa: ANN401
) -> Manifest:
    """An OCI 1.1 artifact: an image manifest with the empty config."""
    content = some_bytes(32, f"artifact/{seed}")
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": describe(b"{}", OCI_EMPTY),
        "layers": [describe(content, "application/octet-stream")],
        **fields,
    }
    return Manifest(json_of(document), OCI_MANIFEST, {digest_of(blob): blob for blob in (b"{}", content)})


def an_index(children: Iterable[Manifest] = (), media_type: str = OCI_INDEX, **fields: Any) -> Manifest:  # noqa: ANN401
    """An index of manifests; with ``platform`` as their configs name it where they are images."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [child.descriptor(**_platform(child)) for child in children],
        **fields,
    }
    return Manifest(json_of(document), media_type)


def _platform(child: Manifest) -> Document:
    config = child.document.get("config")
    content = child.blobs.get(config["digest"]) if config else None
    document = json.loads(content) if content else {}
    if "architecture" not in document:
        return {}
    return {"platform": {"architecture": document["architecture"], "os": document["os"]}}
