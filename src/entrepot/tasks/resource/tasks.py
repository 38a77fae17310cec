"""The resource type Microsoft.ContainerRegistry/registries/tasks. Source: ACR-TASKS 5.

Every change ends at once, which az takes as done. What is secret is sealed apart, and only listDetails shows it; a
change that does not name a secret keeps it, a replacement does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final

import msgspec
from msgspec.structs import asdict
from sqlalchemy import Connection

from entrepot.access.sealing import Sealer
from entrepot.arm.descriptor import Act, Ask, Listing, Page, ResourceType
from entrepot.arm.identities import IdentityBody, Own, Settling, read_identity, write_identity
from entrepot.arm.tags import expect_tags
from entrepot.arm.versions import TASKS
from entrepot.errors import Kind, Problem
from entrepot.tasks.context import Nothing, parse_context
from entrepot.tasks.model import BaseImage
from entrepot.tasks.owners import Owner, Registries
from entrepot.tasks.resource import queries
from entrepot.tasks.resource.explaining import Explanation, explain
from entrepot.tasks.resource.model import (
    BaseImageTriggerType,
    PayloadType,
    Status,
    TaskBody,
    TaskDocument,
    TaskProperties,
    TaskSettings,
    shown_step,
)
from entrepot.tasks.resource.queries import TaskRow, TaskValues
from entrepot.tasks.resource.rules import expect_identities, expect_task, expect_task_name, without_empty
from entrepot.tasks.resource.secrets import Secrets, hide_of_task, reveal_in_task, seal, unseal
from entrepot.tasks.resource.source_triggers import HookOfTrigger, SourceHook, SourceHooks, hook_of, watched
from entrepot.tasks.resource.writing import creation_date, expect_place, location_of, moments
from entrepot.tasks.triggers.events.queries import EventTrigger, replace_triggers, triggers_of
from entrepot.tasks.triggers.images.model import SCAN, Trigger
from entrepot.tasks.triggers.images.queries import is_resolved, shown_bases
from entrepot.tasks.triggers.images.tracking import accounts_of, set_image_trigger
from entrepot.tasks.triggers.queries import sources_of
from entrepot.tasks.triggers.sources import Keys, renew_secret, set_sources
from entrepot.tasks.triggers.timers import Named, set_timers

_TYPE: Final = "Microsoft.ContainerRegistry/registries/tasks"


def tasks(registries: Registries) -> ResourceType[TaskDocument, TaskBody]:
    """The type below that of registries."""
    path = f"{registries.resource.paths[0]}/tasks"
    one, handlers = f"{path}/{{task}}", _Handlers(registries)
    details = Act(
        f"{one}/listDetails",
        one,
        f"{_TYPE}/listDetails/action",
        handlers.list_details,
        answer=TaskDocument,
        writes=True,
    )
    # Who may read a task's secrets may read those of its hooks.
    hooks = Act(
        f"{one}/listSourceHooks",
        one,
        f"{_TYPE}/listDetails/action",
        handlers.list_source_hooks,
        answer=SourceHooks,
        writes=True,
    )
    another = Act(
        f"{one}/regenerateSourceHook",
        one,
        f"{_TYPE}/write",
        handlers.regenerate_source_hook,
        body=HookOfTrigger,
        answer=SourceHook,
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
        by_name=("timerTriggers", "sourceTriggers", "eventTriggers"),
        delete=handlers.delete,
        # az prints what it was told of any other answer, not the task.
        created=HTTPStatus.OK,
        acts=(details, hooks, another, why),
        parents=registries.parents,
    )


@dataclass(frozen=True, slots=True)
class _Handlers:
    registries: Registries

    def find(self, tx: Connection, ask: Ask) -> TaskDocument | None:
        registry = self.registries.find(tx, ask)
        row = None if registry is None else queries.find_task(tx, registry.id, ask["task"])
        return None if registry is None or row is None else _document_of(tx, registry, row, settings_of(row))

    def rows(self, tx: Connection, ask: Ask, page: Page) -> Sequence[TaskDocument]:
        registry = self.registries.find(tx, ask)
        if registry is None:
            return []
        found = queries.tasks(tx, registry.id, page.after, page.limit)
        bases = shown_bases(tx, [row.id for row in found])
        return [_document(registry, row, settings_of(row), bases.get(row.id, [])) for row in found]

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
        Settling(tx, ask).settle(IdentityBody(), read_identity(row.identity))
        queries.delete_task(tx, row.id)

    def list_details(self, tx: Connection, ask: Ask, body: None) -> TaskDocument:  # noqa: ARG002  one shape
        """The task with its secrets in clear."""
        registry, row = self._row(tx, ask)
        return _document_of(tx, registry, row, full_settings(ask.deployment.sealer, row))

    def list_source_hooks(self, tx: Connection, ask: Ask, body: None) -> SourceHooks:  # noqa: ARG002  one shape
        """What the git servers of its source triggers are told."""
        sources, sealer = sources_of(tx, self._row(tx, ask)[1].id), ask.deployment.sealer
        return SourceHooks([hook_of(each, sealer, ask.origin) for each in sources])

    def regenerate_source_hook(self, tx: Connection, ask: Ask, body: HookOfTrigger) -> SourceHook:
        """Another secret; the address stays. Raises RESOURCE_UNKNOWN."""
        sealer = ask.deployment.sealer
        return hook_of(renew_secret(tx, self._row(tx, ask)[1].id, body.trigger, sealer), sealer, ask.origin)

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
        own = Own(f"{registry.name}/tasks/{name if row is None else row.name}", registry.id)
        identity = Settling(tx, ask).settle(body.identity, was, own)
        expect_identities(settings.credentials, identity, ask.login_server, "properties.credentials")
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
        _set_triggers(tx, ask, made, settings)
        return _document_of(tx, registry, made, settings_of(made))

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


def _set_triggers(tx: Connection, ask: Ask, row: TaskRow, settings: TaskSettings) -> None:
    """What begins its runs from now on."""
    set_timers(tx, row.id, _timers(settings), ask.now)
    set_sources(tx, row.id, watched(settings), Keys(ask.deployment.sealer, ask.new_id), ask.now)
    replace_triggers(tx, row.id, _event_triggers(tx, row, settings, ask.now))
    trigger = _image_trigger(settings)
    set_image_trigger(tx, row.id, trigger, accounts_of(settings.credentials), ask.now)
    has_files = settings.step is not None and not isinstance(parse_context(settings.step.context_path or ""), Nothing)
    if trigger is not None and has_files and not is_resolved(tx, row.id):
        ask.deployment.jobs.wake(tx, SCAN, row.id)


def _image_trigger(settings: TaskSettings) -> Trigger | None:
    """One that begins runs."""
    written = None if settings.trigger is None else settings.trigger.base_image_trigger
    if written is None or Status.DISABLED in {settings.status, written.status}:
        return None
    return Trigger(
        written.name,
        written.base_image_trigger_type is BaseImageTriggerType.ALL,
        written.update_trigger_endpoint,
        written.update_trigger_payload_type is not PayloadType.TOKEN,
    )


def _event_triggers(tx: Connection, row: TaskRow, settings: TaskSettings, now: datetime) -> list[EventTrigger]:
    """Those that begin runs; one that stays as it was is as old as it was."""
    if settings.trigger is None or settings.status is Status.DISABLED:
        return []
    known = {each.name: each.created_at for each in triggers_of(tx, row.id)}
    return [
        EventTrigger(
            row.id,
            each.name,
            row.registry_id,
            msgspec.json.encode(each.repositories).decode(),
            msgspec.json.encode(each.tags).decode(),
            known.get(each.name, now),
        )
        for each in settings.trigger.event_triggers
        if each.status is Status.ENABLED
    ]


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


def _document_of(tx: Connection, registry: Owner, row: TaskRow, settings: TaskSettings) -> TaskDocument:
    return _document(registry, row, settings, shown_bases(tx, [row.id]).get(row.id, []))


def _document(registry: Owner, row: TaskRow, settings: TaskSettings, bases: list[BaseImage]) -> TaskDocument:
    told = asdict(settings)
    told["step"] = shown_step(settings.step, bases)
    return TaskDocument(
        id=f"{registry.resource_id}/tasks/{row.name}",
        name=row.name,
        location=row.location,
        tags=msgspec.json.decode(row.tags, type=dict[str, str]),
        identity=read_identity(row.identity),
        system_data=moments(row.created_at, row.updated_at),
        properties=TaskProperties(**told, creation_date=creation_date(row.created_at)),
    )
