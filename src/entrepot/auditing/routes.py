"""The audit log over HTTP, for whoever may read the activity log of the deployment's subscription."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

import msgspec

from entrepot.access.model import Access, Operation
from entrepot.auditing.export import line_of, shown
from entrepot.auditing.filters import moment
from entrepot.errors import Kind, Problem
from entrepot.events import queries
from entrepot.events.queries import Filter
from entrepot.gate.management import ManagementCall
from entrepot.web.answer import JSON, Answer, AnyAnswer, header
from entrepot.web.request import parse_number
from entrepot.web.routing import Route

PAGE: Final = 100
PAGE_LIMIT: Final = 1000
LINES: Final = "application/jsonl"
_LARGEST: Final = 2**63 - 1
_TEXTS: Final = ("principal", "action", "registry", "result")
_MOMENTS: Final = ("since", "until")


async def list_entries(call: ManagementCall, parts: None) -> Answer:  # noqa: ARG001  handlers have one shape
    """Chained entries of the audit log by their numbers, as JSON or, if asked for `application/jsonl`, a line each."""
    after = min(parse_number(call.request.query("after") or "0", "after"), _LARGEST)
    count = min(parse_number(call.request.query("n") or str(PAGE), "n"), PAGE_LIMIT)
    rows = await call.doors.read(queries.chained_after, _filter(call), after, count)
    headers = [(b"cache-control", b"no-store")]
    following = _next(call, rows[-1]["sequence"]) if count and len(rows) == count else None
    if LINES in (call.request.header(b"accept") or ""):
        if following:
            headers.append(header(b"link", f'<{following}>; rel="next"'))
        body = b"".join(line_of(row) + b"\n" for row in rows)
        return Answer(200, [*headers, header(b"content-type", LINES)], body)
    page = {"value": [shown(row) for row in rows], **({"nextLink": following} if following else {})}
    return Answer(200, [*headers, JSON], msgspec.json.encode(page))


def _filter(call: ManagementCall) -> Filter:
    texts = {name: call.request.query(name) for name in _TEXTS}
    if any("\0" in text for text in texts.values() if text is not None):
        raise Problem(Kind.REQUEST_INVALID, reason="nothing in the log has a NUL")
    since, until = (_moment(name, call.request.query(name)) for name in _MOMENTS)
    return Filter(since, until, **texts)


def _moment(name: str, text: str | None) -> datetime | None:
    try:
        return None if text is None else moment(text)
    except ValueError as error:
        raise Problem(Kind.REQUEST_INVALID, reason=f"{name}: {error}") from None


def _next(call: ManagementCall, after: int) -> str:
    asked = {name: call.request.query(name) for name in (*_TEXTS, *_MOMENTS, "n")}
    query = urlencode({**{name: value for name, value in asked.items() if value is not None}, "after": after})
    return f"{call.origin}{call.request.path}?{query}"


ROUTES: Final[tuple[Route[Callable[[ManagementCall, None], Awaitable[AnyAnswer]], Access], ...]] = (
    Route(
        "GET",
        "/entrepot/subscriptions/{subscription}/audit",
        list_entries,
        Operation("Microsoft.Insights/eventtypes/values/read", "/subscriptions/{subscription}"),
    ),
)
