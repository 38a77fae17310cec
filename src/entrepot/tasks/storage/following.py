"""A run's log as server-sent events, for whoever wants to see it as it comes. Spec: WHATWG HTML, "Server-sent events".

An event's id is how many bytes of the log came up to its end, so a client goes on where it was (Last-Event-ID). An
answer is short: it keeps no server from stopping, and one whose client has gone costs little.
"""

import asyncio
import codecs
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from entrepot.errors import Kind, Problem
from entrepot.gate.management import ManagementCall
from entrepot.tasks.logs.queries import find_log
from entrepot.tasks.storage import reading
from entrepot.tasks.storage.parts import Parts
from entrepot.telemetry.metrics import BYTES_OUT
from entrepot.web.answer import AnyAnswer, StreamAnswer
from entrepot.web.ranges import ByteRange
from entrepot.web.request import parse_number

EVENTS: Final = "text/event-stream"
# Of a worker process.
STREAMS: Final = 64
_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.25
# More often while something comes: what is said last is followed by the run's end.
_LIVELY_SECONDS: Final = 1.0
_LIVELY_LOOK_SECONDS: Final = 0.05
_KEEP_ALIVE_SECONDS: Final = 5.0
_HEADERS: Final = ((b"content-type", EVENTS.encode()), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))


class Text(msgspec.Struct):
    """What came of the log. JSON, because a line of an event cannot hold what a terminal is told."""

    text: str


class End(msgspec.Struct):
    """Nothing more comes; how the run ended."""

    status: str


async def get_log(call: ManagementCall, parts: Parts) -> AnyAnswer:
    """The log as a blob, or to whoever accepts nothing but events as such."""
    if call.request.method == "HEAD" or (call.request.header(b"accept") or "").strip().lower() != EVENTS:
        return await reading.get_log(call, parts)
    run = await call.doors.read(reading.run_of, call.param("log"))
    if run is None:
        raise Problem(Kind.BLOB_UNKNOWN)
    start = parse_number(call.request.header(b"last-event-id") or "0", "Last-Event-ID")
    found = await call.doors.read(find_log, run)
    if found is not None and found.is_whole and 0 < found.length <= start:
        # To a client that comes back after the end: so it does not come again.
        return StreamAnswer(204, _HEADERS, reading.nothing(), None)
    if parts.streams.going >= STREAMS:
        raise Problem(Kind.TOO_MANY_REQUESTS, reason="too many logs are followed at once", retry_after=5)
    return StreamAnswer(200, _HEADERS, _following(call, parts, run, start), None)


async def _following(call: ManagementCall, parts: Parts, run: int, start: int) -> AsyncIterator[bytes]:
    """Events until the end of the log, or of this answer's time."""
    parts.streams.going += 1
    try:
        clock = asyncio.get_running_loop().time
        until, said = clock() + _SECONDS, clock()
        yield b"retry: 500\n\n"
        while clock() < until:
            log = await call.doors.read(find_log, run)
            if log is None:
                return
            if log.length > start:
                content = await call.doors.run(_content, call, parts, run, ByteRange(start, log.length))
                text, taken = decoded(content, is_end=log.is_whole and start + len(content) == log.length)
                start, said = start + taken, clock()
                BYTES_OUT.inc(taken)
                yield event("log", start, Text(text))
                continue
            if log.is_whole:
                yield event("end", start, End(log.status))
                return
            if clock() - said > _KEEP_ALIVE_SECONDS:
                said = clock()
                yield b": nothing new\n\n"
            await asyncio.sleep(_LIVELY_LOOK_SECONDS if clock() - said < _LIVELY_SECONDS else _LOOK_SECONDS)
    finally:
        parts.streams.going -= 1


def _content(call: ManagementCall, parts: Parts, run: int, asked: ByteRange) -> bytes:
    """The first piece."""
    return next(reading.log_bytes(call.doors.database, parts.store, run, asked), b"")


def decoded(content: bytes, *, is_end: bool) -> tuple[str, int]:
    """The text, without a character whose rest is still to come; and how many bytes it is."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(content, is_end)
    return text, len(content) - len(decoder.getstate()[0])


def event(name: str, number: int, content: Text | End) -> bytes:
    return b"event: %b\nid: %d\ndata: %b\n\n" % (name.encode(), number, msgspec.json.encode(content))
