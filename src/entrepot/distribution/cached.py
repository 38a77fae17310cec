"""Pulls from repositories that a cache rule fills. Source: ACR-REFERENCE 8.8."""

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final, NamedTuple

from entrepot.caching.images.following import Following
from entrepot.caching.images.pulling import Cache, Pull
from entrepot.caching.model import Rule
from entrepot.catalog.model import StoredManifest
from entrepot.distribution.conditions import etag
from entrepot.distribution.finding import find_manifest
from entrepot.distribution.parts import Parts
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag
from entrepot.telemetry.metrics import BYTES_OUT
from entrepot.web.answer import AnyAnswer, Headers, StreamAnswer, header

# The id of a manifest that the catalog does not have yet.
ON_ITS_WAY: Final = 0
# What keeps a source from being heard; what is here is served on.
_SURVIVED: Final = frozenset({Kind.SOURCE_BUSY, Kind.SOURCE_FAILED, Kind.MANIFEST_UNKNOWN, Kind.QUOTA_EXCEEDED})
_WARNING_LIMIT: Final = 400
_MOST_CACHES: Final = 10


class Served(NamedTuple):
    """A manifest, and the headers that tell how it was come by."""

    stored: StoredManifest
    told: Headers = ()


async def find_cached(call: Call, cache: Cache, rule: Rule, reference: Tag | Digest) -> Served:
    """Raises what there is to tell of the source where nothing is here, and what the catalog refuses."""
    via = _via(call)
    if via is None:  # rules that lead back here ask nobody, and what they ask for is not found
        return Served(await find_manifest(call, reference))
    pull = Pull(rule, call.place, call.change(), via)
    if isinstance(reference, Digest):
        return Served(await _here(call, reference) or await _fetched(call, cache, pull, reference))
    here = await _here(call, reference)
    try:
        named = await cache.named(pull, reference)
        if named is None:
            return Served(await find_manifest(call, reference))
        told = () if named.why_old is None else _old(named.why_old, named.confirmed_at, call.now())
        if here is not None and here.digest == str(named.digest):
            return Served(here, told)
        stored = await _here(call, named.digest)
        if stored is not None:
            await cache.tag(pull, stored)
        return Served(stored or await _fetched(call, cache, pull, named.digest), told)
    except Problem as problem:
        if here is None or problem.kind not in _SURVIVED:
            raise
        why = problem.detail.get("reason", problem.kind.name)
        return Served(here, _old(str(why), None, call.now()))


def _via(call: Call) -> str | None:
    """The caches that the pull came through, this registry last; None when it was here before. Spec: RFC 8586."""
    here = f"entrepot-{hashlib.sha256(call.registry.rid.encode()).hexdigest()[:16]}"
    came = [name.strip() for line in call.request.headers(b"cdn-loop") for name in line.split(",")]
    return None if here in came or len(came) >= _MOST_CACHES else ", ".join([*came, here])


async def _here(call: Call, reference: Tag | Digest) -> StoredManifest | None:
    """Raises LOCKED."""
    try:
        return await find_manifest(call, reference)
    except Problem as problem:
        if problem.kind is not Kind.MANIFEST_UNKNOWN:
            raise
    return None


async def _fetched(call: Call, cache: Cache, pull: Pull, digest: Digest) -> StoredManifest:
    pulled = await cache.manifest(pull, digest)
    if pulled.manifest.is_index:  # it needs nothing, so it is here by now
        return await find_manifest(call, digest)
    return StoredManifest(ON_ITS_WAY, str(digest), pulled.manifest.media_type, pulled.manifest.body)


def _old(why: str, since: datetime | None, now: datetime) -> Headers:
    """That it may not be what the source has. Spec: OCI distribution-spec, "Warnings"; RFC 9111 section 5.1."""
    said = "".join(sign for sign in why if " " <= sign <= "~" and sign not in {'"', "\\"})[:_WARNING_LIMIT]
    told = [header(b"warning", f'299 - "the cached image may be old: {said}"')]
    return told if since is None else [*told, header(b"age", str(max(0, int((now - since).total_seconds()))))]


async def follow_blob(call: Call, parts: Parts) -> AnyAnswer | None:
    """A blob that is on its way, as it comes; None where none is. Raises what its image failed with."""
    place, digest = call.place, Digest.parse(call.param("digest"))
    if await parts.cache.rule(place) is None:
        return None
    blob = await parts.cache.arriving(place, digest)
    if blob is None:
        return None
    headers = [
        header(b"docker-content-digest", str(digest)),
        header(b"etag", etag(str(digest))),
        (b"content-type", b"application/octet-stream"),
    ]
    chunks = _counted(Following(call.doors, parts.store, blob).chunks())
    if call.request.method == "HEAD":
        return StreamAnswer(200, headers, chunks, blob.size)
    # Before the status is sent: why nothing comes can still be told.
    first = await anext(chunks, b"")
    return StreamAnswer(200, headers, _after(first, chunks), blob.size)


async def _counted(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        BYTES_OUT.inc(len(chunk))
        yield chunk


async def _after(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in chunks:
        yield chunk


async def expect_no_rule(call: Call, cache: Cache) -> None:
    """Raises LOCKED for a push into what a source fills."""
    rule = await cache.filling(call.place)
    if rule is not None:
        reason = f"the cache rule '{rule.name}' fills it from {rule.source}: push to another repository"
        raise Problem(Kind.LOCKED, name=call.place.repository, reason=reason)
