"""The JSON of /acr/v1, member by member as ACR writes it. Spec: ACR-REFERENCE 3.2.

What is not known is left out, never null. ``artifactType``, ``subject`` and ``lastPulledTime`` are ours: ACR's clients
pass over members that they do not know.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from entrepot.catalog.history import model as history
from entrepot.catalog.properties.model import (
    Attributes,
    ManifestProperties,
    RepositoryProperties,
    TagProperties,
)
from entrepot.catalog.repositories.delete import DeletedRepository as Gone
from entrepot.catalog.undo import model as undo
from entrepot.web.answer import JSON, Answer, Headers

# The config of an artifact that has none. Spec: OCI image-spec, "Guidance for an Empty Descriptor".
_EMPTY: Final = "application/vnd.oci.empty.v1+json"


class ChangeableAttributes(msgspec.Struct, rename="camel"):
    """What may be done; false locks."""

    delete_enabled: bool
    write_enabled: bool
    read_enabled: bool
    list_enabled: bool


class RepositoryList(msgspec.Struct):
    """Names in ASCII order."""

    repositories: tuple[str, ...]


class Repository(msgspec.Struct, rename="camel"):
    """``registry`` is the login server."""

    registry: str
    image_name: str
    created_time: str
    last_update_time: str
    manifest_count: int
    tag_count: int
    changeable_attributes: ChangeableAttributes


class DeletedRepository(msgspec.Struct, rename="camel", omit_defaults=True):
    """What went with a repository; null where there was none. Counts where it was more than is listed."""

    manifests_deleted: tuple[str, ...] | None
    tags_deleted: tuple[str, ...] | None
    manifest_count: int | None = None
    tag_count: int | None = None


class GoneRepository(msgspec.Struct, rename="camel"):
    """A repository of which something can be restored."""

    repository: str
    created_at: str
    deleted_at: str


class DeletedCatalog(msgspec.Struct):
    """A page of them."""

    repositories: list[GoneRepository]


class GoneManifest(msgspec.Struct, rename="camel"):
    """A manifest that can be restored."""

    digest: str
    created_at: str
    deleted_at: str


class DeletedManifests(msgspec.Struct):
    """A page of them."""

    manifests: list[GoneManifest]


class GoneTag(msgspec.Struct, rename="camel"):
    """A tag that can be restored."""

    tag: str
    digest: str
    deleted_at: str


class DeletedTags(msgspec.Struct):
    """A page of them."""

    tags: list[GoneTag]


class Restored(msgspec.Struct, rename="camel"):
    """What is there again."""

    registry: str
    image_name: str
    digest: str
    tag: str | None


class Tag(msgspec.Struct, rename="camel"):
    """``signed``: by content trust, which nothing here does."""

    name: str
    digest: str
    created_time: str
    last_update_time: str
    signed: bool
    changeable_attributes: ChangeableAttributes


class TagList(msgspec.Struct, rename="camel"):
    """A page of tags."""

    registry: str
    image_name: str
    tags: list[Tag]


class TagOne(msgspec.Struct, rename="camel"):
    """One tag."""

    registry: str
    image_name: str
    tag: Tag


class Pointed(msgspec.Struct, rename="camel", omit_defaults=True):
    """What a tag pointed to for a while. Without ``untilTime`` it still does; ``exists``: the manifest is still there.

    Who is not told to nobody, whom anonymous pull lets in.
    """

    digest: str
    exists: bool
    since_time: str
    until_time: str | None = None
    set_by: str | None = None
    ended_by: str | None = None


class TagHistory(msgspec.Struct, rename="camel"):
    """A page of it, the newest first."""

    registry: str
    image_name: str
    tag: str
    history: list[Pointed]


class Child(msgspec.Struct, omit_defaults=True):
    """A manifest that an index names, with the platform that the index says it is for."""

    digest: str
    architecture: str | None = None
    os: str | None = None


class Manifest(msgspec.Struct, rename="camel", omit_defaults=True):
    """``image_size`` in bytes: of the parts of an image, or of all children of an index."""

    digest: str
    image_size: int
    created_time: str
    last_update_time: str
    media_type: str
    changeable_attributes: ChangeableAttributes
    architecture: str | None = None
    os: str | None = None
    config_media_type: str | None = None
    artifact_type: str | None = None
    subject: str | None = None
    last_pulled_time: str | None = None
    tags: tuple[str, ...] = ()
    references: list[Child] | None = None


class ManifestList(msgspec.Struct, rename="camel"):
    """A page of manifests."""

    registry: str
    image_name: str
    manifests: list[Manifest]


class ManifestOne(msgspec.Struct, rename="camel"):
    """One manifest."""

    registry: str
    image_name: str
    manifest: Manifest


def answer(body: msgspec.Struct, headers: Headers = (), status: int = 200) -> Answer:
    """ACR ends each body with a line break."""
    return Answer(status, [JSON, *headers], msgspec.json.encode(body) + b"\n")


def repository(registry: str, name: str, known: RepositoryProperties) -> Repository:
    """A repository of the registry with this login server."""
    return Repository(
        registry,
        name,
        _time(known.created_at),
        _time(known.updated_at),
        known.manifest_count,
        known.tag_count,
        _attributes(known.attributes),
    )


def deleted_repository(gone: Gone) -> DeletedRepository:
    """The first of what went with it."""
    is_all = (len(gone.digests), len(gone.tags)) == (gone.manifest_count, gone.tag_count)
    counts = () if is_all else (gone.manifest_count, gone.tag_count)
    return DeletedRepository(gone.digests or None, gone.tags or None, *counts)


def gone(known: undo.DeletedRepository) -> GoneRepository:
    return GoneRepository(known.name, _time(known.created_at), _time(known.deleted_at))


def gone_manifest(known: undo.DeletedManifest) -> GoneManifest:
    return GoneManifest(known.digest, _time(known.created_at), _time(known.deleted_at))


def gone_tag(known: undo.DeletedTag) -> GoneTag:
    return GoneTag(known.name, known.digest, _time(known.deleted_at))


def tag(known: TagProperties) -> Tag:
    """A row of a list, or a tag alone: they do not differ."""
    return Tag(
        known.name,
        known.digest,
        _time(known.created_at),
        _time(known.updated_at),
        signed=False,
        changeable_attributes=_attributes(known.attributes),
    )


def pointed(entry: history.Pointed, *, is_told_who: bool) -> Pointed:
    """An entry of a tag's history."""
    return Pointed(
        entry.digest,
        entry.exists,
        _time(entry.since),
        None if entry.until is None else _time(entry.until),
        entry.set_by if is_told_who else None,
        entry.ended_by if is_told_who else None,
    )


