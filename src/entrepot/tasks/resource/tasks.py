"""The resource type Microsoft.ContainerRegistry/registries/tasks. Source: ACR-TASKS 5.

Every change ends at once, which az takes as done. What is secret is sealed apart, and only listDetails shows it; a
change that does not name a secret keeps it, a replacement does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec
from msgspec.structs import asdict
from sqlalchemy import Connection

from entrepot.access.sealing import Sealer
from entrepot.arm.descriptor import Act, Ask, Listing, Page, ResourceType
from entrepot.arm.tags import expect_tags
from entrepot.arm.versions import TASKS
from entrepot.errors import Kind, Problem
from entrepot.tasks.owners import Identities, Owner, Registries
from entrepot.tasks.resource import queries
from entrepot.tasks.resource.explaining import Explanation, explain
from entrepot.tasks.resource.identity import Settling, read_identity, write_identity
from entrepot.tasks.resource.model import IdentityBody, Status, TaskBody, TaskDocument, TaskProperties, TaskSettings
from entrepot.tasks.resource.queries import TaskRow, TaskValues
from entrepot.tasks.resource.rules import expect_task, expect_task_name, without_empty
from entrepot.tasks.resource.secrets import Secrets, hide_of_task, reveal_in_task, seal, unseal
from entrepot.tasks.resource.writing import creation_date, expect_place, location_of, moments
from entrepot.tasks.triggers.timers import Named, set_timers

_TYPE: Final = "Microsoft.ContainerRegistry/registries/tasks"


def tasks(registries: Registries, identities: Identities) -> ResourceType[TaskDocument, TaskBody]:
    """The type below that of registries."""
    path = f"{registries.resource.paths[0]}/tasks"
    one, handlers = f"{path}/{{task}}", _Handlers(registries, identities)
    details = Act(
        f"{one}/listDetails",
        one,
        f"{_TYPE}/listDetails/action",
        handlers.list_details,
        answer=TaskDocument,
        writes=True,
    )
    why = Act(f"{one}/explainTriggers", one, f"{_TYPE}/read", handlers.explain_triggers, answer=Explanation)
    return ResourceType(
        name=_TYPE,
        paths=(one,),
        versions=TASKS,
        document=TaskDocument,
        get=handlers.find,
        body=TaskBody,
        lists=(Listing(path, registries.resource.paths[0], handlers.rows),),
        put=handlers.put,
        patch=handlers.patch,
        by_name=("timerTriggers", "sourceTriggers"),
        delete=handlers.delete,
        # az prints what it was told of any other answer, not the task.
        created=HTTPStatus.OK,
        acts=(details, why),
        parents=registries.parents,
    )


@dataclass(frozen=True, slots=True)
class _Handlers:
    registries: Registries
    identities: Identities

    def find(self, tx: Connection, ask: Ask) -> TaskDocument | None:
        registry = self.registries.find(tx, ask)
        row = None if registry is None else queries.find_task(tx, registry.id, ask["task"])
        return None if registry is None or row is None else _document(registry, row, settings_of(row))

    def rows(self, tx: Connection, ask: Ask, page: Page) -> Sequence[TaskDocument]:
        registry = self.registries.find(tx, ask)
        if registry is None:
            return []
        found = queries.tasks(tx, registry.id, page.after, page.limit)
        return [_document(registry, row, settings_of(row)) for row in found]

    def put(self, tx: Connection, ask: Ask, body: TaskBody, current: TaskDocument | None) -> TaskDocument:
        """Raises NAME_INVALID, RESOURCE_INVALID, RESOURCE_EXISTS, DENIED."""
        if current is None:
            expect_task_name(ask["task"])
        return self._write(tx, ask, body, body.properties)

    def patch(self, tx: Connection, ask: Ask, body: TaskBody, current: TaskDocument) -> TaskDocument:  # noqa: ARG002  one shape
        """Raises RESOURCE_INVALID, RESOURCE_EXISTS, DENIED."""
        _, row = self._row(tx, ask)
        return self._write(tx, ask, body, reveal_in_task(body.properties, secrets_of(ask.deployment.sealer, row)))

    def delete(self, tx: Connection, ask: Ask, current: TaskDocument) -> None:  # noqa: ARG002  one shape
        """Its own identity goes with it; its runs stay."""
        _, row = self._row(tx, ask)
        Settling(tx, ask, self.identities).settle(IdentityBody(), read_identity(row.identity))
        queries.delete_task(tx, row.id)

    def list_details(self, tx: Connection, ask: Ask, body: None) -> TaskDocument:  # noqa: ARG002  one shape
        """The task with its secrets in clear."""
        registry, row = self._row(tx, ask)
        return _document(registry, row, full_settings(ask.deployment.sealer, row))

    def explain_triggers(self, tx: Connection, ask: Ask, body: None) -> Explanation:  # noqa: ARG002  one shape
        """What its triggers wait for, and what they made of what happened lately."""
        return explain(tx, self._row(tx, ask)[1].id)

    def _write(self, tx: Connection, ask: Ask, body: TaskBody, written: TaskSettings) -> TaskDocument:
        """``written``: with all the secrets that it is to have."""
        registry, name = self.registries.owner(tx, ask), ask["task"]
        row = queries.find_task(tx, registry.id, name)
        settings = without_empty(written)
        expect_tags(body.tags)
        expect_task(name, settings)
        _expect_pool(tx, registry, settings)
        location = location_of(ask, body.location, registry.region if row is None else row.location)
        if row is not None:
            expect_place(row.location, location)
        was = None if row is None else read_identity(row.identity)
        own = f"{registry.name}/tasks/{name if row is None else row.name}"
        identity = Settling(tx, ask, self.identities).settle(body.identity, was, own)
        shown, secrets = hide_of_task(settings)
        values = TaskValues(
            tags=msgspec.json.encode(body.tags).decode(),
            identity=write_identity(identity),
            properties=msgspec.json.encode(shown).decode(),
            secrets=seal(ask.deployment.sealer, secrets, _purpose_of(registry.id, name)),
            updated_at=ask.now,
        )
        if row is None:
            queries.insert_task(tx, registry.id, name, location, values)
        else:
            queries.update_task(tx, row.id, values)
        made = self._row(tx, ask)[1]
        set_timers(tx, made.id, _timers(settings), ask.now)
        return _document(registry, made, settings_of(made))

    def _row(self, tx: Connection, ask: Ask) -> tuple[Owner, TaskRow]:
        """Raises RESOURCE_UNKNOWN."""
        registry = self.registries.owner(tx, ask)
        row = queries.find_task(tx, registry.id, ask["task"])
        if row is None:
            raise Problem(
                Kind.RESOURCE_UNKNOWN,
                code="ResourceNotFound",
                reason=f"The Resource '{_TYPE}/{ask['task']}' was not found.",
            )
        return registry, row


def settings_of(row: TaskRow) -> TaskSettings:
    """As anybody may read them."""
    return msgspec.json.decode(row.properties, type=TaskSettings)


def full_settings(sealer: Sealer, row: TaskRow) -> TaskSettings:
    """With the secrets: what a run works with."""
    return reveal_in_task(settings_of(row), secrets_of(sealer, row))


def secrets_of(sealer: Sealer, row: TaskRow) -> Secrets:
    return unseal(sealer, row.secrets, _purpose_of(row.registry_id, row.name))


def _timers(settings: TaskSettings) -> list[Named]:
    """Those that begin runs: of a task that is disabled, none."""
    if settings.trigger is None or settings.status is Status.DISABLED:
        return []
    timers = settings.trigger.timer_triggers
    return [Named(each.name, each.schedule) for each in timers if each.status is Status.ENABLED]


def _purpose_of(registry_id: int, name: str) -> str:
    """Under which secrets are sealed: they open for this task alone."""
    return f"task {registry_id}/{name.lower()}"


def _expect_pool(tx: Connection, registry: Owner, settings: TaskSettings) -> None:
    pool = settings.agent_pool_name
    if pool is not None and ("\0" in pool or queries.find_pool(tx, registry.id, pool) is None):
        reason = f"'{registry.name}' has no agent pool '{pool[:64]}'"
        raise Problem(Kind.RESOURCE_INVALID, target="properties.agentPoolName", reason=reason)


def _document(registry: Owner, row: TaskRow, settings: TaskSettings) -> TaskDocument:
    return TaskDocument(
        id=f"{registry.resource_id}/tasks/{row.name}",
        name=row.name,
        location=row.location,
        tags=msgspec.json.decode(row.tags, type=dict[str, str]),
        identity=read_identity(row.identity),
        system_data=moments(row.created_at, row.updated_at),
        properties=TaskProperties(**asdict(settings), creation_date=creation_date(row.created_at)),
    )
