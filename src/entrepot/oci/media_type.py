"""Media types of manifests, and what a client accepts. Spec: OCI image-spec media-types.md, RFC 9110 section 12.5.1."""

import re
from typing import Final

from entrepot.errors import Kind, Problem

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT: Final = "application/vnd.oci.artifact.manifest.v1+json"
ORAS_ARTIFACT: Final = "application/vnd.cncf.oras.artifact.manifest.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"

IMAGES: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
ARTIFACTS: Final = frozenset({OCI_ARTIFACT, ORAS_ARTIFACT})
SCHEMA_1: Final = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)

LIMIT: Final = 255
# RFC 6838 section 4.2 for each side, a little wider in length.
_TYPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")


def parse_media_type(text: str) -> str:
    """The bare type, lower-case, without parameters (the distribution specification says to ignore them).

    Raises MANIFEST_INVALID.
    """
    bare = text.partition(";")[0].strip().lower()
    if len(bare) > LIMIT or _TYPE.fullmatch(bare) is None:
        raise Problem(Kind.MANIFEST_INVALID, reason="not a media type", media_type=text[:LIMIT])
    return bare


def is_foreign_layer(media_type: str) -> bool:
    """Layers that a push need not contain: OCI's non-distributable and Docker's foreign ones."""
    return "nondistributable" in media_type or ".foreign." in media_type
