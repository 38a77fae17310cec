"""The resource type Microsoft.ContainerRegistry/registries/scopeMaps. Source: ACR-REFERENCE 5.5, 6.5."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.arm.descriptor import Ask, Listing, Page, ResourceType
from entrepot.arm.versions import CONTAINER_REGISTRY
from entrepot.catalog.model import RegistryId
from entrepot.registries import queries
from entrepot.registries.model import Making, ScopeMap
from entrepot.registries.resource.descriptor import BELOW, REGISTRIES, find_row, moment
from entrepot.registries.resource.model import Created
from entrepot.registries.scope_maps import Written, delete_scope_map, put_scope_map

_PATH: Final = f"{REGISTRIES.paths[0]}/scopeMaps"


class ScopeMapSettings(msgspec.Struct):
    actions: list[str]
    description: str = ""


class ScopeMapBody(msgspec.Struct):
    properties: ScopeMapSettings


class ScopeMapProperties(msgspec.Struct, rename="camel"):
    description: str
    type: str
    creation_date: str
    actions: list[str]
    provisioning_state: str = "Succeeded"


class ScopeMapDocument(msgspec.Struct, rename="camel"):
    id: str
    name: str
    properties: ScopeMapProperties
    system_data: Created
    type: str = "Microsoft.ContainerRegistry/registries/scopeMaps"


def _find(tx: Connection, ask: Ask) -> ScopeMapDocument | None:
    registry = find_row(tx, ask)
    found = None if registry is None else queries.find_scope_map(tx, RegistryId(registry.id), ask["scopeMap"])
    return None if registry is None or found is None else _document(registry.resource_id, found)


def _rows(tx: Connection, ask: Ask, page: Page) -> Sequence[ScopeMapDocument]:
    registry = find_row(tx, ask)
    if registry is None:
        return []
    found = queries.scope_maps(tx, RegistryId(registry.id), page.after, page.limit)
    return [_document(registry.resource_id, each) for each in found]


def _document(registry: str, found: ScopeMap) -> ScopeMapDocument:
    created = moment(found.created_at)
    shown = ScopeMapProperties(found.description, found.type, created, list(found.actions))
    return ScopeMapDocument(f"{registry}/scopeMaps/{found.name}", found.name, shown, Created(created))


def _write(tx: Connection, ask: Ask, body: ScopeMapBody, current: ScopeMapDocument | None) -> ScopeMapDocument:  # noqa: ARG001  handlers have one shape
    """Raises NAME_INVALID, RESOURCE_INVALID, QUOTA_EXCEEDED; UNSUPPORTED for one of the system."""
    registry = find_row(tx, ask)
    assert registry is not None  # noqa: S101  the framework has found it
    written = Written(body.properties.description, tuple(body.properties.actions))
    making = Making(ask.now, ask.new_id, ask.deployment.tier_limits)
    made = put_scope_map(tx, RegistryId(registry.id), ask["scopeMap"], written, making)
    return _document(registry.resource_id, made)


def _delete(tx: Connection, ask: Ask, current: ScopeMapDocument) -> None:
    """Its tokens stay, and may nothing any more. Raises UNSUPPORTED for one of the system."""
    registry = find_row(tx, ask)
    if registry is not None:
        delete_scope_map(tx, RegistryId(registry.id), current.name)


SCOPE_MAPS: Final = ResourceType(
    name="Microsoft.ContainerRegistry/registries/scopeMaps",
    paths=(f"{_PATH}/{{scopeMap}}",),
    versions=CONTAINER_REGISTRY,
    document=ScopeMapDocument,
    get=_find,
    body=ScopeMapBody,
    lists=(Listing(_PATH, REGISTRIES.paths[0], _rows),),
    put=_write,
    patch=_write,
    delete=_delete,
    parents=BELOW,
)
