"""Blobs of /v2. Spec: OCI distribution-spec, "Pulling blobs", "Deleting Blobs"; ranges: RFC 9110 section 14."""

import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Final

from entrepot.catalog.blobs.commit import delete_blob
from entrepot.catalog.blobs.queries import BLOB_OF_REPOSITORY, is_corrupt, stored_blob
from entrepot.catalog.model import StoredBlob
from entrepot.distribution.cached import follow_blob
from entrepot.distribution.conditions import etag, is_current, range_applies
from entrepot.distribution.parts import Parts
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call
from entrepot.gate.doors import Doors
from entrepot.oci.digest import Digest
from entrepot.telemetry.metrics import BYTES_OUT
from entrepot.web.answer import Answer, AnyAnswer, FileAnswer, StreamAnswer, header
from entrepot.web.ranges import ByteRange, parse_ranges
from entrepot.web.request import Request

_TYPE: Final = (b"content-type", b"application/octet-stream")
_CONDEMNED: Final = 2
_READ_ENABLED: Final = 3


async def get_blob(call: Call, parts: Parts) -> AnyAnswer:
    """The blob, whole or in ranges."""
    try:
        blob = await _find(call)
    except Problem as problem:
        coming = await follow_blob(call, parts) if problem.kind is Kind.BLOB_UNKNOWN else None
        if coming is None:
            raise
        return coming
    headers = [
        header(b"docker-content-digest", blob.digest),
        header(b"etag", etag(blob.digest)),
        (b"accept-ranges", b"bytes"),
        (b"cache-control", b"private, max-age=31536000, immutable"),
    ]
    if is_current(call.request, blob.digest):
        return Answer(304, headers)
    ranges = _ranges(call.request, blob)
    if ranges is None:
        return await _whole(call, parts, blob, [*headers, _TYPE])
    if len(ranges) == 1:
        return await _one_range(call, parts, blob, ranges[0], [*headers, _TYPE])
    return await _several_ranges(call, parts, blob, ranges, headers)


async def _find(call: Call) -> StoredBlob:
    digest = Digest.parse(call.param("digest"))
    place = call.place
    rows = await call.doors.fetch(
        BLOB_OF_REPOSITORY, {"registry": place.registry, "repository": place.repository, "digest": str(digest)}
    )
    if rows and not rows[0][_READ_ENABLED]:
        raise Problem(Kind.LOCKED, name=place.repository, digest=str(digest), reason="reading is disabled")
    blob = stored_blob(rows)
    # A condemned blob is still served to a pull that began before, but a pusher who asks must send it again.
    if blob is not None and (rows[0][_CONDEMNED] is None or call.request.method == "GET"):
        return blob
    # An answer to HEAD has no body that could say why.
    is_damaged = call.request.method == "GET" and await call.doors.read(is_corrupt, place, str(digest))
    kind = Kind.CONTENT_CORRUPT if is_damaged else Kind.BLOB_UNKNOWN
    raise Problem(kind, name=place.repository, digest=str(digest))


def _ranges(request: Request, blob: StoredBlob) -> list[ByteRange] | None:
    """What of the blob is asked for; None for all of it. Only a GET has ranges (RFC 9110 section 14.2)."""
    asked = request.header(b"range") if request.method == "GET" else None
    if asked is None or not range_applies(request, blob.digest):
        return None
    ranges = parse_ranges(asked, blob.size)
    # Ranges that overlap would have us send the blob many times over (CVE-2011-3192).
    if ranges is not None and sum(part.stop - part.start for part in ranges) > blob.size:
        return None
    return ranges


async def _whole(call: Call, parts: Parts, blob: StoredBlob, headers: list[tuple[bytes, bytes]]) -> AnyAnswer:
    if call.request.method == "HEAD":
        return StreamAnswer(200, headers, _nothing(), blob.size)
    BYTES_OUT.inc(blob.size)
    content = parts.store.small(blob.pieces)
    if content is not None:
        return Answer(200, headers, content)
    path = parts.store.local_path(blob.pieces)
    if path is not None:
        return FileAnswer(200, headers, path, blob.size)
    chunks = parts.store.read(blob.pieces, 0, blob.size)
    return StreamAnswer(200, headers, await _stream(call.doors, chunks), blob.size)


async def _one_range(
    call: Call, parts: Parts, blob: StoredBlob, asked: ByteRange, headers: list[tuple[bytes, bytes]]
) -> AnyAnswer:
    headers.append(header(b"content-range", asked.content_range(blob.size)))
    chunks = parts.store.read(blob.pieces, asked.start, asked.stop)
    return StreamAnswer(206, headers, await _stream(call.doors, chunks), asked.stop - asked.start)


async def _several_ranges(
    call: Call, parts: Parts, blob: StoredBlob, asked: list[ByteRange], headers: list[tuple[bytes, bytes]]
) -> AnyAnswer:
    """Spec: RFC 9110 section 14.6, multipart/byteranges."""
    boundary = secrets.token_hex(16)
    heads = [_part_head(boundary, part, blob.size) for part in asked]
    tail = f"\r\n--{boundary}--\r\n".encode()
    headers.append(header(b"content-type", f"multipart/byteranges; boundary={boundary}"))

    def chunks() -> Iterator[bytes]:
        for head, part in zip(heads, asked, strict=True):
            content = parts.store.read(blob.pieces, part.start, part.stop)
            yield head + next(content, b"")
            yield from content
        yield tail

    length = sum(map(len, heads)) + sum(part.stop - part.start for part in asked) + len(tail)
    return StreamAnswer(206, headers, await _stream(call.doors, chunks()), length)


def _part_head(boundary: str, part: ByteRange, length: int) -> bytes:
    lines = (f"--{boundary}", "Content-Type: application/octet-stream", f"Content-Range: {part.content_range(length)}")
    return ("\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode()


async def _stream(doors: Doors, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Read ahead of nobody: one chunk at a time, each in a thread, so memory stays flat for a slow client.

    Only the first is read before the status is sent, because a store that does not answer can then still be told.
    """
    first = await doors.run(next, chunks, None)

    async def stream() -> AsyncIterator[bytes]:
        chunk = first
        while chunk is not None:
            BYTES_OUT.inc(len(chunk))
            yield chunk
            chunk = await doors.run(next, chunks, None)

    return stream()


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def remove_blob(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Unlink the blob from this repository. The bytes go when no repository needs them."""
    digest = Digest.parse(call.param("digest"))
    await call.doors.write(delete_blob, call.place, digest, call.change())
    return Answer(202)
