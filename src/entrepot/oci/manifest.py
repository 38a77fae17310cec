"""Manifests as typed values: what a push names, and what must be there for it.

Spec: OCI image-spec manifest.md, image-index.md, descriptor.md; Docker image manifest V2 schema 2. A body is read
strictly, because clients disagree on the doubtful ones (CVE-2021-41190): one JSON object, UTF-8, no key twice, no key
in another case than the specification's, one kind of content.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Final, cast

import msgspec

from entrepot.errors import Kind, Problem
from entrepot.oci import media_type as types
from entrepot.oci.digest import Digest

BODY_LIMIT: Final = 4 * 1024 * 1024
REFERENCE_LIMIT: Final = 10_000

Size = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class ReferenceKind(StrEnum):
    """How a manifest uses what it names."""

    CONFIG = "config"
    LAYER = "layer"
    BLOB = "blob"
    CHILD = "child"


@dataclass(frozen=True, slots=True)
class Reference:
    """Something a manifest names. ``required``: the push is refused while the repository does not hold it."""

    kind: ReferenceKind
    digest: Digest
    size: int
    media_type: str
    required: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """A parsed manifest. ``artifact_type`` is what the referrers API shows; None where it shows none."""

    media_type: str
    body: bytes = field(repr=False)
    references: tuple[Reference, ...]
    subject: Digest | None
    artifact_type: str | None
    config_media_type: str | None
    annotations: dict[str, str]

    @property
    def is_index(self) -> bool:
        return self.media_type in types.INDEXES

    @property
    def config(self) -> Reference | None:
        return next((named for named in self.references if named.kind is ReferenceKind.CONFIG), None)


class _Descriptor(msgspec.Struct, rename="camel"):
    media_type: str
    digest: str
    size: Size
    urls: list[str] | None = None
    data: str | None = None
    annotations: dict[str, str] | None = None


class _Image(msgspec.Struct, rename="camel"):
    schema_version: int
    config: _Descriptor
    layers: list[_Descriptor]
    media_type: str | None = None
    artifact_type: str | None = None
    subject: _Descriptor | None = None
    annotations: dict[str, str] | None = None


class _Index(msgspec.Struct, rename="camel"):
    schema_version: int
    manifests: list[_Descriptor]
    media_type: str | None = None
    artifact_type: str | None = None
    subject: _Descriptor | None = None
    annotations: dict[str, str] | None = None


class _Artifact(msgspec.Struct, rename="camel"):
    artifact_type: str | None = None
    blobs: list[_Descriptor] | None = None
    subject: _Descriptor | None = None
    annotations: dict[str, str] | None = None


# What clients send when they do not know better.
_UNTYPED: Final = frozenset({"application/json", "application/octet-stream"})
# Keys that belong to one kind of content only; beside another kind they make a body that two clients read differently.
_FOREIGN_KEYS: Final = {
    _Image: frozenset({"manifests", "blobs", "fsLayers"}),
    _Index: frozenset({"config", "layers", "blobs", "fsLayers"}),
    _Artifact: frozenset({"config", "layers", "manifests", "fsLayers"}),
}
_KEYS: Final = (
    *("schemaVersion", "mediaType", "config", "layers", "manifests", "blobs", "subject", "artifactType", "annotations"),
    *("digest", "size", "urls", "data", "platform"),
)
_KNOWN_KEYS: Final = {key.casefold(): key for key in _KEYS}


def parse_manifest(body: bytes, content_type: str | None) -> Manifest:
    """Read a pushed body. Raises MANIFEST_INVALID with a reason, MANIFEST_TOO_LARGE, DIGEST_INVALID."""
    if len(body) > BODY_LIMIT:
        raise Problem(Kind.MANIFEST_TOO_LARGE, size=len(body), limit=BODY_LIMIT)
    document = _read_json(body)
    media_type = _settle_media_type(document, content_type)
    if media_type in types.IMAGES:
        return _image(body, media_type, _shape(document, _Image))
    if media_type in types.INDEXES:
        return _index(body, media_type, _shape(document, _Index))
    if media_type in types.ARTIFACTS:
        return _artifact(body, media_type, _shape(document, _Artifact))
    return _unknown(body, media_type, document)


def _read_json(body: bytes) -> dict[str, Any]:
    """Any JSON object: the shapes judge it."""
    try:
        document: object = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
        if b"\\ud" in body.lower():  # half of a surrogate pair is no text that could be stored or sent
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise _invalid("the body is not UTF-8") from None
    except RecursionError:
        raise _invalid("the body is nested too deeply") from None
    except ValueError as error:
        raise _invalid(f"the body is not JSON: {error}"[:200]) from None
    if not isinstance(document, dict):
        raise _invalid("the body is not a JSON object")
    return cast("dict[str, Any]", document)  # JSON has no other keys


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _invalid("a key stands twice in one object")
    return found


def _refuse_constant(text: str) -> None:
    raise _invalid(f"{text} is not JSON")


def _settle_media_type(document: dict[str, Any], content_type: str | None) -> str:
    """One media type, from the header and the field, which must agree; from the shape when both are missing."""
    _refuse_look_alikes(document)
    declared = document.get("mediaType")
    if declared is not None and not isinstance(declared, str):
        raise _invalid("mediaType is not text")
    header = types.parse_media_type(content_type) if content_type else None
    if header in _UNTYPED:
        header = None
    field = types.parse_media_type(declared) if declared else None
    if header and field and header != field:
        raise Problem(
            Kind.MANIFEST_INVALID, reason="Content-Type and mediaType differ", content_type=header, media_type=field
        )
    return _refuse_schema_1(field or header or _media_type_of_shape(document))


def _refuse_schema_1(media_type: str) -> str:
    if media_type in types.SCHEMA_1:
        raise _invalid("Docker schema 1 is not supported: push with a client of Docker 1.10 or newer")
    return media_type


def _refuse_look_alikes(document: dict[str, Any]) -> None:
    """Go reads keys in any case, and folds some letters; others do not. A look-alike is read by some clients only."""
    for described in _described(document):
        for key in described:
            known = _KNOWN_KEYS.get(key.casefold(), key)
            if known != key:
                raise _invalid(f"key {key[:32]!r} looks like {known!r}")


def _described(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects whose keys are the specification's: not those of annotations."""
    found: list[object] = [document, document.get("config"), document.get("subject")]
    for key in ("layers", "manifests", "blobs"):
        listed: object = document.get(key)
        if isinstance(listed, list):
            found += cast("list[object]", listed)
    for one in found:
        if isinstance(one, dict):
            described = cast("dict[str, Any]", one)
            yield described
            if isinstance(described.get("platform"), dict):
                yield described["platform"]


