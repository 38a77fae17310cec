"""The audit log's changes as Azure's activity log: ``Microsoft.Insights/eventtypes/management/values``.

Spec: Azure Monitor, "Activity Logs - List", api-version 2015-04-01. What was before and after stands in ``properties``.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5

import msgspec
from sqlalchemy import Connection

from entrepot.arm.descriptor import Ask, Listing, Page, ResourceType
from entrepot.arm.filters import Term, equals, parse_filter
from entrepot.arm.resources.subscriptions import SUBSCRIPTIONS
from entrepot.auditing import queries
from entrepot.auditing.filters import moment
from entrepot.auditing.queries import ChangeRow, Place, Wanted
from entrepot.errors import Kind, Problem

LONGEST: Final = timedelta(days=90)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Clients write the moment with and without quotes.
_MOMENT: Final = r"'?([0-9][0-9T:.Z+-]*)'?"
_FILTERS: Final = {
    "eventTimestamp ge": rf"eventTimestamp\s+ge\s+{_MOMENT}",
    "eventTimestamp le": rf"eventTimestamp\s+le\s+{_MOMENT}",
    "resourceGroupName eq": equals("resourceGroupName"),
    "resourceUri eq": equals("resourceUri"),
    "resourceId eq": equals("resourceId"),
    "resourceProvider eq": equals("resourceProvider"),
    "correlationId eq": equals("correlationId"),
    "caller eq": equals("caller"),
    "status eq": equals("status"),
}
_SUCCEEDED: Final = "Succeeded"


class Localized(msgspec.Struct, rename="camel"):
    """Text for programs and for people: the same here."""

    value: str
    localized_value: str


class Authorization(msgspec.Struct):
    action: str
    scope: str


class HttpRequest(msgspec.Struct, rename="camel"):
    client_request_id: str
    client_ip_address: str


class ActivityDocument(msgspec.Struct, rename="camel", omit_defaults=True):
    """An event. What ``$select`` does not name is left out."""

    id: str
    authorization: Authorization | None = None
    caller: str | None = None
    category: Localized | None = None
    correlation_id: str | None = None
    description: str | None = None
    event_data_id: str | None = None
    event_name: Localized | None = None
    event_timestamp: datetime | None = None
    http_request: HttpRequest | None = None
    level: str | None = None
    operation_id: str | None = None
    operation_name: Localized | None = None
    properties: dict[str, str] | None = None
    resource_group_name: str | None = None
    resource_id: str | None = None
    resource_provider_name: Localized | None = None
    resource_type: Localized | None = None
    status: Localized | None = None
    sub_status: Localized | None = None
    submission_timestamp: datetime | None = None
    subscription_id: str | None = None
    tenant_id: str | None = None


_MEMBERS: Final = {field.encode_name: field.name for field in msgspec.structs.fields(ActivityDocument)}


def _rows(tx: Connection, ask: Ask, page: Page) -> Sequence[ActivityDocument]:
    """Raises REQUEST_INVALID, PAGE_INVALID."""
    terms = parse_filter(ask.filter, _FILTERS)
    unselected = _unselected(ask.select)
    if any(term.what == "status eq" and term.value.lower() != _SUCCEEDED.lower() for term in terms):
        return []  # only changes that were made are in the log
    found = queries.changes(tx, _wanted(ask, terms), _place(page.after), page.limit)
    return [_document(row, ask, unselected) for row in found]


def _wanted(ask: Ask, terms: tuple[Term, ...]) -> Wanted:
    told = {term.what: term.value for term in terms}
    subscription = f"/subscriptions/{ask['subscription']}".lower()
    below = [subscription]
    if "resourceGroupName eq" in told:
        below.append(f"{subscription}/resourcegroups/{told['resourceGroupName eq']}".lower())
    below += [told[name].rstrip("/").lower() for name in ("resourceUri eq", "resourceId eq") if name in told]
    since, until = _moment(told.get("eventTimestamp ge")), _moment(told.get("eventTimestamp le"))
    if since is None:
        raise _invalid("'eventTimestamp ge' is missing: say from when on")
    until = until or ask.now
    if until - since > LONGEST:
        raise _invalid(f"ask for {LONGEST.days} days at most")
    provider = told.get("resourceProvider eq")
    return Wanted(
        since,
        until,
        tuple(below),
        None if provider is None else provider.lower(),
        told.get("caller eq"),
        told.get("correlationId eq"),
    )


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else moment(text)
    except ValueError as error:
        raise _invalid(str(error)) from None


def _invalid(reason: str) -> Problem:
    return Problem(Kind.REQUEST_INVALID, code="InvalidFilterInQueryString", reason=f"the $filter: {reason}")


def _unselected(text: str | None) -> tuple[str, ...]:
    """The members that are left out: none, unless some are asked for."""
    asked = {name.strip() for name in (text or "").split(",") if name.strip()}
    unknown = asked - set(_MEMBERS)
    if unknown:
        reason = f"$select names '{min(unknown)[:64]}', and can name: {', '.join(_MEMBERS)}"
        raise Problem(Kind.REQUEST_INVALID, reason=reason)
    return tuple(member for name, member in _MEMBERS.items() if asked and name not in asked | {"id"})


def _place(token: str) -> Place | None:
    if not token:
        return None
    at, _, entry = token.partition(".")
    try:
        return Place(_EPOCH + timedelta(microseconds=int(at)), int(entry))
    except (ValueError, OverflowError):
        raise Problem(Kind.PAGE_INVALID, reason="'$skiptoken' is the one of a nextLink.") from None


def _document(row: ChangeRow, ask: Ask, unselected: tuple[str, ...]) -> ActivityDocument:
    kind = row.action.removesuffix("/action").rpartition("/")[0]
    ticks = (row.at - _EPOCH) // timedelta(microseconds=1)
    event = str(uuid5(NAMESPACE_URL, f"{row.request_id}/{row.id}"))
    parts = row.target.split("/")
    document = ActivityDocument(
        id=f"{row.target}/events/{event}/ticks/{ticks}.{row.id}",
        authorization=Authorization(row.action, row.target),
        caller=row.principal,
        category=_localized("Administrative"),
        correlation_id=row.request_id,
        description="",
        event_data_id=event,
        event_name=_localized("EndRequest"),
        event_timestamp=row.at,
        http_request=HttpRequest(row.request_id, row.address),
        level="Informational",
        operation_id=row.request_id,
        operation_name=_localized(row.action),
        properties=_properties(row.detail),
        resource_group_name=parts[4] if parts[3:4] and parts[3].lower() == "resourcegroups" else "",
        resource_id=row.target,
        resource_provider_name=_localized(kind.partition("/")[0]),
        resource_type=_localized(kind),
        status=_localized(_SUCCEEDED),
        sub_status=_localized(""),
        submission_timestamp=row.at,
        subscription_id=ask["subscription"],
        tenant_id=ask.caller.tenant,
    )
    for name in unselected:
        setattr(document, name, None)
    return document


def _localized(text: str) -> Localized:
    return Localized(text, text)


def _properties(detail: str) -> dict[str, str]:
    """Each member is text in Azure's log; what is no text is JSON in it."""
    told = msgspec.json.decode(detail, type=dict[str, msgspec.Raw])
    return {name: bytes(value).decode() for name, value in told.items()}


ACTIVITY: Final[ResourceType[ActivityDocument, None]] = ResourceType(
    name="Microsoft.Insights/eventtypes/values",
    paths=(),
    versions=("2014-04-01", "2015-04-01", "2017-03-01-preview"),
    document=ActivityDocument,
    lists=(
        Listing(
            f"{SUBSCRIPTIONS.paths[0]}/providers/Microsoft.Insights/eventtypes/management/values",
            SUBSCRIPTIONS.paths[0],
            _rows,
        ),
    ),
    parents=(SUBSCRIPTIONS,),
)
