"""The resource type Microsoft.ContainerRegistry/registries/agentPools: groups of workers. Source: ACR-TASKS 6.8.

A deletion is answered 202, and the pool shows for a while that it is being deleted: az asks for it once more, and takes
one that is gone by then for a failure (AZ-CLI-FLOWS 3).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace
from sqlalchemy import Connection

from entrepot.arm.descriptor import Act, Ask, Going, Listing, Page, ResourceType
from entrepot.arm.operations.record import Doing, begin
from entrepot.arm.tags import expect_tags
from entrepot.arm.versions import TASKS
from entrepot.errors import Kind, Problem
from entrepot.tasks.model import Text, shown
from entrepot.tasks.owners import Owner, Registries
from entrepot.tasks.resource import queries
from entrepot.tasks.resource.jobs import POOL_DELETION
from entrepot.tasks.resource.model import Moments
from entrepot.tasks.resource.queries import PoolRow, PoolValues
from entrepot.tasks.resource.rules import expect_pool_name
from entrepot.tasks.resource.writing import expect_place, location_of, moments
from entrepot.tasks.runs.queries import waiting_in_pool

_TYPE: Final = "Microsoft.ContainerRegistry/registries/agentPools"
# Seconds: longer than a busy machine takes from az's DELETE to its GET.
_LINGERS: Final = 10.0

Tier = Literal["S1", "S2", "S3", "I6"]


class PoolSettings(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """``count``: kept and shown; workers join a pool by themselves. ``tier``: the same."""

    count: Annotated[int, Meta(ge=0, le=1000)] = shown(default=1)
    tier: Tier = shown(default="S1")
    os: Literal["Linux"] = shown(default="Linux")
    virtual_network_subnet_resource_id: Text | None = None


class PoolBody(Struct, frozen=True):
    location: str = ""
    tags: dict[str, str] = {}
    properties: PoolSettings = field(default_factory=PoolSettings)


class PoolProperties(PoolSettings, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    provisioning_state: str = shown(default="Succeeded")


class AgentPoolDocument(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    id: str
    name: str
    location: str
    tags: dict[str, str] = shown(default={})
    system_data: Moments
    properties: PoolProperties
    type: str = shown(default=_TYPE)


class QueueStatus(Struct):
    """How many runs wait."""

    count: int


class _Kept(PoolSettings, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """``deletion``: the operation that deletes the pool."""

    deletion: str | None = None


def agent_pools(
    registries: Registries, expect_pools: Callable[[Connection, Ask, Owner], None]
) -> ResourceType[AgentPoolDocument, PoolBody]:
    """The type below that of registries. ``expect_pools``: raises UNSUPPORTED where the registry's tier has none."""
    path = f"{registries.resource.paths[0]}/agentPools"
    one, handlers = f"{path}/{{agentPool}}", _Handlers(registries, expect_pools)
    status = Act(
        f"{one}/listQueueStatus", one, f"{_TYPE}/listQueueStatus/action", handlers.queue_status, answer=QueueStatus
    )
    return ResourceType(
        name=_TYPE,
        paths=(one,),
        versions=TASKS,
        document=AgentPoolDocument,
        get=handlers.find,
        body=PoolBody,
        lists=(Listing(path, registries.resource.paths[0], handlers.rows),),
        put=handlers.put,
        patch=handlers.patch,
        delete=handlers.delete,
        acts=(status,),
        parents=registries.parents,
    )