def _media_type_of_shape(document: dict[str, Any]) -> str:
    if "fsLayers" in document:
        return next(iter(types.SCHEMA_1))
    if "manifests" in document:
        return types.OCI_INDEX
    if "config" in document and "layers" in document:
        return types.OCI_MANIFEST
    raise _invalid("no media type: send it as Content-Type or in mediaType")


def _shape(document: dict[str, Any], shape: type[Any]) -> Any:  # noqa: ANN401  the caller names the struct
    strange = _FOREIGN_KEYS[shape] & document.keys()
    if strange:
        raise _invalid(f"{', '.join(sorted(strange))} does not belong into this media type")
    try:
        return msgspec.convert(document, type=shape)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)[:200]) from None


def _image(body: bytes, media_type: str, image: _Image) -> Manifest:
    if image.schema_version != 2:  # noqa: PLR2004  the specification's number
        raise _invalid("schemaVersion is not 2")
    references = (_reference(image.config, ReferenceKind.CONFIG), *_references(image.layers, ReferenceKind.LAYER))
    return Manifest(
        media_type=media_type,
        body=body,
        references=_bounded(references),
        subject=_subject(image.subject),
        artifact_type=_artifact_type(image.artifact_type) or image.config.media_type,
        config_media_type=image.config.media_type,
        annotations=image.annotations or {},
    )


