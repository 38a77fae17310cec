"""Uploads of /v2: begin, mount, append, close, status, cancel. Spec: OCI distribution-spec, "Pushing blobs".

A session's bytes lie in the content store, its row in the catalog; whichever worker gets the next request goes on. Once
a chunk is acknowledged it is kept, whatever becomes of this process.
"""

import asyncio
import re
from contextlib import suppress
from typing import Final

from entrepot.access.model import Action
from entrepot.catalog.blobs import queries as blob_queries
from entrepot.catalog.blobs.commit import mount_blob
from entrepot.catalog.model import Place, Upload
from entrepot.catalog.uploads import sessions
from entrepot.catalog.uploads.queries import UPLOAD_OF_PRINCIPAL
from entrepot.content.ingest import Inflow, receive
from entrepot.distribution.cached import expect_no_rule
from entrepot.distribution.chunks import check_length, declared_length
from entrepot.distribution.closing import (
    append_batch,
    cancel,
    close_staged,
    close_with_batch,
    give_up,
    grace_of,
    reached,
    seal_chunk,
)
from entrepot.distribution.parts import Parts
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call
from entrepot.oci.digest import CANONICAL, Digest, parse_algorithm
from entrepot.telemetry.metrics import BYTES_IN
from entrepot.web.answer import Answer, header

# Repositories looked at for a mount that names no source.
_SOURCES: Final = 50
_UPLOAD_ID: Final = re.compile(r"[0-9a-f]{32}")
# What broke off by itself left good bytes behind: the client may resume after them.
_RESUMABLE: Final = frozenset({Kind.REQUEST_INVALID, Kind.UPLOAD_STALLED})


async def start_upload(call: Call, parts: Parts) -> Answer:
    """Begin a session; or, asked so, mount a blob from another repository, or take the whole blob at once."""
    await expect_no_rule(call, parts.cache)
    mount = call.request.query("mount")
    if mount is not None and await _mount(call, parts, Digest.parse(mount)):
        return _created(call.place, Digest.parse(mount))
    whole = call.request.query("digest")
    digest = None if whole is None else Digest.parse(whole)
    algorithm = parse_algorithm(call.request.query("digest-algorithm") or (digest.algorithm if digest else CANONICAL))
    session = Upload(call.site.new_id(), call.place, call.identity.principal, algorithm, call.now(), ())
    await call.doors.write(sessions.begin_upload, session, parts.limits.uploads_per_principal)
    if digest is None:
        return Answer(202, _progress(session, 0))
    try:
        return await _close(call, parts, session, digest)
    except (Problem, asyncio.CancelledError):
        # The client never learnt of this session, so nobody else can end it.
        with suppress(Problem):
            await asyncio.shield(call.doors.run(give_up, call.doors.database, parts, session))
        raise


async def _mount(call: Call, parts: Parts, digest: Digest) -> bool:
    """Whether a source gave the blob. One that may not be read is as good as none: the client uploads instead."""
    for source in await _sources(call, digest):
        if not await call.principal_may(Action.CONTENT_READ, source.repository):
            continue
        if await call.doors.write(mount_blob, source, call.place, digest, grace_of(call, parts)):
            return True
    return False


async def _sources(call: Call, digest: Digest) -> list[Place]:
    named = call.request.query("from")
    if named is not None:
        return [call.place_of(named)]
    found = await call.doors.read(blob_queries.repositories_with, call.registry.id, str(digest), _SOURCES)
    return [call.place_of(name) for name in found]


async def append_chunk(call: Call, parts: Parts) -> Answer:
    """Append the body to the session."""
    session, inflow = await _find(call), _inflow(call, parts)
    batch = await inflow.whole()
    if batch is None:
        offset = await _append(call, parts, session, session.algorithm, inflow)
    else:
        offset = await call.doors.run(append_batch, call, parts, session, batch)
    return Answer(202, _progress(session, offset))


async def close_upload(call: Call, parts: Parts) -> Answer:
    """Append what the body holds, check the digest, and make the blob pullable."""
    text = call.request.query("digest")
    if text is None:
        raise Problem(Kind.DIGEST_INVALID, reason="the closing request names no digest")
    digest = Digest.parse(text)
    return await _close(call, parts, await _find(call), digest)


async def _close(call: Call, parts: Parts, session: Upload, digest: Digest) -> Answer:
    inflow = _inflow(call, parts)
    batch = await inflow.whole()
    if batch is None:
        await _append(call, parts, session, digest.algorithm, inflow)
        await call.doors.run(close_staged, call, parts, await _again(call, session), digest)
    else:
        await call.doors.run(close_with_batch, call, parts, session, batch, digest)
    return _created(call.place, digest)


async def get_upload(call: Call, parts: Parts) -> Answer:
    """How far the session has come."""
    found = await call.doors.run(reached, parts, await _find(call))
    return Answer(204, _progress(found.session, found.offset))


async def cancel_upload(call: Call, parts: Parts) -> Answer:
    """End the session and drop its bytes."""
    await call.doors.run(cancel, call.doors.database, parts, await _find(call), call.change())
    return Answer(204)


async def _find(call: Call) -> Upload:
    """The caller's own session. Anybody else's does not exist for it."""
    upload_id = call.param("upload")
    if _UPLOAD_ID.fullmatch(upload_id) is None:
        raise Problem(Kind.BLOB_UPLOAD_UNKNOWN, upload=upload_id[:64])
    return await _again(call, Upload(upload_id, call.place, call.identity.principal, CANONICAL, call.now(), ()))


async def _again(call: Call, session: Upload) -> Upload:
    """The session as it is now: an append may have sealed a piece."""
    place = session.place
    values = {"registry": place.registry, "repository": place.repository, "principal": session.principal}
    rows = await call.doors.fetch(UPLOAD_OF_PRINCIPAL, {"upload": session.id, **values})
    return sessions.found_upload(rows, session)


def _inflow(call: Call, parts: Parts) -> Inflow:
    return Inflow(call.request.pieces(parts.limits.idle_seconds), parts.limits.blob_bytes)


async def _append(call: Call, parts: Parts, session: Upload, algorithm: str, inflow: Inflow) -> int:
    """Write a body of several batches into the session while it comes in. Answers the offset that it reaches."""
    doors = call.doors
    before = await doors.run(reached, parts, session)
    declared = declared_length(call.request, before.offset)
    inflow.follow(before.offset)
    appender = await doors.run(parts.store.appender, session.id, session.sealed, before.offset)
    running = parts.hashes.take(session.id, before.offset, algorithm)
    try:
        length = await receive(inflow, appender, running, doors.executor)
        BYTES_IN.inc(length)
        check_length(declared, length)
        return await doors.run(seal_chunk, call, parts, before, appender, running)
    except Problem as problem:
        if problem.kind in _RESUMABLE and declared is None:
            await doors.run(seal_chunk, call, parts, before, appender, running)
        raise
    finally:
        # Does nothing to what was sealed.
        await asyncio.shield(doors.run(appender.abandon))


def _progress(session: Upload, offset: int) -> list[tuple[bytes, bytes]]:
    """Spec: the range always begins with 0-; of a session without bytes it is 0-0."""
    return [
        header(b"location", f"/v2/{session.place.repository}/blobs/uploads/{session.id}"),
        header(b"range", f"0-{max(offset - 1, 0)}"),
        header(b"docker-upload-uuid", session.id),
    ]


def _created(place: Place, digest: Digest) -> Answer:
    location = f"/v2/{place.repository}/blobs/{digest}"
    return Answer(201, [header(b"location", location), header(b"docker-content-digest", str(digest))])
