"""The resource type Microsoft.ContainerRegistry/registries/taskRuns: runs that templates make. Source: ACR-TASKS 6.7.

A PUT begins the run and answers at once; until the run has ended the resource says that it is being created, which
clients of Resource Manager wait for. The same request again runs nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct, field
from sqlalchemy import Connection

from entrepot.access.sealing import Sealer
from entrepot.arm.descriptor import Act, Ask, Listing, Page, ResourceType
from entrepot.arm.identities import Identity, IdentityBody, Settling, read_identity, write_identity
from entrepot.arm.versions import TASKS
from entrepot.errors import Kind, Problem
from entrepot.tasks.model import Text, shown
from entrepot.tasks.owners import Owner, Registries
from entrepot.tasks.resource import queries
from entrepot.tasks.resource.model import Moments
from entrepot.tasks.resource.queries import TaskRunRow, TaskRunValues
from entrepot.tasks.resource.rules import expect_task_run_name
from entrepot.tasks.resource.secrets import Secrets, hide_of_request, reveal_in_request, seal, unseal
from entrepot.tasks.resource.writing import expect_place, location_of, moments
from entrepot.tasks.runs.documents import document
from entrepot.tasks.runs.model import RunDocument, Status
from entrepot.tasks.runs.queries import run_of
from entrepot.tasks.runs.requests import RunRequest

_TYPE: Final = "Microsoft.ContainerRegistry/registries/taskRuns"
# By the run's status; one that has not ended is none of these.
_STATES: Final[Mapping[str, str]] = {
    Status.SUCCEEDED: "Succeeded",
    Status.FAILED: "Failed",
    Status.ERROR: "Failed",
    Status.TIMEOUT: "Failed",
    Status.CANCELED: "Canceled",
}
_GOING: Final = "Creating"


class TaskRunSettings(Struct, frozen=True, rename="camel", omit_defaults=True):
    """``force_update_tag``: another text than before runs the same request again."""

    run_request: RunRequest | None = None
    force_update_tag: Text | None = None


class TaskRunBody(Struct, frozen=True):
    location: str = ""
    identity: IdentityBody = field(default_factory=IdentityBody)
    properties: TaskRunSettings = field(default_factory=TaskRunSettings)


class TaskRunProperties(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    provisioning_state: str
    run_request: RunRequest | None = None
    run_result: RunDocument | None = None
    force_update_tag: str | None = None


class TaskRunDocument(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    id: str
    name: str
    location: str
    identity: Identity | None = None
    system_data: Moments
    properties: TaskRunProperties
    type: str = shown(default=_TYPE)


# Begins a run, as the identity if there is one; its row's id.
Schedule: TypeAlias = Callable[[Connection, Ask, Owner, RunRequest, Identity | None], int]


def task_runs(registries: Registries, schedule: Schedule) -> ResourceType[TaskRunDocument, TaskRunBody]:
    """The type below that of registries."""
    path = f"{registries.resource.paths[0]}/taskRuns"
    one, handlers = f"{path}/{{taskRun}}", _Handlers(registries, schedule)
    details = Act(
        f"{one}/listDetails",
        one,
        f"{_TYPE}/listDetails/action",
        handlers.list_details,
        answer=TaskRunDocument,
        writes=True,
    )
    return ResourceType(
        name=_TYPE,
        paths=(one,),
        versions=TASKS,
        document=TaskRunDocument,
        get=handlers.find,
        body=TaskRunBody,
        lists=(Listing(path, registries.resource.paths[0], handlers.rows),),
        put=handlers.put,
        patch=handlers.patch,
        delete=handlers.delete,
        acts=(details,),
        parents=registries.parents,
    )


@dataclass(frozen=True, slots=True)
class _Handlers:
    registries: Registries
    schedule: Schedule

    def find(self, tx: Connection, ask: Ask) -> TaskRunDocument | None:
        registry = self.registries.find(tx, ask)
        row = None if registry is None else queries.find_task_run(tx, registry.id, ask["taskRun"])
        return None if registry is None or row is None else self._document(tx, ask, registry, row)

    def rows(self, tx: Connection, ask: Ask, page: Page) -> Sequence[TaskRunDocument]:
        registry = self.registries.find(tx, ask)
        if registry is None:
            return []
        found = queries.task_runs(tx, registry.id, page.after, page.limit)
        return [self._document(tx, ask, registry, row) for row in found]

    def put(self, tx: Connection, ask: Ask, body: TaskRunBody, current: TaskRunDocument | None) -> TaskRunDocument:
        """Raises NAME_INVALID, RESOURCE_INVALID, RESOURCE_EXISTS, DENIED, and what the request is refused with."""
        if current is None:
            expect_task_run_name(ask["taskRun"])
        return self._write(tx, ask, body, body.properties.run_request)

    def patch(self, tx: Connection, ask: Ask, body: TaskRunBody, current: TaskRunDocument) -> TaskRunDocument:  # noqa: ARG002  one shape
        """Secrets that are not told stay. Raises as ``put`` does."""
        row, request = self._row(tx, ask)[1], body.properties.run_request
        if request is not None:
            request = reveal_in_request(request, _secrets(ask.deployment.sealer, row))
        return self._write(tx, ask, body, request)

    def delete(self, tx: Connection, ask: Ask, current: TaskRunDocument) -> None:  # noqa: ARG002  one shape
        """What ran stays, and what still runs goes on."""
        queries.delete_task_run(tx, self._row(tx, ask)[1].id)

    def list_details(self, tx: Connection, ask: Ask, body: None) -> TaskRunDocument:  # noqa: ARG002  one shape
        """The task run with its secrets in clear."""
        registry, row = self._row(tx, ask)
        shown_one = self._document(tx, ask, registry, row)
        properties = msgspec.structs.replace(shown_one.properties, run_request=_request(ask.deployment.sealer, row))
        return msgspec.structs.replace(shown_one, properties=properties)

    def _write(self, tx: Connection, ask: Ask, body: TaskRunBody, request: RunRequest | None) -> TaskRunDocument:
        """``request``: with its secrets."""
        registry, name, sealer = self.registries.owner(tx, ask), ask["taskRun"], ask.deployment.sealer
        if request is None:
            raise Problem(Kind.RESOURCE_INVALID, target="properties.runRequest", reason="a task run asks for a run")
        row = queries.find_task_run(tx, registry.id, name)
        location = location_of(ask, body.location, registry.region if row is None else row.location)
        if row is not None:
            expect_place(row.location, location)
        was = None if row is None else read_identity(row.identity)
        identity = Settling(tx, ask).settle(body.identity, was)
        tag = body.properties.force_update_tag
        run_id = None if row is None else row.run_id
        if row is None or request != _request(sealer, row) or tag != _settings(row).force_update_tag:
            run_id = self.schedule(tx, ask, registry, request, identity)
        hidden, secrets = hide_of_request(request)
        values = TaskRunValues(
            identity=write_identity(identity),
            properties=msgspec.json.encode(TaskRunSettings(hidden, tag)).decode(),
            secrets=seal(sealer, secrets, _purpose_of(registry.id, name)),
            run_id=run_id,
            updated_at=ask.now,
        )
        if row is None:
            queries.insert_task_run(tx, registry.id, name, location, values)
        else:
            queries.update_task_run(tx, row.id, values)
        return self._document(tx, ask, *self._row(tx, ask))

    def _row(self, tx: Connection, ask: Ask) -> tuple[Owner, TaskRunRow]:
        """Raises RESOURCE_UNKNOWN."""
        registry = self.registries.owner(tx, ask)
        row = queries.find_task_run(tx, registry.id, ask["taskRun"])
        if row is None:
            reason = f"The Resource '{_TYPE}/{ask['taskRun']}' was not found."
            raise Problem(Kind.RESOURCE_UNKNOWN, code="ResourceNotFound", reason=reason)
        return registry, row

    def _document(self, tx: Connection, ask: Ask, registry: Owner, row: TaskRunRow) -> TaskRunDocument:
        settings = _settings(row)
        run = None if row.run_id is None else run_of(tx, row.run_id)
        return TaskRunDocument(
            id=f"{registry.resource_id}/taskRuns/{row.name}",
            name=row.name,
            location=row.location,
            identity=read_identity(row.identity),
            system_data=moments(row.created_at, row.updated_at),
            properties=TaskRunProperties(
                # Of a run that is not kept any more nobody knows how it ended: it did.
                provisioning_state="Succeeded" if run is None else _STATES.get(run.status, _GOING),
                run_request=settings.run_request,
                run_result=None
                if run is None
                else document(registry.resource_id, ask.login_server(registry.name), run, None),
                force_update_tag=settings.force_update_tag,
            ),
        )


def _settings(row: TaskRunRow) -> TaskRunSettings:
    return msgspec.json.decode(row.properties, type=TaskRunSettings)


def _request(sealer: Sealer, row: TaskRunRow) -> RunRequest | None:
    """With its secrets."""
    request = _settings(row).run_request
    return None if request is None else reveal_in_request(request, _secrets(sealer, row))


def _secrets(sealer: Sealer, row: TaskRunRow) -> Secrets:
    return unseal(sealer, row.secrets, _purpose_of(row.registry_id, row.name))


def _purpose_of(registry_id: int, name: str) -> str:
    """Under which secrets are sealed: they open for this task run alone."""
    return f"task run {registry_id}/{name.lower()}"
