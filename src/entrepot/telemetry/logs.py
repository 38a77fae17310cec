"""Structured logs: an event with fields, as JSON lines or for a person. Never a secret, never a sentence."""

import logging
import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal

import msgspec
import structlog

Format = Literal["console", "json"]
AccessPolicy = Literal["on", "errors", "off"]

# A write of at most PIPE_BUF bytes is atomic, so lines of several processes do not mix.
_ATOMIC: Final = 4096
_BAD_REQUEST: Final = 400


def configure_logs(log_format: Format, level: str) -> None:
    """Send structlog's and the standard library's records to standard error in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if log_format == "console"
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # It tells each plug-in that it loads.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class AccessRecord(msgspec.Struct):
    """One request as the access log tells it. ``seconds`` end when the answer was handed to the server."""

    timestamp: str
    request_id: str
    client: str
    principal: str
    method: str
    host: str
    path: str
    status: int
    seconds: float
    user_agent: str
    event: str = "request"


class AccessLog:
    """Writes one line per request, several lines at a time: a write each would cost more than the line."""

    def __init__(self, log_format: Format, policy: AccessPolicy, file: int | None = None) -> None:
        self._file = sys.stderr.fileno() if file is None else file
        self._policy = policy
        self._render: Callable[[AccessRecord], bytes] = _json_line if log_format == "json" else _console_line
        self._pending = bytearray()

    def wants(self, status: int) -> bool:
        return self._policy == "on" or (self._policy == "errors" and status >= _BAD_REQUEST)

    def write(self, record: AccessRecord) -> None:
        line = self._render(record)
        if len(self._pending) + len(line) > _ATOMIC:
            self.flush()
        self._pending += line

    def flush(self) -> None:
        """Called by the worker several times a second and at its end."""
        if self._pending:
            pending, self._pending = self._pending, bytearray()
            os.write(self._file, pending)


_TO_MICROSECONDS: Final = len("2026-01-02T03:04:05.678901")  # the offset follows
_encode: Final = msgspec.json.Encoder().encode


def _json_line(record: AccessRecord) -> bytes:
    return _encode(record) + b"\n"


def _console_line(record: AccessRecord) -> bytes:
    duration = f"{record.seconds * 1000:.1f}ms"
    who = f"{record.client} {record.principal} {record.request_id}"
    text = f"{record.timestamp} {record.method} {record.path} {record.status} {duration} {who}"
    # A path can hold anything that a client sent; a terminal must not obey it.
    return text.encode("unicode_escape") + b"\n"


def timestamp(now: datetime) -> str:
    """ISO 8601 in UTC with microseconds; half as long as ``strftime`` takes."""
    return now.isoformat(timespec="microseconds")[:_TO_MICROSECONDS] + "Z"
