"""What every route of Graph does: who may, what was sent, and how an answer is written.

Everybody of the directory reads it. Whoever may give roles on every subscription of the tenant changes it: they could
give themselves every right anyway, and a secret added to an application gives its rights to whoever adds it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import Connection

from entrepot.access.directory_tokens import Assertion
from entrepot.access.model import Access, Member
from entrepot.access.secrets import hash_secret
from entrepot.arm.bodies import Json, convert, merge, parse_object
from entrepot.arm.descriptor import Page
from entrepot.arm.filters import Term, parse_filter
from entrepot.arm.paging import next_link, page_asked
from entrepot.arm.tracing import tracing_headers
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Detail, record_change
from entrepot.gate.management import ManagementCall
from entrepot.gate.turns import Turns
from entrepot.identities.graph import queries
from entrepot.identities.operations import Operation
from entrepot.identities.rules import PASSWORD_LENGTHS, normal
from entrepot.web.answer import JSON, Answer, AnyAnswer, header
from entrepot.web.routing import Route

BODY_LIMIT: Final = 256 * 1024
READ: Final = Member("everybody of the directory may know who is in it")
CHANGE: Final = Member("who may give roles on every subscription of the tenant; asked before the handler runs")
_GIVING_ROLES: Final = "Microsoft.Authorization/roleAssignments/write"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """``idle_seconds``: how long a body may stall."""

    idle_seconds: float
    slow_hashes: Turns


@dataclass(frozen=True, slots=True)
class Asked:
    """What a handler is asked. ``sent``: the body; ``password_hash``: of the password in it, if it has one."""

    params: dict[str, str]
    sent: dict[str, Json]
    caller: Assertion
    now: datetime
    new_id: Callable[[], str]
    password_hash: str = field(default="", repr=False)

    def __getitem__(self, name: str) -> str:
        return self.params[name]

    @property
    def tenant(self) -> str:
        return self.caller.tenant

    def body(self, wanted: type[T]) -> T:
        """Raises RESOURCE_INVALID."""
        return convert(merge({}, self.sent), wanted)

    def guid(self) -> str:
        """A new id, as Graph writes them."""
        return str(UUID(hex=self.new_id()))


# A document of Graph, or nothing.
Shown = msgspec.Struct | None
One = Callable[[Connection, Asked], Shown]
Rows = Callable[[Connection, Asked, tuple[Term, ...], Page], Sequence[msgspec.Struct]]
Handler = Callable[[ManagementCall, Parts], Awaitable[AnyAnswer]]
GraphRoute = Route[Handler, Access]


def reads(path: str, one: One, method: str = "GET") -> GraphRoute:
    """A row that shows one document."""

    async def handle(call: ManagementCall, parts: Parts) -> AnyAnswer:
        asked = await _asked(call, parts, path)
        return shown(call, HTTPStatus.OK, await call.doors.read(one, asked))

    return Route(method, f"/v1.0{path}", _saying(handle, one.__doc__), READ)


def lists(path: str, rows: Rows, filters: dict[str, str]) -> GraphRoute:
    """A row that shows a page of a collection. ``filters``: what its ``$filter`` may ask."""

    async def handle(call: ManagementCall, parts: Parts) -> AnyAnswer:
        asked = await _asked(call, parts, path)
        terms, page = parse_filter(call.request.query("$filter"), filters), page_asked(call.request)
        found = await call.doors.read(rows, asked, terms, Page(page.after, page.limit + 1))
        value: dict[str, Any] = {"value": found[: page.limit]}  # documents, then perhaps the link
        if len(found) > page.limit:
            value["@odata.nextLink"] = next_link(
                call.origin, call.request, str(getattr(found[page.limit - 1], "id", ""))
            )
        return shown(call, HTTPStatus.OK, value)

    return Route("GET", f"/v1.0{path}", _saying(handle, rows.__doc__), READ)


def changes(
    method: str, path: str, operation: Operation, one: One, status: HTTPStatus = HTTPStatus.NO_CONTENT
) -> GraphRoute:
    """A row that changes the directory. ``operation``: its name in the audit log."""

    async def handle(call: ManagementCall, parts: Parts) -> AnyAnswer:
        await _expect_may_change(call)
        asked, cause = await _hashed(await _asked(call, parts, path), parts), call.change()

        def change(tx: Connection) -> Shown:
            document = one(tx, asked)
            target = path.format_map(asked.params) if asked.params else f"{path}/{getattr(document, 'id', '')}"
            record_change(tx, cause, operation, target, _told(asked, document))
            return document

        return shown(call, status, await call.doors.write(change))

    return Route(method, f"/v1.0{path}", _saying(handle, one.__doc__), CHANGE)


def _told(asked: Asked, document: Shown) -> Detail:
    """For the audit log: what is there now, or what was sent where nothing is shown."""
    return {"sent": asked.sent} if document is None else {"after": msgspec.to_builtins(document)}


async def _expect_may_change(call: ManagementCall) -> None:
    """Raises DENIED."""
    subscriptions = await call.doors.read(queries.subscriptions_of, call.caller.tenant)
    scopes = [f"/subscriptions/{subscription}" for subscription in subscriptions]
    for scope in scopes or ["/"]:
        if not await call.may(_GIVING_ROLES, scope):
            raise Problem(Kind.DENIED, reason=f"The directory is changed by who may {_GIVING_ROLES} on {scope}.")


async def _asked(call: ManagementCall, parts: Parts, path: str) -> Asked:
    names = [part[1:-1] for part in path.replace("(", "/").split("/") if part.startswith("{")]
    params = {name: call.param(name) for name in names}
    if any("\0" in value for value in params.values()):
        raise missing("\\0")
    sent: dict[str, Json] = {}
    if call.request.method in {"POST", "PATCH", "PUT"}:
        sent = parse_object(await call.request.body(BODY_LIMIT, parts.idle_seconds))
    return Asked(params, sent, call.caller, call.now(), call.new_id)


class _Password(msgspec.Struct):
    password: Annotated[str, msgspec.Meta(max_length=PASSWORD_LENGTHS[1])] | None = None


class _WithPassword(msgspec.Struct, rename="camel"):
    password_profile: _Password | None = None


async def _hashed(asked: Asked, parts: Parts) -> Asked:
    """Before the transaction: argon2 takes its time, and nobody else writes meanwhile. Raises RESOURCE_INVALID."""
    profile = asked.body(_WithPassword).password_profile
    if profile is None or profile.password is None:
        return asked
    return replace(asked, password_hash=await parts.slow_hashes.run(hash_secret, normal(profile.password)))


def shown(call: ManagementCall, status: HTTPStatus, document: Shown | dict[str, Any]) -> Answer:
    """An answer with this body, or none where there is nothing to show."""
    headers = [*tracing_headers(call.request), header(b"request-id", call.request.id)]
    if document is None:
        return Answer(HTTPStatus.NO_CONTENT, headers)
    return Answer(status, [JSON, *headers], msgspec.json.encode(document))


def missing(object_id: str) -> Problem:
    """That nobody has this id, in Graph's words."""
    reason = (
        f"Resource '{object_id[:64]}' does not exist or one of its queried reference-property objects are not present."
    )
    return Problem(Kind.RESOURCE_UNKNOWN, reason=reason)


def _saying(handler: Handler, what: str | None) -> Handler:
    """The line of the reference page."""
    handler.__doc__ = (what or "").strip().partition("\n")[0]
    return handler