@dataclass(frozen=True, slots=True)
class _Handlers:
    registries: Registries
    expect_pools: Callable[[Connection, Ask, Owner], None]

    def find(self, tx: Connection, ask: Ask) -> AgentPoolDocument | None:
        registry = self.registries.find(tx, ask)
        row = None if registry is None else queries.find_pool(tx, registry.id, ask["agentPool"])
        return None if registry is None or row is None else _document(registry, row)

    def rows(self, tx: Connection, ask: Ask, page: Page) -> Sequence[AgentPoolDocument]:
        registry = self.registries.find(tx, ask)
        if registry is None:
            return []
        return [_document(registry, row) for row in queries.pools(tx, registry.id, page.after, page.limit)]

    def put(self, tx: Connection, ask: Ask, body: PoolBody, current: AgentPoolDocument | None) -> AgentPoolDocument:
        """Raises NAME_INVALID, RESOURCE_INVALID, RESOURCE_EXISTS, UNSUPPORTED."""
        registry, name = self.registries.owner(tx, ask), ask["agentPool"]
        self.expect_pools(tx, ask, registry)
        settings = body.properties
        if settings.virtual_network_subnet_resource_id is not None:
            reason = "A pool lies in no virtual network here: its workers run on machines of the operator's choice."
            raise Problem(Kind.UNSUPPORTED, target="properties.virtualNetworkSubnetResourceId", reason=reason)
        expect_tags(body.tags)
        location = location_of(ask, body.location, registry.region if current is None else current.location)
        values = PoolValues(
            msgspec.json.encode(body.tags).decode(), msgspec.json.encode(settings).decode(), updated_at=ask.now
        )
        if current is None:
            expect_pool_name(name)
            queries.insert_pool(tx, registry.id, name, location, values)
        else:
            expect_place(current.location, location)
            row = self._row(tx, ask)[1]
            _expect_kept(row)
            queries.update_pool(tx, row.id, values)
        return _document(*self._row(tx, ask))

    def patch(self, tx: Connection, ask: Ask, body: PoolBody, current: AgentPoolDocument) -> AgentPoolDocument:
        """Of the settings the count alone can be changed. Raises RESOURCE_INVALID, RESOURCE_EXISTS, UNSUPPORTED."""
        if body.properties.tier != current.properties.tier:
            reason = "the tier of a pool stays as it is: make another pool"
            raise Problem(Kind.RESOURCE_INVALID, target="properties.tier", reason=reason)
        return self.put(tx, ask, body, current)

    def delete(self, tx: Connection, ask: Ask, current: AgentPoolDocument) -> Going[AgentPoolDocument]:  # noqa: ARG002  one shape
        """Runs that wait for it wait on, for workers that have its name."""
        registry, row = self._row(tx, ask)
        kept = _kept(row)
        if kept.deletion is not None:
            return Going(kept.deletion, _document(registry, row))
        operation = begin(tx, ask, "agentPools", Doing.DELETING)
        written = msgspec.json.encode(replace(kept, deletion=operation)).decode()
        queries.update_pool(tx, row.id, PoolValues(row.tags, written, ask.now))
        ask.deployment.jobs.wake_later(tx, POOL_DELETION, operation, row.id, seconds=_LINGERS)
        return Going(operation, _document(*self._row(tx, ask)))

    def queue_status(self, tx: Connection, ask: Ask, body: None) -> QueueStatus:  # noqa: ARG002  one shape
        """How many runs wait for the pool."""
        registry, row = self._row(tx, ask)
        return QueueStatus(waiting_in_pool(tx, registry.id, row.name))

    def _row(self, tx: Connection, ask: Ask) -> tuple[Owner, PoolRow]:
        """Raises RESOURCE_UNKNOWN."""
        registry = self.registries.owner(tx, ask)
        row = queries.find_pool(tx, registry.id, ask["agentPool"])
        if row is None:
            reason = f"The Resource '{_TYPE}/{ask['agentPool']}' was not found."
            raise Problem(Kind.RESOURCE_UNKNOWN, code="ResourceNotFound", reason=reason)
        return registry, row


def _kept(row: PoolRow) -> _Kept:
    return msgspec.json.decode(row.properties, type=_Kept)


def _expect_kept(row: PoolRow) -> None:
    """Raises RESOURCE_EXISTS for a pool that is being deleted."""
    if _kept(row).deletion is not None:
        reason = f"The agent pool '{row.name}' is being deleted: wait until it is gone."
        raise Problem(Kind.RESOURCE_EXISTS, code="AgentPoolIsDeleting", reason=reason)


def _document(registry: Owner, row: PoolRow) -> AgentPoolDocument:
    kept = _kept(row)
    return AgentPoolDocument(
        id=f"{registry.resource_id}/agentPools/{row.name}",
        name=row.name,
        location=row.location,
        tags=msgspec.json.decode(row.tags, type=dict[str, str]),
        system_data=moments(row.created_at, row.updated_at),
        properties=PoolProperties(
            count=kept.count,
            tier=kept.tier,
            os=kept.os,
            provisioning_state="Succeeded" if kept.deletion is None else "Deleting",
        ),
    )
