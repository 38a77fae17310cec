"""All that is ever pushed in these tests: so few names and contents that steps drawn at random meet each other."""

from collections.abc import Mapping
from typing import Final

from tests.content import (
    FOREIGN_LAYER,
    OCI_EMPTY,
    Manifest,
    a_config,
    a_docker_image,
    an_artifact,
    an_image,
    an_index,
    describe,
    digest_of,
    some_bytes,
)

REPOSITORIES: Final = ("app", "team/app")
TAGS: Final = ("latest", "v1")

_CONFIG: Final = a_config()
_SHARED: Final = some_bytes(64, "shared")
_OWN: Final = some_bytes(300, "own")
# Longer than what the server gathers before it writes.
_LONG: Final = some_bytes(1_200_000, "long")
_FOREIGN: Final = b"a layer that nobody need push"


def _image(*layers: bytes) -> Manifest:
    made = an_image(layers=0).changed(layers=[describe(content) for content in layers])
    return Manifest(made.body, made.media_type, {digest_of(blob): blob for blob in (_CONFIG, *layers)})


_FIRST: Final = _image(_SHARED)
_SECOND: Final = _image(_SHARED, _OWN)
_DOCKER: Final = a_docker_image()
_BOTH: Final = an_index([_FIRST, _SECOND])
_SBOM: Final = an_artifact(subject=_FIRST.descriptor())

MANIFESTS: Final[Mapping[str, Manifest]] = {
    "first": _FIRST,
    "second": _SECOND,
    "long": _image(_LONG, _SHARED),
    "docker": _DOCKER,
    "foreign": _image(_SHARED).changed(layers=[describe(_SHARED), describe(_FOREIGN, FOREIGN_LAYER)]),
    "both": _BOTH,
    "index of an index": an_index([_BOTH, _DOCKER]),
    "sbom": _SBOM,
    "signature": an_artifact("application/vnd.example.signature", 1, subject=_BOTH.descriptor()),
    "signature of the sbom": an_artifact("application/vnd.example.signature", 1, subject=_SBOM.descriptor()),
    "index with a subject": an_index([_FIRST], subject=_SECOND.descriptor(), artifactType=OCI_EMPTY),
}

BLOBS: Final[Mapping[str, bytes]] = {
    digest_of(content): content
    for content in (
        *(content for manifest in MANIFESTS.values() for content in manifest.blobs.values()),
        _FOREIGN,
        b"",
        b"needed by nothing",
    )
}
# What steps take most often. Most faults show only when something happens to a thing that something happened to before.
OFTEN_MANIFESTS: Final = ("first", "second")
OFTEN_BLOBS: Final = tuple(_SECOND.blobs)
SUBJECTS: Final = tuple(
    dict.fromkeys(
        manifest.document["subject"]["digest"] for manifest in MANIFESTS.values() if "subject" in manifest.document
    )
)