def manifest(known: ManifestProperties) -> Manifest:
    """A row of a list, or a manifest alone: then an index names its children."""
    # The catalog keeps an image's config type as its artifact type too, because the referrers API asks for that.
    artifact_type = None if known.artifact_type == known.config_media_type else known.artifact_type
    return Manifest(
        known.digest,
        known.image_size,
        _time(known.created_at),
        _time(known.updated_at),
        known.media_type,
        _attributes(known.attributes),
        architecture=known.architecture,
        os=known.os,
        config_media_type=None if known.config_media_type == _EMPTY else known.config_media_type,
        artifact_type=artifact_type,
        subject=known.subject,
        last_pulled_time=None if known.last_pulled_at is None else _time(known.last_pulled_at),
        tags=known.tags,
        references=None if known.body is None else _children(known.body),
    )


class _Descriptor(msgspec.Struct):
    digest: str
    platform: Any = None  # a push does not look at it, so it may be anything


class _Index(msgspec.Struct):
    manifests: list[_Descriptor]


def _children(index: bytes) -> list[Child]:
    """In the index's own order."""
    named = msgspec.json.decode(index, type=_Index).manifests
    return [Child(entry.digest, _architecture(entry.platform), _os(entry.platform)) for entry in named]


def _architecture(platform: object) -> str | None:
    match platform:
        case {"architecture": str(text)} if text:
            return text
        case _:
            return None


def _os(platform: object) -> str | None:
    match platform:
        case {"os": str(text)} if text:
            return text
        case _:
            return None


def _attributes(known: Attributes) -> ChangeableAttributes:
    return ChangeableAttributes(known.delete_enabled, known.write_enabled, known.read_enabled, known.list_enabled)


def _time(at: datetime) -> str:
    """In UTC, with the seven digits that ACR's ticks have."""
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "0Z"  # half of what strftime takes
