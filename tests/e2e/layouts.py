"""OCI image layouts made from nothing: images around the static busybox, indexes, artifacts.

Spec: OCI image-spec 1.1, "Image Layout". Every image holds bytes of its own, so what one test has pushed never spares
another test an upload.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeAlias
from uuid import uuid4

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
SPDX = "application/spdx+json"

MANIFESTS = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_MANIFEST_LIST)

BUSYBOX = Path("/bin/busybox")

Json: TypeAlias = dict[str, object]


@dataclass(frozen=True)
class Descriptor:
    """What a manifest says of one piece of content. ``extra`` holds the fields that not every descriptor has."""

    media_type: str
    digest: str
    size: int
    extra: Json = field(default_factory=dict)

    @property
    def json(self) -> Json:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size, **self.extra}

    def having(self, **extra: object) -> Self:
        return type(self)(self.media_type, self.digest, self.size, self.extra | extra)


@dataclass(frozen=True)
class Layer:
    descriptor: Descriptor
    diff_id: str  # digest of the tar before compression


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """An archive with the same bytes each time: no time, no owner. A name that ends with / is a folder, and empty."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


def unique() -> bytes:
    return uuid4().bytes * 64


class Layout:
    """An OCI image layout in a folder, as skopeo, crane, oras, podman and ctr read it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._blobs.mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self._tagged: list[Descriptor] = []

    def tagged(self, name: str, descriptor: Descriptor) -> Descriptor:
        """Names the content in ``index.json``, and gives it back."""
        self._tagged.append(descriptor.having(annotations={"org.opencontainers.image.ref.name": name}))
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry.json for entry in self._tagged]}
        (self.folder / "index.json").write_text(json.dumps(document))
        return descriptor

    def read(self, digest: str) -> bytes:
        return (self._blobs / digest.removeprefix("sha256:")).read_bytes()

    def blob(self, content: bytes, media_type: str) -> Descriptor:
        digest = sha256(content)
        (self._blobs / digest.removeprefix("sha256:")).write_bytes(content)
        return Descriptor(media_type, digest, len(content))

    def document(self, media_type: str, fields: Json) -> Descriptor:
        """A manifest, an index or a configuration; those that carry their media type say it in ``fields``."""
        return self.blob(json.dumps(fields).encode(), media_type)

    def layer(self, files: Mapping[str, bytes], media_type: str = OCI_LAYER) -> Layer:
        tar = tar_of(files)
        return Layer(self.blob(gzip.compress(tar, mtime=0), media_type), sha256(tar))

    def image(self, *layers: Layer, architecture: str = "amd64", **fields: object) -> Descriptor:
        """An image manifest of these layers (one small unique layer when none is given) with its platform."""
        chosen = layers or (self.layer({"unique": unique()}),)
        platform: Json = {"architecture": architecture, "os": "linux"}
        rootfs: Json = {"type": "layers", "diff_ids": [layer.diff_id for layer in chosen]}
        running: Json = {"Entrypoint": ["/bin/busybox"], "Cmd": ["echo", "hello from busybox"]}
        history = [{"created_by": "a test"} for _ in chosen]
        config = self.document(OCI_CONFIG, platform | {"rootfs": rootfs, "history": history, "config": running})
        manifest: Json = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config.json,
            "layers": [layer.descriptor.json for layer in chosen],
        }
        return self.document(OCI_MANIFEST, manifest | fields).having(platform=platform)

    def runnable(self, *layers: Layer) -> Descriptor:
        """An image that says "hello from busybox" when it is run: FROM scratch with the static busybox."""
        return self.image(self.layer({"bin/busybox": BUSYBOX.read_bytes(), "unique": unique()}), *layers)

    def index(self, *children: Descriptor, **fields: object) -> Descriptor:
        manifests = [child.json for child in children]
        return self.document(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests, **fields})

    def multi_platform(self) -> Descriptor:
        """What BuildKit pushes: one image per platform, each with its attestation of an unknown platform."""
        images = [self.image(architecture=architecture) for architecture in ("amd64", "arm64", "s390x")]
        return self.index(*images, *(self._attestation(image) for image in images))

    def _attestation(self, image: Descriptor) -> Descriptor:
        statement = self.blob(b'{"_type":"https://in-toto.io/Statement/v0.1"}', "application/vnd.in-toto+json")
        note = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.digest}
        unknown = {"architecture": "unknown", "os": "unknown"}
        return self.image(Layer(statement, statement.digest)).having(platform=unknown, annotations=note)

    def artifact(self, artifact_type: str, content: bytes, **fields: object) -> Descriptor:
        """An artifact with the empty configuration (image-spec, "Guidelines for Artifact Usage")."""
        return self.document(
            OCI_MANIFEST,
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": artifact_type,
                "config": self.blob(b"{}", OCI_EMPTY).json,
                "layers": [self.blob(content, artifact_type).json],
                **fields,
            },
        )
