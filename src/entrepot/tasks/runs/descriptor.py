"""The resource type Microsoft.ContainerRegistry/registries/runs, and what begins them. Source: ACR-TASKS 6."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, cast

import msgspec
from sqlalchemy import Connection

from entrepot.arm.descriptor import Act, Ask, Listing, Page, ResourceType
from entrepot.arm.filters import Term, equals, parse_filter
from entrepot.arm.versions import TASKS
from entrepot.errors import Kind, Problem
from entrepot.tasks.logs import queries as logs
from entrepot.tasks.owners import Owner, Registries
from entrepot.tasks.runs import queries
from entrepot.tasks.runs.documents import NUMBERED_BELOW, document, order_of
from entrepot.tasks.runs.model import FINAL, Outcome, RunDocument, Status
from entrepot.tasks.runs.names import run_number
from entrepot.tasks.runs.queries import RunRow, Wanted
from entrepot.tasks.runs.requests import RunRequest

_VALUE: Final = r"'?(?P<text>[^'\s]+)'?"
_TIMES: Final = ("CreateTime", "FinishTime")
_SIGNS: Final = ("ge", "gt", "le", "lt", "eq")
_FILTERS: Final = {
    **{f"{each} eq": equals(each) for each in ("RunId", "RunType", "Status", "TaskName", "AgentPoolName")},
    "OutputImageManifests eq": equals("OutputImageManifests"),
    "contains(OutputImageManifests)": r"contains\(\s*OutputImageManifests\s*,\s*'(?P<text>[^']+)'\s*\)",
    "IsArchiveEnabled eq": rf"IsArchiveEnabled\s+eq\s+{_VALUE}",
    **{f"{each} {sign}": rf"{each}\s+{sign}\s+{_VALUE}" for each in _TIMES for sign in _SIGNS},
}


class SourceUpload(msgspec.Struct, rename="camel"):
    """Where to put an archive, and what to call it then."""

    upload_url: str
    relative_path: str


class LogLink(msgspec.Struct, rename="camel"):
    log_link: str


class RunPatch(msgspec.Struct, rename="camel"):
    is_archive_enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What this room needs of others.

    ``schedule``: makes a run, and answers its row's id. ``source_upload``, ``log_link``: addresses that are good for a
    while.
    """

    registries: Registries
    schedule: Callable[[Connection, Ask, Owner, RunRequest], int]
    source_upload: Callable[[Connection, Ask, Owner], SourceUpload]
    log_link: Callable[[Connection, Ask, RunRow], str]


def runs(parts: Parts) -> ResourceType[RunDocument, RunPatch]:
    """The type below that of registries."""
    resource = parts.registries.resource
    registry, of_registry = resource.paths[0], f"{resource.name}/"
    path = f"{registry}/runs"
    one, handlers = f"{path}/{{run}}", _Handlers(parts)
    return ResourceType(
        name="Microsoft.ContainerRegistry/registries/runs",
        paths=(one,),
        versions=TASKS,
        document=RunDocument,
        get=handlers.find,
        body=RunPatch,
        lists=(Listing(path, registry, handlers.rows, order=order_of, top_is_all=True),),
        patch=handlers.patch,
        acts=(
            Act(f"{one}/cancel", one, f"{of_registry}runs/cancel/action", handlers.cancel, writes=True),
            Act(
                f"{one}/listLogSasUrl",
                one,
                f"{of_registry}runs/listLogSasUrl/action",
                handlers.log_link,
                answer=LogLink,
            ),
            Act(
                f"{registry}/scheduleRun",
                registry,
                f"{of_registry}scheduleRun/action",
                handlers.schedule,
                cast("type[RunRequest]", RunRequest),  # a union is a type to msgspec
                RunDocument,
                writes=True,
            ),
            Act(
                f"{registry}/listBuildSourceUploadUrl",
                registry,
                f"{of_registry}listBuildSourceUploadUrl/action",
                handlers.source_upload,
                answer=SourceUpload,
                writes=True,
            ),
        ),
        parents=parts.registries.parents,
    )


