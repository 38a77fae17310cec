"""From descriptors to the rows of one route table, and what each row does with a request."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from entrepot.access.model import Access, Member, Operation
from entrepot.arm.bodies import convert, merge, parse_object, unknown_members
from entrepot.arm.conditions import etag_of, expect_match, is_current
from entrepot.arm.descriptor import Act, AnyResource, Ask, Deployment, Document, Going, Listing, Page
from entrepot.arm.going import going_headers
from entrepot.arm.locks.rules import Doing, expect_unlocked
from entrepot.arm.paging import next_link, page_asked, top_left
from entrepot.arm.tracing import tracing_headers
from entrepot.arm.versions import SUPPORTED, expect_version
from entrepot.errors import Kind, Problem
from entrepot.events.audit import record_change
from entrepot.gate.management import ManagementCall
from entrepot.web.answer import JSON, Answer, AnyAnswer, Headers, header
from entrepot.web.request import Request
from entrepot.web.routing import Route

Handler = Callable[[ManagementCall, Deployment], Awaitable[AnyAnswer]]
ArmRoute = Route[Handler, Access]
# A table holds types with documents and bodies of their own; each handler gets those of its type.
Write = Callable[[Connection, Ask, Any, Any], Document]
Delete = Callable[[Connection, Ask, Any], Document | Going[Any] | None]

BODY_LIMIT: Final = 4 * 1024 * 1024
PARAMETER: Final = re.compile(r"\{(\w+)\}")
# No name has more, a slash would be another resource, and PostgreSQL takes no NUL.
_SEGMENT: Final = re.compile(r"[^/\0]{1,260}")
_LISTED: Final = Member("it lists what the caller may read")


def rows_of(resource: AnyResource) -> Iterator[ArmRoute]:
    """Every row of the type. Its permissions follow from its name."""
    for row in _rows_of(resource):
        yield replace(row, handler=_telling_versions(resource, row.handler))


def _rows_of(resource: AnyResource) -> Iterator[ArmRoute]:
    for listing in resource.lists:
        yield Route("GET", listing.path, _list(resource, listing), _LISTED)
    for path in resource.paths:
        open_to = resource.open_to
        reads: Access = Operation(resource.operation("read"), path) if open_to is None else Member(open_to)
        yield Route("GET", path, _get(resource, path), reads)
        writes, body = Operation(resource.operation("write"), path), resource.body or dict
        if resource.put is not None:
            yield Route("PUT", path, _put(resource, path, resource.put, body), writes)
        if resource.patch is not None:
            yield Route("PATCH", path, _patch(resource, path, resource.patch, body), writes)
        if resource.delete is not None:
            deletes = Operation(resource.operation("delete"), path)
            yield Route("DELETE", path, _delete(resource, path, resource.delete), deletes)
    for act in resource.acts:
        yield Route(act.method, act.path, _act(resource, act), Operation(act.operation, act.scope))


def _telling_versions(resource: AnyResource, handler: Handler) -> Handler:
    """Every answer but a refusal says which versions the type has. Source: ACR-REFERENCE 6.2."""
    told = header(SUPPORTED, ", ".join(resource.versions))

    async def tell(call: ManagementCall, deployment: Deployment) -> AnyAnswer:
        answer = await handler(call, deployment)
        answer.headers = [*answer.headers, told]
        return answer

    return _saying(tell, handler.__doc__ or "")


def _get(resource: AnyResource, path: str) -> Handler:
    async def get(call: ManagementCall, deployment: Deployment) -> AnyAnswer:
        ask = _asked(resource, path, call, deployment)
        content = msgspec.json.encode(await call.doors.read(_found, resource, ask))
        etag = etag_of(content)
        if call.request.method == "HEAD":
            return Answer(HTTPStatus.NO_CONTENT, [*tracing_headers(call.request), header(b"etag", etag)])
        if is_current(call.request, etag):
            return Answer(HTTPStatus.NOT_MODIFIED, [*tracing_headers(call.request), header(b"etag", etag)])
        return _shown(call.request, HTTPStatus.OK, content, etag)

    return _saying(get, f"One of {resource.name}.")


def _list(resource: AnyResource, listing: Listing[Any]) -> Handler:
    async def list_page(call: ManagementCall, deployment: Deployment) -> AnyAnswer:
        ask = _asked(resource, listing.path, call, deployment)
        page = page_asked(call.request)
        more = Page(page.after, page.limit + 1)
        found = await call.doors.read(_rows, resource, listing, ask, more)
        shown = found[: page.limit]
        left = top_left(call.request, len(shown)) if listing.top_is_all else None
        is_more = len(found) > page.limit and left != 0
        link = next_link(call.origin, call.request, listing.order(shown[-1]), left) if is_more else None
        if listing.scope is not None:
            shown = await _readable(call, resource.operation("read"), listing, filled(listing.scope, ask), shown)
        value: dict[str, Any] = {"value": shown}  # documents of the type, then perhaps the link
        content = msgspec.json.encode(value if link is None else {**value, "nextLink": link})
        return _shown(call.request, HTTPStatus.OK, content)

    return _saying(list_page, f"List of {resource.name}.")


async def _readable(
    call: ManagementCall, operation: str, listing: Listing[Any], scope: str, found: Sequence[Document]
) -> list[Document]:
    """What of it the caller may read: everything by a right on the whole, or what it has a right on itself."""
    if await call.may(operation, scope):
        return list(found)
    reading = listing.reading
    asked = [(operation if reading is None else reading(document), document.id) for document in found]
    return [document for document, may in zip(found, await call.may_each(asked), strict=True) if may]


def _put(resource: AnyResource, path: str, write_one: Write, body: type) -> Handler:
    async def put(call: ManagementCall, deployment: Deployment) -> AnyAnswer:
        ask = _asked(resource, path, call, deployment)
        sent, cause = await _sent(call, deployment), call.change()
        unheard = unknown_members(sent, resource.document, body)

        def write(tx: Connection) -> tuple[Document, bool]:
            expect_parents(tx, resource, ask)
            current = resource.get(tx, ask)
            _expect_match(call.request, current)
            expect_unlocked(tx, resource, ask.id, Doing.WRITE)
            written = write_one(tx, ask, convert(merge({}, sent), body), current)
            record_change(tx, cause, resource.operation("write"), written.id, _told(current, written, unheard))
            return written, current is None

        document, is_new = await call.doors.write(write)
        return _written(call.request, unheard, document, resource.created if is_new else HTTPStatus.OK)

    return _saying(put, f"Create or replace one of {resource.name}.")


def _patch(resource: AnyResource, path: str, write_one: Write, body: type) -> Handler:
    async def patch(call: ManagementCall, deployment: Deployment) -> AnyAnswer:
        ask = _asked(resource, path, call, deployment)
        sent, cause = await _sent(call, deployment), call.change()
        unheard = unknown_members(sent, resource.document, body)

        def write(tx: Connection) -> Document:
            current = _found(tx, resource, ask)
            _expect_match(call.request, current)
            expect_unlocked(tx, resource, ask.id, Doing.WRITE)
            merged = merge(msgspec.to_builtins(current), sent, resource.by_name)
            written = write_one(tx, ask, convert(merged, body), current)
            record_change(tx, cause, resource.operation("write"), written.id, _told(current, written, unheard))
            return written

        document = await call.doors.write(write)
        return _written(call.request, unheard, document, HTTPStatus.OK)

    return _saying(patch, f"Change members of one of {resource.name}.")


def _delete(resource: AnyResource, path: str, delete_one: Delete) -> Handler:
    async def delete(call: ManagementCall, deployment: Deployment) -> AnyAnswer:
        ask, cause = _asked(resource, path, call, deployment), call.change()

        def remove(tx: Connection) -> tuple[bool, Document | Going[Any] | None]:
            current = resource.get(tx, ask)
            _expect_match(call.request, current)
            if current is None and resource.absent is HTTPStatus.NOT_FOUND:
                raise unknown(resource, ask.id)
            if current is None:
                return False, None
            expect_unlocked(tx, resource, ask.id, Doing.DELETE)
            record_change(tx, cause, resource.operation("delete"), current.id, _told(current, None))
            return True, delete_one(tx, ask, current)

        was_there, shown = await call.doors.write(remove)
        if isinstance(shown, Going):
            return _going(call, ask, shown)
        if shown is not None:
            return _shown(call.request, HTTPStatus.OK, msgspec.json.encode(shown))
        return Answer(HTTPStatus.OK if was_there else HTTPStatus.NO_CONTENT, tracing_headers(call.request))

    return _saying(delete, f"Delete one of {resource.name}.")


def _act(resource: AnyResource, act: Act) -> Handler:
    async def run(call: ManagementCall, deployment: Deployment) -> AnyAnswer:
        ask, cause = _asked(resource, act.path, call, deployment), call.change()
        body: Any = None  # each action has its own
        if act.body is not None:
            body = convert(merge({}, await _sent(call, deployment)), act.body)

        def do(tx: Connection) -> Any:  # noqa: ANN401  each action has its own answer
            expect_unlocked(tx, resource, filled(act.scope, ask), Doing.WRITE)
            answer = act.does(tx, ask, body)
            record_change(tx, cause, act.operation, filled(act.scope, ask), {"asked": msgspec.to_builtins(body)})
            return answer

        answer = await (call.doors.write(do) if act.writes else call.doors.read(act.does, ask, body))
        if act.is_long:
            return _going(call, ask, answer)
        return _shown(call.request, HTTPStatus.OK, msgspec.json.encode(answer))

    return _saying(run, (act.does.__doc__ or "").strip().partition("\n")[0])


def _asked(resource: AnyResource, path: str, call: ManagementCall, deployment: Deployment) -> Ask:
    expect_version(call.request, resource.versions, resource.name)
    params = {name: call.param(name) for name in PARAMETER.findall(path)}
    for value in params.values():
        if not _SEGMENT.fullmatch(value):
            raise Problem(Kind.NAME_INVALID, name=value[:64].replace("\0", ""), reason="No resource is named so.")
    return Ask(
        template=path,
        id=PARAMETER.sub(lambda found: params[found[1]], path),
        params=params,
        filter=call.request.query("$filter"),
        select=call.request.query("$select"),
        caller=call.caller,
        now=call.now(),
        new_id=call.new_id,
        login_server=call.site.hosts.login_server,
        origin=call.origin,
        deployment=deployment,
    )


def filled(template: str, ask: Ask) -> str:
    """A path with what the request says in it."""
    return PARAMETER.sub(lambda found: ask.params[found[1]], template)


def expect_parents(tx: Connection, resource: AnyResource, ask: Ask) -> None:
    """Raises RESOURCE_UNKNOWN for the first resource above that is not there."""
    for parent in _above(resource, ask.template):
        if parent.get(tx, ask) is None:
            raise unknown(parent, filled(parent.paths[0], ask))


def _above(resource: AnyResource, template: str) -> Iterator[AnyResource]:
    """The resources that the template's path lies below, the highest first."""
    found = [parent for parent in resource.parents if template.startswith(parent.paths[0] + "/")]
    if found:
        nearest = max(found, key=lambda parent: len(parent.paths[0]))
        yield from _above(nearest, nearest.paths[0])
        yield nearest


