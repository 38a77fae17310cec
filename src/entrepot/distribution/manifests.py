"""Manifests of /v2. Spec: OCI distribution-spec, "Pulling manifests", "Pushing Manifests", "Deleting Manifests"."""

from contextlib import suppress
from typing import Any, Final

import msgspec

from entrepot.catalog.manifests.commit import commit_manifest
from entrepot.catalog.manifests.delete import delete_manifest, delete_tag
from entrepot.catalog.manifests.platform import config_blob, platform_in
from entrepot.catalog.model import Place, Push, StoredManifest
from entrepot.distribution.cached import ON_ITS_WAY, expect_no_rule, find_cached
from entrepot.distribution.conditions import etag, is_current
from entrepot.distribution.finding import find_manifest
from entrepot.distribution.parts import Parts
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call
from entrepot.oci import media_type as types
from entrepot.oci.digest import CANONICAL, Digest
from entrepot.oci.manifest import BODY_LIMIT, Manifest, parse_manifest
from entrepot.oci.reference import Tag, parse_reference, parse_tag
from entrepot.web.answer import Answer, header

TAGS_LIMIT: Final = 100
# Parsing and hashing more than this would hold up the event loop for longer than a hop to a thread takes.
_INLINE_LIMIT: Final = 32 * 1024
_DEPRECATED: Final = (
    '299 - "this manifest type was removed from the OCI specification: push an image manifest with artifactType"'
)


async def get_manifest(call: Call, parts: Parts) -> Answer:
    """The manifest, byte for byte as it was pushed."""
    reference = parse_reference(call.param("reference"))
    rule = await parts.cache.rule(call.place)
    if rule is None:
        stored, told = await find_manifest(call, reference), ()
    else:
        stored, told = await find_cached(call, parts.cache, rule, reference)
    if stored.media_type in types.INDEXES and not isinstance(reference, Digest):
        stored = await _negotiate(call, stored)
    headers = [
        header(b"content-type", stored.media_type),
        header(b"docker-content-digest", stored.digest),
        header(b"etag", etag(stored.digest)),
        *told,
    ]
    if is_current(call.request, stored.digest):
        return Answer(304, headers)
    if call.request.method == "GET" and stored.id != ON_ITS_WAY:
        parts.pulls.note(stored.id, call.now())
    return Answer(200, headers, stored.body)


class _Entry(msgspec.Struct, rename="camel"):
    media_type: str
    digest: str
    platform: Any = None  # a push does not look at it, so it may be anything


class _Index(msgspec.Struct):
    manifests: list[_Entry]


async def _negotiate(call: Call, index: StoredManifest) -> StoredManifest:
    """For a client that takes images but no indexes, the linux/amd64 one, as Docker's registry does.

    Anything else gets what is stored: a client that finds itself unable to read it says so better than a 404 would.
    """
    accepted = ",".join(call.request.headers(b"accept"))
    if not accepted or index.media_type in accepted or "*/*" in accepted:
        return index
    for entry in _entries(index.body):
        if entry.media_type in accepted and _is_common(entry.platform):
            with suppress(Problem):
                return await find_manifest(call, Digest.parse(entry.digest))
    return index


def _entries(body: bytes) -> list[_Entry]:
    try:
        return msgspec.json.decode(body, type=_Index).manifests
    except msgspec.DecodeError:
        return []


def _is_common(platform: object) -> bool:
    match platform:
        case {"architecture": "amd64", "os": "linux"}:
            return True
        case _:
            return False


async def put_manifest(call: Call, parts: Parts) -> Answer:
    """Commit a manifest under its digest and any tags named."""
    await expect_no_rule(call, parts.cache)
    body = await _read_body(call, parts)
    reference = parse_reference(call.param("reference"))
    tags = _tags(call, reference)
    content_type = call.request.header(b"content-type")
    if len(body) <= _INLINE_LIMIT:
        manifest, digest = _parse(body, content_type, reference)
    else:
        manifest, digest = await call.doors.run(_parse, body, content_type, reference)
    await call.doors.run(_push, call, parts, manifest, digest, tags)
    return Answer(201, _headers_of_push(call.place, manifest, digest, tags))


async def _read_body(call: Call, parts: Parts) -> bytes:
    try:
        return await call.request.body(BODY_LIMIT, parts.limits.idle_seconds)
    except Problem as problem:
        if problem.kind is Kind.REQUEST_TOO_LARGE:
            raise Problem(Kind.MANIFEST_TOO_LARGE, limit=BODY_LIMIT) from None
        raise


def _tags(call: Call, reference: Tag | Digest) -> tuple[Tag, ...]:
    named = [parse_tag(text) for text in call.request.query_all("tag")]
    if not isinstance(reference, Digest):
        named.insert(0, reference)
    if len(named) > TAGS_LIMIT:
        raise Problem(Kind.TAGS_TOO_MANY, limit=TAGS_LIMIT)
    return tuple(dict.fromkeys(named))


def _parse(body: bytes, content_type: str | None, reference: Tag | Digest) -> tuple[Manifest, Digest]:
    manifest = parse_manifest(body, content_type)
    digest = Digest.of(body, reference.algorithm if isinstance(reference, Digest) else CANONICAL)
    if isinstance(reference, Digest) and digest != reference:
        raise Problem(Kind.DIGEST_MISMATCH, expected=str(reference), actual=str(digest))
    return manifest, digest


def _push(call: Call, parts: Parts, manifest: Manifest, digest: Digest, tags: tuple[Tag, ...]) -> None:
    platform = platform_in(parts.store, call.doors.database.read(config_blob, call.place, manifest))
    push = Push(call.place, manifest, digest, tags, platform, call.change())
    call.doors.database.write(commit_manifest, push, parts.sparse)


def _headers_of_push(
    place: Place, manifest: Manifest, digest: Digest, tags: tuple[Tag, ...]
) -> list[tuple[bytes, bytes]]:
    headers = [
        header(b"location", f"/v2/{place.repository}/manifests/{digest}"),
        header(b"docker-content-digest", str(digest)),
    ]
    if manifest.subject is not None:
        headers.append(header(b"oci-subject", str(manifest.subject)))
    if tags:
        headers.append(header(b"oci-tag", ", ".join(tags)))
    if manifest.media_type in types.ARTIFACTS:
        headers.append(header(b"warning", _DEPRECATED))
    return headers


async def remove_manifest(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """By tag: the tag only; the manifest stays pullable by digest. By digest: the manifest with all its tags."""
    reference = parse_reference(call.param("reference"))
    if isinstance(reference, Digest):
        await call.doors.write(delete_manifest, call.place, reference, call.change())
    else:
        await call.doors.write(delete_tag, call.place, reference, call.change())
    return Answer(202)