@dataclass(frozen=True, slots=True)
class _Handlers:
    parts: Parts

    def find(self, tx: Connection, ask: Ask) -> RunDocument | None:
        owner = self.parts.registries.find(tx, ask)
        row = None if owner is None else _find(tx, ask, owner)
        return None if owner is None or row is None else _shown(tx, ask, owner, row)

    def rows(self, tx: Connection, ask: Ask, page: Page) -> Sequence[RunDocument]:
        """The newest first. Raises REQUEST_INVALID for a filter that is none."""
        owner = self.parts.registries.find(tx, ask)
        wanted = wanted_of(ask.filter)
        if owner is None or wanted is None:
            return []
        if page.after:
            wanted = replace(wanted, below=NUMBERED_BELOW - _number(page.after))
        return [_shown(tx, ask, owner, row) for row in queries.runs(tx, owner.id, wanted, page.limit)]

    def patch(self, tx: Connection, ask: Ask, body: RunPatch, current: RunDocument) -> RunDocument:  # noqa: ARG002  one shape
        owner, row = self._row(tx, ask)
        if body.is_archive_enabled is not None:
            queries.set_archived(tx, row.id, body.is_archive_enabled, ask.now)
        return self._again(tx, ask, owner, row.id)

    def cancel(self, tx: Connection, ask: Ask, body: None) -> None:  # noqa: ARG002  one shape
        """End a run that has not ended; one that has is left as it is."""
        _, row = self._row(tx, ask)
        if row.status == Status.QUEUED:
            outcome = msgspec.json.encode(Outcome(error="the run was canceled before it began")).decode()
            queries.finish(tx, row.id, Status.CANCELED, outcome, ask.now)
            # Without a line there would be no log, and az waits for one.
            logs.append_log(tx, row.id, f"Run ID: {row.name} was canceled before it began\r\n".encode())
        elif row.status not in FINAL:
            queries.cancel(tx, row.id, ask.now)

    def log_link(self, tx: Connection, ask: Ask, body: None) -> LogLink:  # noqa: ARG002  one shape
        """Where the run's log can be read, also while it grows."""
        return LogLink(self.parts.log_link(tx, ask, self._row(tx, ask)[1]))

    def schedule(self, tx: Connection, ask: Ask, request: RunRequest) -> RunDocument:
        """Run a task, or something once. Raises RESOURCE_INVALID, RESOURCE_UNKNOWN."""
        owner = self.parts.registries.owner(tx, ask)
        return self._again(tx, ask, owner, self.parts.schedule(tx, ask, owner, request))

    def source_upload(self, tx: Connection, ask: Ask, body: None) -> SourceUpload:  # noqa: ARG002  one shape
        """Where to put the archive that a run is to work on."""
        return self.parts.source_upload(tx, ask, self.parts.registries.owner(tx, ask))

    def _row(self, tx: Connection, ask: Ask) -> tuple[Owner, RunRow]:
        """Raises RESOURCE_UNKNOWN."""
        owner = self.parts.registries.owner(tx, ask)
        row = _find(tx, ask, owner)
        if row is None:
            reason = f"The run '{ask['run']}' was not found. List the registry's runs: az acr task list-runs."
            raise Problem(Kind.RESOURCE_UNKNOWN, code="RunNotFound", reason=reason)
        return owner, row

    def _again(self, tx: Connection, ask: Ask, owner: Owner, run_id: int) -> RunDocument:
        row = queries.run_of(tx, run_id)
        assert row is not None  # noqa: S101  it was there in this transaction
        return _shown(tx, ask, owner, row)


def _shown(tx: Connection, ask: Ask, owner: Owner, row: RunRow) -> RunDocument:
    ahead = queries.place_of(tx, row) if row.status == Status.QUEUED else None
    return document(owner.resource_id, ask.login_server(owner.name), row, ahead)


def _find(tx: Connection, ask: Ask, owner: Owner) -> RunRow | None:
    number = run_number(ask["run"])
    return None if number is None else queries.find_run(tx, owner.id, number)


def _number(after: str) -> int:
    """Raises PAGE_INVALID."""
    if re.fullmatch(r"[0-9]{19}", after) is None:
        raise Problem(Kind.PAGE_INVALID, reason="'$skiptoken' is the one of a nextLink.")
    return int(after)


def wanted_of(text: str | None) -> Wanted | None:
    """What ``$filter`` asks for (ACR-TASKS 6.4); None for what no run can be. Raises REQUEST_INVALID."""
    wanted = Wanted()
    for term in parse_filter(text, _FILTERS):
        found = _with(wanted, term)
        if found is None:
            return None
        wanted = found
    return wanted


def _with(wanted: Wanted, term: Term) -> Wanted | None:
    member, _, sign = term.what.partition(" ")
    match member:
        case "RunId":
            number = run_number(term.value)
            return None if number is None else replace(wanted, number=number)
        case "IsArchiveEnabled":
            return replace(wanted, is_archived=term.value.lower() == "true")
        case "CreateTime":
            return replace(wanted, created=(*wanted.created, (sign, _time(term))))
        case "FinishTime":
            return replace(wanted, finished=(*wanted.finished, (sign, _time(term))))
        case "OutputImageManifests" | "contains(OutputImageManifests)":
            return replace(wanted, image=term.value)
        case _:
            name = {"RunType": "type", "Status": "status", "TaskName": "task", "AgentPoolName": "pool"}[member]
            return replace(wanted, **{name: term.value})


def _time(term: Term) -> datetime:
    """Raises REQUEST_INVALID."""
    try:
        at = datetime.fromisoformat(term.value)
    except ValueError:
        reason = f"{term.value!r} is no time: 2026-11-27T08:30:00Z is one"
        raise Problem(Kind.REQUEST_INVALID, code="InvalidFilterInQueryString", reason=reason) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
