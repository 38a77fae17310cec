"""Sources as they come in: in one request, or in blocks and a list of them. Spec: Azure Storage, "Put Blob", "Put
Block", "Put Block List".

What is written again replaces what was there, as long as the URL is good. Memory stays the same for any length.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from entrepot.catalog.files import queries as files
from entrepot.catalog.files.blocks import begin_block, commit_blocks, finish_block
from entrepot.catalog.files.keep import settle
from entrepot.catalog.files.model import NewBlock, StoredBlock, Wanted
from entrepot.content.hashes import RunningHash
from entrepot.content.ingest import Inflow, receive
from entrepot.content.model import ContentStore
from entrepot.db.database import Database
from entrepot.errors import Kind, Problem
from entrepot.gate.management import ManagementCall
from entrepot.oci.digest import ALGORITHMS, CANONICAL
from entrepot.tasks.storage.block_list import LIMIT, block_name, parse_block_list
from entrepot.tasks.storage.parts import Parts
from entrepot.tasks.storage.reading import source_id
from entrepot.telemetry.metrics import BYTES_IN
from entrepot.web.answer import Answer

# The block of a source that comes in one request. No client can name it: its ids are not empty.
_WHOLE: Final = ""


async def put_source(call: ManagementCall, parts: Parts) -> Answer:
    """Write the source: whole, or by `comp` one block of it, or the list that puts blocks in their order."""
    put = _PUT.get(call.request.query("comp"))
    if put is None:
        raise Problem(Kind.REQUEST_INVALID, reason="comp is block, blocklist or absent")
    await put(call, parts, source_id(call.param("source")))
    return Answer(201)


async def _put_whole(call: ManagementCall, parts: Parts, file_id: str) -> None:
    if (call.request.header(b"x-ms-blob-type") or "").lower() != "blockblob":
        raise Problem(Kind.UNSUPPORTED, reason="x-ms-blob-type is BlockBlob")
    await _expect_absent(call, file_id)
    await _take(call, parts, file_id, _WHOLE)
    await _commit(call, parts, file_id, [Wanted(_WHOLE)])


async def _put_block(call: ManagementCall, parts: Parts, file_id: str) -> None:
    await _take(call, parts, file_id, block_name(call.request.query("blockid") or ""))


async def _put_block_list(call: ManagementCall, parts: Parts, file_id: str) -> None:
    wanted = parse_block_list(await call.request.body(LIMIT, parts.idle_seconds))
    await _expect_absent(call, file_id)
    await _commit(call, parts, file_id, wanted)


_PUT: Final[dict[str | None, Callable[[ManagementCall, Parts, str], Awaitable[None]]]] = {
    None: _put_whole,
    "block": _put_block,
    "blocklist": _put_block_list,
}


async def _expect_absent(call: ManagementCall, file_id: str) -> None:
    """Raises RESOURCE_EXISTS where the client wants to overwrite nothing, and something is there."""
    if call.request.header(b"if-none-match") == "*" and await call.doors.read(files.is_whole, file_id):
        raise Problem(Kind.RESOURCE_EXISTS)


async def _commit(call: ManagementCall, parts: Parts, file_id: str, wanted: list[Wanted]) -> None:
    await call.doors.write(commit_blocks, file_id, wanted, call.now() + parts.retired)


async def _take(call: ManagementCall, parts: Parts, file_id: str, name: str) -> None:
    """The body as one block. Raises SIZE_INVALID without a length, UPLOAD_TOO_LARGE."""
    length = call.request.content_length()
    if length is None:
        raise Problem(Kind.SIZE_INVALID)
    block = NewBlock(call.new_id(), file_id, name, length)
    # The row first: from here on collection knows the session.
    await call.doors.write(begin_block, block, parts.source_bytes)
    try:
        stored = await _receive(call, parts, block)
        await call.doors.run(_finish, call.doors.database, parts.store, stored, call.now() + parts.retired)
    except (Problem, asyncio.CancelledError):
        with suppress(Problem):
            await asyncio.shield(call.doors.run(_drop, call.doors.database, parts.store, block))
        raise


def _finish(database: Database, store: ContentStore, stored: StoredBlock, due: datetime) -> None:
    try:
        database.write(finish_block, stored, due)
    except Problem as problem:
        if problem.kind is Kind.BLOB_UPLOAD_UNKNOWN:  # the catalog has said no, and so knows nothing of the bytes
            for piece in stored.pieces:
                store.delete(piece.key)
        raise


def _drop(database: Database, store: ContentStore, block: NewBlock) -> None:
    """What is left of a block that failed. Bytes that were committed, and perhaps recorded, are the sweep's."""
    store.discard(block.session, ())
    database.write(files.drop_block, block.session)


async def _receive(call: ManagementCall, parts: Parts, block: NewBlock) -> StoredBlock:
    doors = call.doors
    inflow = Inflow(call.request.pieces(parts.idle_seconds), block.length)
    running = RunningHash(ALGORITHMS[CANONICAL]())
    appender = await doors.run(parts.store.appender, block.session, (), 0)
    try:
        length = await receive(inflow, appender, running, doors.executor)
        if length != block.length:
            raise Problem(Kind.REQUEST_INVALID, reason="the body is not as long as its Content-Length")
        BYTES_IN.inc(length)
        return await doors.run(settle, parts.store, block, appender, running)
    finally:
        # Does nothing to what was sealed.
        await asyncio.shield(doors.run(appender.abandon))