def unknown(resource: AnyResource, resource_id: str) -> Problem:
    """That there is no such resource, in Resource Manager's words."""
    name = resource_id.rpartition("/")[2]
    match resource.not_found:
        case "SubscriptionNotFound":
            reason = f"The subscription '{name}' could not be found."
        case "ResourceGroupNotFound":
            reason = f"Resource group '{name}' could not be found."
        case _:
            group = re.search(r"/resourceGroups/([^/]+)", resource_id, re.IGNORECASE)
            under = f" under resource group '{group[1]}'" if group else ""
            reason = f"The Resource '{resource.name}/{name}'{under} was not found. {resource.why_none}".rstrip()
    return Problem(Kind.RESOURCE_UNKNOWN, code=resource.not_found, reason=reason)


def _found(tx: Connection, resource: AnyResource, ask: Ask) -> Document:
    document = resource.get(tx, ask)
    if document is None:
        expect_parents(tx, resource, ask)
        raise unknown(resource, ask.id)
    return document


def _rows(tx: Connection, resource: AnyResource, listing: Listing[Any], ask: Ask, page: Page) -> Sequence[Document]:
    expect_parents(tx, resource, ask)
    return listing.rows(tx, ask, page)


def _expect_match(request: Request, current: Document | None) -> None:
    expect_match(request, None if current is None else etag_of(msgspec.json.encode(current)))


