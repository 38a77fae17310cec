"""The action importImage: what is asked is checked, the operation begins, and a job does the rest."""

from dataclasses import replace

import msgspec
from sqlalchemy import Connection

from entrepot.access.definitions import Mode as RoleMode
from entrepot.access.model import Action
from entrepot.access.rights import Where, rights_of
from entrepot.arm.descriptor import Ask, Document, Going
from entrepot.arm.operations.record import Doing, begin, tell
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Origin
from entrepot.gate.hosts import DEFAULT_REGISTRY
from entrepot.registries.imports import queries
from entrepot.registries.imports.jobs import IMPORT, sealing_purpose
from entrepot.registries.imports.landing import expect_free
from entrepot.registries.imports.model import ImportBody, Mode, Plan, SourceBody, Target
from entrepot.registries.imports.queries import SourceRow
from entrepot.registries.imports.rules import (
    Image,
    expect_one_source,
    parse_image,
    parse_registry_uri,
    parse_resource,
    parse_targets,
)


def begin_import(tx: Connection, ask: Ask, target: Target, body: ImportBody) -> Going[Document]:
    """Raises RESOURCE_INVALID, DENIED for a source that the caller may not pull, RESOURCE_EXISTS for a tag."""
    expect_one_source(body.source)
    image = parse_image(body.source.source_image)
    plan = Plan(
        registry=target.registry,
        resource_id=target.resource_id,
        repository=image.repository,
        reference=str(image.reference),
        targets=parse_targets(body, image),
        force=body.mode is Mode.FORCE,
        include_referrers=body.include_referrers,
        principal=ask.caller.principal,
        origin=Origin(method="bearer", credential=ask.caller.credential, registry=target.name),
    )
    host = parse_registry_uri(body.source.registry_uri) if body.source.registry_uri else None
    here = _registry_here(tx, ask, body.source, host)
    if here is not None:
        _expect_pull(tx, ask, here, image)
        plan.source_registry = here.id
    else:
        plan.host = host
    # The operation goes with everything else when its tags are taken: nothing was begun.
    operation = begin(tx, replace(ask, id=target.resource_id), "registries", Doing.ACCEPTED)
    if not plan.force:
        expect_free(tx, operation, plan, None)
    queries.insert_import(tx, operation, msgspec.json.encode(plan).decode(), _sealed(ask, operation, body.source))
    tell(tx, operation, dict.fromkeys(plan.labels(), "Pending"))
    ask.deployment.jobs.wake(tx, IMPORT, operation)
    return Going(operation)


def _registry_here(tx: Connection, ask: Ask, source: SourceBody, host: str | None) -> SourceRow | None:
    """The source when it is of this deployment. One that is read with credentials is like any other elsewhere.

    Raises DENIED for an id that names none, as for one that may not be read.
    """
    if source.resource_id:
        named = parse_resource(source.resource_id)
        found = queries.find_in_group(tx, *named)
        if found is None:
            raise _denied(ask, source.resource_id)
        return found
    if host is None or source.credentials is not None:
        return None
    for name in (host.partition(":")[0].partition(".")[0], DEFAULT_REGISTRY):
        if ask.login_server(name).lower() == host:
            return queries.find_by_name(tx, name)
    return None


def _expect_pull(tx: Connection, ask: Ask, source: SourceRow, image: Image) -> None:
    where = Where(source.id, source.resource_id, RoleMode(source.role_mode))
    may = rights_of(tx, ask.caller.principal, where).allow(Action.CONTENT_READ, image.repository)
    if not may and not source.anonymous_pull:
        raise _denied(ask, source.resource_id)


def _denied(ask: Ask, scope: str) -> Problem:
    return Problem(
        Kind.DENIED,
        client=ask.caller.name or ask.caller.client_id,
        object=ask.caller.principal,
        operation="Microsoft.ContainerRegistry/registries/pull/read",
        scope=scope,
    )


def _sealed(ask: Ask, operation: str, source: SourceBody) -> str | None:
    if source.credentials is None:
        return None
    return ask.deployment.sealer.seal(msgspec.json.encode(source.credentials).decode(), sealing_purpose(operation))
