"""Blobs as they are read: a source, or the log of a run while it grows and after. Spec: Azure Storage, "Get Blob"."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from entrepot.catalog.files import queries as files
from entrepot.catalog.files.model import KeptFile
from entrepot.content.model import ContentStore
from entrepot.db.database import Database
from entrepot.errors import Kind, Problem
from entrepot.gate.doors import Doors
from entrepot.gate.management import ManagementCall
from entrepot.tasks.logs.queries import find_log, read_log
from entrepot.tasks.storage import queries
from entrepot.tasks.storage.parts import Parts
from entrepot.tasks.storage.queries import RunName
from entrepot.telemetry.metrics import BYTES_OUT
from entrepot.web.answer import AnyAnswer, StreamAnswer, header
from entrepot.web.ranges import ByteRange, parse_ranges
from entrepot.web.request import Request

_SOURCE: Final = re.compile(r"([0-9a-f]{32})\.tar\.gz")
_LOG: Final = re.compile(r"([0-9a-f]{32})-([a-z0-9]{1,32})-([0-9]{1,18})\.log")
# What one look into the catalog takes of a log that grows.
_STEP: Final = 256 * 1024
# What az takes for the end of a log, and for its exit code (AZ-CLI-FLOWS 4).
COMPLETE: Final = {
    "Succeeded": "successful",
    "Failed": "failed",
    "Canceled": "canceled",
    "Error": "internalerror",
    "Timeout": "timedout",
}
_RANGES: Final = (b"accept-ranges", b"bytes")
_FRESH: Final = (b"cache-control", b"no-store")


def source_id(name: str) -> str:
    """The file that a blob's name means. Raises BLOB_UNKNOWN."""
    match = _SOURCE.fullmatch(name)
    if match is None:
        raise Problem(Kind.BLOB_UNKNOWN, blob=name[:64])
    return match[1]


async def get_source(call: ManagementCall, parts: Parts) -> AnyAnswer:
    """The source, whole or one range of it."""
    file = await call.doors.read(files.find_file, source_id(call.param("source")))
    if file is None:
        raise Problem(Kind.BLOB_UNKNOWN)
    headers = [(b"content-type", b"application/octet-stream"), (b"x-ms-blob-type", b"BlockBlob"), _RANGES, _FRESH]
    return await _answer(
        call, headers, file.length, lambda asked: parts.store.read(file.pieces, asked.start, asked.stop)
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """A log at one moment. ``complete``: how its run ended, once nothing more comes."""

    run: int
    length: int
    complete: str | None


async def get_log(call: ManagementCall, parts: Parts) -> AnyAnswer:
    """The log of a run as far as it has come. That it is whole, and how the run ended, a header tells."""
    seen = await call.doors.read(_look, call.param("log"))
    if seen is None:
        raise Problem(Kind.BLOB_UNKNOWN)
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-ms-blob-type", b"AppendBlob"), _RANGES, _FRESH]
    if seen.complete is not None:
        headers.append(header(b"x-ms-meta-complete", seen.complete))
    return await _answer(
        call, headers, seen.length, lambda asked: log_bytes(call.doors.database, parts.store, seen.run, asked)
    )


def run_of(tx: Connection, name: str) -> int | None:
    """The run whose log a blob's name means, by its row."""
    match = _LOG.fullmatch(name)
    if match is None or queries.find_run(tx, int(match[3])) != RunName(match[1], match[2]):
        return None
    return int(match[3])


def _look(tx: Connection, name: str) -> _Seen | None:
    """None until there is a first byte, as clients expect, and when the log has gone."""
    run = run_of(tx, name)
    log = None if run is None else find_log(tx, run)
    if run is None or log is None or not (log.length or log.is_whole):
        return None
    if log.length and log.file is None and not read_log(tx, run, 0, 1) and not _file_of(tx, run):
        return None
    return _Seen(run, log.length, COMPLETE.get(log.status) if log.is_whole else None)


def _file_of(tx: Connection, run: int) -> KeptFile | None:
    log = find_log(tx, run)
    return None if log is None or log.file is None else files.find_file(tx, log.file)


def log_bytes(database: Database, store: ContentStore, run: int, wanted: ByteRange) -> Iterator[bytes]:
    """A range of a log, from its rows or from the file that it has become meanwhile. Raises STORAGE_UNAVAILABLE when
    it has gone.
    """
    start = wanted.start
    while start < wanted.stop:
        found = database.read(_part, run, start, min(start + _STEP, wanted.stop))
        if isinstance(found, KeptFile):
            yield from store.read(found.pieces, start, wanted.stop)
            return
        yield found
        start += len(found)


def _part(tx: Connection, run: int, start: int, stop: int) -> bytes | KeptFile:
    # Rows first: they go in the transaction that names the file, so where there are none the file is named.
    content = read_log(tx, run, start, stop)
    if content:
        return content
    file = _file_of(tx, run)
    if file is None:
        raise Problem(Kind.STORAGE_UNAVAILABLE, reason="the log has gone")
    return file


# --- answers ----------------------------------------------------------------------------------------------------------


async def _answer(
    call: ManagementCall, headers: list[tuple[bytes, bytes]], length: int, read: Callable[[ByteRange], Iterator[bytes]]
) -> AnyAnswer:
    """A blob of so many bytes, or the range of it that is asked for. Raises RANGE_INVALID, what ``read`` raises."""
    if call.request.method == "HEAD":
        return StreamAnswer(200, headers, nothing(), length)
    asked = _range(call.request, length)
    if asked is None:
        return StreamAnswer(200, headers, await _stream(call.doors, read(ByteRange(0, length))), length)
    headers.append(header(b"content-range", asked.content_range(length)))
    return StreamAnswer(206, headers, await _stream(call.doors, read(asked)), asked.stop - asked.start)


def _range(request: Request, length: int) -> ByteRange | None:
    """Clients of Azure write x-ms-range, which counts before Range. Blob Storage takes one range at a time."""
    text = request.header(b"x-ms-range") or request.header(b"range")
    ranges = None if text is None else parse_ranges(text, length)
    if ranges is None:
        return None
    if len(ranges) > 1:
        raise Problem(Kind.RANGE_INVALID, length=length)
    return ranges[0]


async def _stream(doors: Doors, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """One chunk at a time, each in a thread; the first before the status is sent, so that a failure can be told."""
    first = await doors.run(next, chunks, None)

    async def stream() -> AsyncIterator[bytes]:
        chunk = first
        while chunk is not None:
            BYTES_OUT.inc(len(chunk))
            yield chunk
            chunk = await doors.run(next, chunks, None)

    return stream()


async def nothing() -> AsyncIterator[bytes]:
    return
    yield b""