def _told(before: Document | None, after: Document | None, unheard: Sequence[str] = ()) -> dict[str, Any]:
    """For the audit log: the document as it was and as it is, and the members that nobody knows."""
    documents = {"before": before, "after": after}
    told = {when: msgspec.to_builtins(document) for when, document in documents.items() if document is not None}
    return {**told, "unknownMembers": list(unheard)} if unheard else told


async def _sent(call: ManagementCall, deployment: Deployment) -> dict[str, Any]:
    return parse_object(await call.request.body(BODY_LIMIT, deployment.idle_seconds))


def _written(request: Request, unheard: Sequence[str], document: Document, status: HTTPStatus) -> Answer:
    content = msgspec.json.encode(document)
    answer = _shown(request, status, content, etag_of(content))
    shown = [path for path in unheard if path.isascii() and path.isprintable()]
    if shown:
        listed = ", ".join(shown).replace("\\", "").replace('"', "")[:512]
        answer.headers = [*answer.headers, header(b"warning", f'299 - "unknown members were left out: {listed}"')]
    return answer


def _going(call: ManagementCall, ask: Ask, going: Going[Any]) -> Answer:
    """Accepted: where to ask how it goes, and perhaps the resource as it is meanwhile."""
    content = b"" if going.document is None else msgspec.json.encode(going.document)
    answer = _shown(call.request, HTTPStatus.ACCEPTED, content)
    answer.headers = [*answer.headers, *going_headers(call, ask, going.operation)]
    return answer


def _shown(request: Request, status: HTTPStatus, content: bytes, etag: str | None = None) -> Answer:
    headers: Headers = [JSON, *tracing_headers(request)]
    return Answer(status, headers if etag is None else [*headers, header(b"etag", etag)], content)


def _saying(handler: Handler, what: str) -> Handler:
    """The line of the reference page."""
    handler.__doc__ = what
    return handler