def _index(body: bytes, media_type: str, index: _Index) -> Manifest:
    if index.schema_version != 2:  # noqa: PLR2004  the specification's number
        raise _invalid("schemaVersion is not 2")
    return Manifest(
        media_type=media_type,
        body=body,
        references=_bounded(_references(index.manifests, ReferenceKind.CHILD)),
        subject=_subject(index.subject),
        artifact_type=_artifact_type(index.artifact_type),
        config_media_type=None,
        annotations=index.annotations or {},
    )


def _artifact(body: bytes, media_type: str, artifact: _Artifact) -> Manifest:
    return Manifest(
        media_type=media_type,
        body=body,
        references=_bounded(_references(artifact.blobs or [], ReferenceKind.BLOB)),
        subject=_subject(artifact.subject),
        artifact_type=_artifact_type(artifact.artifact_type),
        config_media_type=None,
        annotations=artifact.annotations or {},
    )


def _unknown(body: bytes, media_type: str, document: dict[str, Any]) -> Manifest:
    """A type that we do not know: kept as it is. What looks like a descriptor keeps its blob from being collected."""
    references = tuple(_loose_references(document))
    return Manifest(media_type, body, _bounded(references), None, None, None, {})


def _loose_references(document: dict[str, Any]) -> Iterator[Reference]:
    for key in ("config", "layers", "blobs", "manifests"):
        kind = ReferenceKind.CHILD if key == "manifests" else ReferenceKind.BLOB
        named: object = document.get(key)
        candidates = cast("list[object]", named) if isinstance(named, list) else [named]
        for candidate in candidates:
            with suppress(msgspec.ValidationError, Problem):
                found = msgspec.convert(candidate, type=_Descriptor)
                media_type = _bounded_type(found.media_type)
                yield Reference(kind, Digest.parse(found.digest), found.size, media_type, required=False)


def _references(descriptors: list[_Descriptor], kind: ReferenceKind) -> tuple[Reference, ...]:
    if len(descriptors) > REFERENCE_LIMIT:
        raise Problem(Kind.MANIFEST_INVALID, reason="too many references", limit=REFERENCE_LIMIT)
    return tuple(_reference(descriptor, kind) for descriptor in descriptors)


def _reference(descriptor: _Descriptor, kind: ReferenceKind) -> Reference:
    digest = Digest.parse(descriptor.digest)
    _check_data(descriptor, digest)
    elsewhere = bool(descriptor.urls) or types.is_foreign_layer(descriptor.media_type)
    required = kind is not ReferenceKind.CHILD and not elsewhere
    return Reference(kind, digest, descriptor.size, _bounded_type(descriptor.media_type), required)


def _check_data(descriptor: _Descriptor, digest: Digest) -> None:
    """Spec: descriptor.md, "data": must decode to content of this digest and size."""
    if descriptor.data is None:
        return
    try:
        content = base64.b64decode(descriptor.data, validate=True)
    except binascii.Error:
        raise _invalid("a data field is not base64") from None
    if len(content) != descriptor.size or Digest.of(content, digest.algorithm) != digest:
        raise Problem(Kind.MANIFEST_INVALID, reason="a data field does not match its digest", digest=str(digest))


def _bounded(references: tuple[Reference, ...]) -> tuple[Reference, ...]:
    if len(references) > REFERENCE_LIMIT:
        raise Problem(Kind.MANIFEST_INVALID, reason="too many references", limit=REFERENCE_LIMIT)
    return references


def _bounded_type(media_type: str) -> str:
    if not media_type or len(media_type) > types.LIMIT or not (media_type.isascii() and media_type.isprintable()):
        raise _invalid("a media type is empty, too long, or holds what no media type may")
    return media_type


def _artifact_type(text: str | None) -> str | None:
    return _bounded_type(text) if text else None


def _subject(descriptor: _Descriptor | None) -> Digest | None:
    return None if descriptor is None else _reference(descriptor, ReferenceKind.CHILD).digest


def _invalid(reason: str) -> Problem:
    return Problem(Kind.MANIFEST_INVALID, reason=reason)
