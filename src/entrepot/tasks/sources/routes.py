"""The addresses that git servers call: one for each source trigger, which its secret proves.

They are for the whole world, so the management API's networks do not count here. What is not signed leaves no row: it
is logged, and written down once a minute.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection

from entrepot.access.model import Access, Public
from entrepot.errors import Kind, Problem
from entrepot.gate.management import ManagementCall
from entrepot.tasks.sources.deliveries import read_delivery
from entrepot.tasks.sources.evaluating import Evaluator, Verdict, mark_of
from entrepot.tasks.sources.model import Change
from entrepot.tasks.sources.signatures import is_signed, sender_of
from entrepot.tasks.triggers import queries
from entrepot.tasks.triggers.queries import Source
from entrepot.tasks.triggers.sources import FOLDER, secret_of
from entrepot.web.answer import JSON, Answer, AnyAnswer
from entrepot.web.routing import Route

log: Final = structlog.stdlib.get_logger(__name__)

# Of a delivery. A push of 2,048 commits, which is the most that GitHub tells of, is about 3 MB.
BODY_LIMIT: Final = 4 * 1024 * 1024
_HOOK: Final = re.compile(r"[0-9a-f]{32}")
_NOT_KNOWN: Final = (
    "there is no such hook, or what it got is not signed with its secret: entrepot task hook TASK shows both"
)
_NOTHING: Final = Verdict("Nothing is built for events of this kind: pushes and pull requests count.")


@dataclass(frozen=True, slots=True)
class Parts:
    """``idle_seconds``: how long a body may stall."""

    evaluator: Evaluator
    idle_seconds: float


class Received(msgspec.Struct):
    """What became of each change that a delivery tells of."""

    value: list[Verdict]


async def receive(call: ManagementCall, parts: Parts) -> AnyAnswer:
    """A push to a git repository, or what happened to a pull request, signed by the server that tells of it.

    Raises RESOURCE_UNKNOWN, REQUEST_INVALID.
    """
    hook = call.param("hook")
    source = await call.doors.read(queries.find_hook, hook) if _HOOK.fullmatch(hook) else None
    if source is None:
        raise _refused(call, "")
    body = await call.request.body(BODY_LIMIT, parts.idle_seconds)
    sender = sender_of(call.request.header)
    if sender is None:
        raise _refused(call, hook)
    server, event = sender
    if not is_signed(server, call.request.header, body, secret_of(parts.evaluator.sealer, source)):
        raise _refused(call, hook)
    changes = read_delivery(server, event, call.request.header, body)
    verdicts = await call.doors.write(_evaluate, parts.evaluator, source, (changes, mark_of(body)), call.now())
    return Answer(200, [JSON], msgspec.json.encode(Received(verdicts or [_NOTHING])))


def _evaluate(
    tx: Connection, evaluator: Evaluator, source: Source, told: tuple[list[Change], str], now: datetime
) -> list[Verdict]:
    changes, mark = told
    held = queries.hold_source(tx, source.id)
    if held is None:
        return []
    queries.update_source(tx, source.id, {"delivered_at": now})
    return [evaluator.evaluate(tx, held, change, now, mark) for change in changes]


def _refused(call: ManagementCall, hook: str) -> Problem:
    """``hook``: of one that there is, else empty."""
    log.warning("task_hook_refused", hook=hook, address=call.request.client)
    call.site.auditor.token_refused("", f"hook {hook or 'unknown'}: {_NOT_KNOWN}", call.audit_origin())
    return Problem(Kind.RESOURCE_UNKNOWN, code="ResourceNotFound", reason=_NOT_KNOWN)


_WHY_PUBLIC: Final = "git servers sign what they send with the hook's secret"
ROUTES: Final[tuple[Route[Callable[[ManagementCall, Parts], Awaitable[AnyAnswer]], Access], ...]] = (
    Route("POST", f"{FOLDER}/{{hook}}", receive, Public(_WHY_PUBLIC)),
)
