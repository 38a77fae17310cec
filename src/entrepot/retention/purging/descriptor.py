"""The resource type Microsoft.ContainerRegistry/registries/purgeRules, which ACR has not.

A rule deletes with the registry's own right, so whoever writes or runs one needs the right to delete what it holds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import msgspec
from sqlalchemy import Connection

from entrepot.access.definitions import Mode
from entrepot.access.model import Action
from entrepot.access.rights import Where, rights_of
from entrepot.arm.descriptor import Act, AnyResource, Ask, Document, Going, Listing, Page, ResourceType
from entrepot.arm.operations.record import Doing, Outcome, begin, end
from entrepot.arm.routes import unknown
from entrepot.arm.versions import CONTAINER_REGISTRY
from entrepot.catalog.model import RegistryId
from entrepot.db.locks import lock_name
from entrepot.errors import Kind, Problem
from entrepot.retention.purging import queries
from entrepot.retention.purging.begin import PREFIX, PURGE, plan_run, selection_of
from entrepot.retention.purging.model import (
    RULES_LIMIT,
    LastRun,
    Moments,
    Plan,
    PreviewAnswer,
    PreviewQuestion,
    RuleBody,
    RuleDocument,
    RuleProperties,
    RunQuestion,
    Settings,
    moment,
)
from entrepot.retention.purging.preview import preview
from entrepot.retention.purging.queries import RuleRow, Values
from entrepot.retention.purging.rules import expect_name, next_run, terms_of

_TYPE: Final = "Microsoft.ContainerRegistry/registries/purgeRules"


class Owner(Protocol):
    """The registry that a rule belongs to."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def resource_id(self) -> str: ...
    @property
    def role_mode(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Registries:
    """What this room needs of registries."""

    resource: AnyResource
    above: tuple[AnyResource, ...]
    find: Callable[[Connection, Ask], Owner | None]


def purge_rules(registries: Registries) -> ResourceType[RuleDocument, RuleBody]:
    """The type below that of registries."""
    path = f"{registries.resource.paths[0]}/purgeRules"
    one, handlers = f"{path}/{{purgeRule}}", _Handlers(registries)
    return ResourceType(
        name=_TYPE,
        paths=(one,),
        versions=CONTAINER_REGISTRY,
        document=RuleDocument,
        get=handlers.find,
        body=RuleBody,
        lists=(Listing(path, registries.resource.paths[0], handlers.rows),),
        put=handlers.put,
        patch=handlers.patch,
        delete=handlers.delete,
        acts=(
            Act(
                f"{one}/preview",
                one,
                f"{_TYPE}/preview/action",
                handlers.preview,
                body=PreviewQuestion,
                answer=PreviewAnswer,
            ),
            Act(
                f"{one}/run",
                one,
                f"{_TYPE}/run/action",
                handlers.run,
                body=RunQuestion,
                writes=True,
                is_long=True,
            ),
            Act(f"{one}/cancel", one, f"{_TYPE}/cancel/action", handlers.cancel, answer=RuleDocument, writes=True),
        ),
        parents=(*registries.above, registries.resource),
    )


@dataclass(frozen=True, slots=True)
class _Handlers:
    registries: Registries

    def find(self, tx: Connection, ask: Ask) -> RuleDocument | None:
        registry = self.registries.find(tx, ask)
        row = None if registry is None else queries.find_rule(tx, registry.id, ask["purgeRule"])
        return None if registry is None or row is None else _document(registry, row)

    def rows(self, tx: Connection, ask: Ask, page: Page) -> Sequence[RuleDocument]:
        registry = self.registries.find(tx, ask)
        if registry is None:
            return []
        return [_document(registry, row) for row in queries.rules(tx, registry.id, page.after, page.limit)]

    def put(self, tx: Connection, ask: Ask, body: RuleBody, current: RuleDocument | None) -> RuleDocument:
        """Raises DENIED, NAME_INVALID, RESOURCE_INVALID, QUOTA_EXCEEDED."""
        registry = self._owner(tx, ask)
        _expect_right(tx, ask, registry)
        values = _values(ask, body.properties)
        if current is not None:
            queries.update_rule(tx, self._row(tx, ask)[1].id, values)
            return self._written(tx, ask)
        expect_name(ask["purgeRule"])
        lock_name(tx, f"purge rules of {registry.id}")
        if queries.count_rules(tx, registry.id) >= RULES_LIMIT:
            reason = f"A registry has at most {RULES_LIMIT} purge rules: delete some."
            raise Problem(Kind.QUOTA_EXCEEDED, reason=reason)
        queries.insert_rule(tx, registry.id, ask["purgeRule"], values)
        return self._written(tx, ask)

    def patch(self, tx: Connection, ask: Ask, body: RuleBody, current: RuleDocument) -> RuleDocument:
        """Raises DENIED, RESOURCE_INVALID."""
        return self.put(tx, ask, body, current)

    def delete(self, tx: Connection, ask: Ask, current: RuleDocument) -> None:  # noqa: ARG002  one shape
        """A run of it that is going ends with it."""
        _, row = self._row(tx, ask)
        if row.running is not None:
            end(tx, row.running, Outcome.CANCELED, ask.now, None)
        queries.delete_rule(tx, row.id)

    def preview(self, tx: Connection, ask: Ask, question: PreviewQuestion) -> PreviewAnswer:
        """What a run would delete now and what it would keep, and why; page by page."""
        registry, row = self._row(tx, ask)
        _expect_right(tx, ask, registry)
        return preview(tx, RegistryId(registry.id), selection_of(_settings(row)), question, ask.now)

    def run(self, tx: Connection, ask: Ask, question: RunQuestion) -> Going[Document]:
        """Delete what the rule selects, or with ``dryRun`` only count it. Refused while a run is going."""
        registry, row = self._row(tx, ask)
        _expect_right(tx, ask, registry)
        if row.running is not None:
            reason = f"The rule '{row.name}' is at work already ({row.running}): wait for it, or cancel it."
            raise Problem(Kind.RESOURCE_EXISTS, code="PurgeIsRunning", reason=reason)
        resource_id = f"{registry.resource_id}/purgeRules/{row.name}"
        operation = begin(tx, replace(ask, id=resource_id), PREFIX, Doing.ACCEPTED)
        settings = _settings(row)
        plan = Plan(
            registry=registry.id,
            registry_name=registry.name,
            selection=selection_of(settings),
            started=ask.now,
            principal=ask.caller.principal,
            max_share=None if question.confirm else settings.max_share,
            dry_run=question.dry_run,
        )
        plan_run(tx, operation, row.id, plan)
        ask.deployment.jobs.wake(tx, PURGE)
        return Going(operation)

    def cancel(self, tx: Connection, ask: Ask, body: None) -> RuleDocument:  # noqa: ARG002  one shape
        """End the run that is going after its present deletion; what is deleted stays deleted."""
        _, row = self._row(tx, ask)
        queries.cancel(tx, row.id)
        return self._written(tx, ask)

    def _owner(self, tx: Connection, ask: Ask) -> Owner:
        """Raises RESOURCE_UNKNOWN."""
        registry = self.registries.find(tx, ask)
        if registry is None:
            raise unknown(self.registries.resource, ask.id.rpartition("/purgeRules/")[0])
        return registry

    def _row(self, tx: Connection, ask: Ask) -> tuple[Owner, RuleRow]:
        """Raises RESOURCE_UNKNOWN."""
        registry = self._owner(tx, ask)
        row = queries.find_rule(tx, registry.id, ask["purgeRule"])
        if row is None:
            reason = f"The Resource '{_TYPE}/{ask['purgeRule']}' was not found."
            raise Problem(Kind.RESOURCE_UNKNOWN, code="ResourceNotFound", reason=reason)
        return registry, row

    def _written(self, tx: Connection, ask: Ask) -> RuleDocument:
        return _document(*self._row(tx, ask))


def _expect_right(tx: Connection, ask: Ask, registry: Owner) -> None:
    """Raises DENIED for whoever may not delete everything that the registry holds."""
    where = Where(registry.id, registry.resource_id, Mode(registry.role_mode))
    rights = rights_of(tx, ask.caller.principal, where)
    for action in (Action.CONTENT_DELETE, Action.TAG_DELETE):
        if not rights.allow(action, None):
            raise Problem(
                Kind.DENIED,
                client=ask.caller.name or ask.caller.client_id,
                object=ask.caller.principal,
                operation=rights.explain(action, None).permission,
                scope=registry.resource_id,
            )


def _values(ask: Ask, settings: Settings) -> Values:
    """Raises RESOURCE_INVALID."""
    terms_of(selection_of(settings), ask.now)
    due_at = next_run(settings.schedule, ask.now)
    return Values(msgspec.json.encode(settings).decode(), due_at if settings.enabled else None, ask.now)


def _settings(row: RuleRow) -> Settings:
    return msgspec.json.decode(row.settings, type=Settings)


def _document(registry: Owner, row: RuleRow) -> RuleDocument:
    properties = RuleProperties(
        **msgspec.structs.asdict(_settings(row)),
        next_run_time=None if row.due_at is None else moment(row.due_at),
        running=row.running,
        last_run=None if row.last_run is None else msgspec.json.decode(row.last_run, type=LastRun),
    )
    return RuleDocument(
        id=f"{registry.resource_id}/purgeRules/{row.name}",
        name=row.name,
        system_data=Moments(moment(row.created_at), moment(row.updated_at)),
        properties=properties,
    )
