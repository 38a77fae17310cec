"""The resource type Microsoft.ContainerRegistry/registries/replications. Source: ACR-REFERENCE 6.5 and 10.

Every location is this site, so a replication is ready at once, and its status says that there is no second copy of the
bytes. As in ACR, the first one brings one for the registry's home, which goes with the last.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from entrepot.arm.descriptor import Ask, Listing, Page, ResourceType
from entrepot.arm.locations import parse_location
from entrepot.arm.tags import expect_tags
from entrepot.arm.versions import CONTAINER_REGISTRY
from entrepot.db.locks import lock_name
from entrepot.errors import Kind, Problem
from entrepot.registries.replications import queries
from entrepot.registries.replications.queries import Place, ReplicationRow
from entrepot.registries.resource.descriptor import BELOW, REGISTRIES, find_row, moment
from entrepot.registries.resource.model import Switch, SystemData
from entrepot.registries.resource.queries import RegistryRow
from entrepot.registries.resource.tier import expect_feature
from entrepot.registries.tiers import Feature, tier_of

_PATH: Final = f"{REGISTRIES.paths[0]}/replications"
# ACR-REFERENCE 2.1.
_NAME: Final = re.compile(r"[A-Za-z0-9]{5,50}")
_NO_SECOND_COPY: Final = (
    "The replication is ready. Its location is served by the same site as the registry's: "
    "there is no second copy of the bytes."
)


class ReplicationSettings(msgspec.Struct, rename="camel"):
    region_endpoint_enabled: bool = True
    zone_redundancy: Switch = Switch.DISABLED


class ReplicationBody(msgspec.Struct):
    location: str
    tags: dict[str, str] = {}
    properties: ReplicationSettings = msgspec.field(default_factory=ReplicationSettings)


class ReplicationStatus(msgspec.Struct, rename="camel"):
    timestamp: str
    display_status: str = "Ready"
    message: str = _NO_SECOND_COPY


class ReplicationProperties(msgspec.Struct, rename="camel"):
    status: ReplicationStatus
    region_endpoint_enabled: bool
    zone_redundancy: Switch = Switch.DISABLED
    provisioning_state: str = "Succeeded"


class ReplicationDocument(msgspec.Struct, rename="camel"):
    id: str
    name: str
    location: str
    tags: dict[str, str]
    system_data: SystemData
    properties: ReplicationProperties
    type: str = "Microsoft.ContainerRegistry/registries/replications"


def _find(tx: Connection, ask: Ask) -> ReplicationDocument | None:
    registry = find_row(tx, ask)
    found = None if registry is None else queries.find_replication(tx, registry.id, ask["replication"])
    return None if registry is None or found is None else _document(registry.resource_id, found)


def _rows(tx: Connection, ask: Ask, page: Page) -> Sequence[ReplicationDocument]:
    registry = find_row(tx, ask)
    if registry is None:
        return []
    found = queries.replications(tx, registry.id, page.after, page.limit)
    return [_document(registry.resource_id, each) for each in found]


def _document(registry: str, row: ReplicationRow) -> ReplicationDocument:
    return ReplicationDocument(
        id=f"{registry}/replications/{row.name}",
        name=row.name,
        location=row.location,
        tags=msgspec.json.decode(row.tags, type=dict[str, str]),
        system_data=SystemData(moment(row.created_at), moment(row.updated_at)),
        properties=ReplicationProperties(ReplicationStatus(moment(row.created_at)), row.region_endpoint),
    )


def _write(tx: Connection, ask: Ask, body: ReplicationBody, current: ReplicationDocument | None) -> ReplicationDocument:
    """Raises NAME_INVALID, RESOURCE_INVALID, RESOURCE_EXISTS; UNSUPPORTED where the tier has none of it."""
    registry = _registry(tx, ask)
    changes = ask.deployment.tier_limits
    expect_feature(tier_of(registry.sku, registry.limits, changes), Feature.GEO_REPLICATION, changes)
    location, values = parse_location(body.location, ask.deployment.locations), _values(body)
    if current is None:
        _make(tx, registry, Place(registry.id, ask["replication"], location), values, ask.now)
    elif location != current.location:
        reason = f"The replication is at '{current.location}': where a replication is cannot be changed."
        raise Problem(Kind.RESOURCE_EXISTS, code="InvalidResourceLocation", reason=reason)
    row = queries.find_replication(tx, registry.id, ask["replication"])
    assert row is not None  # noqa: S101  it was made above, or was there
    if current is not None:
        queries.update_replication(tx, row.id, values, ask.now)
    written = _find(tx, ask)
    assert written is not None  # noqa: S101  the same
    return written


def _values(body: ReplicationBody) -> dict[str, Any]:
    """Raises RESOURCE_INVALID, UNSUPPORTED."""
    expect_tags(body.tags)
    if body.properties.zone_redundancy is not Switch.DISABLED:
        target = "properties.zoneRedundancy"
        raise Problem(Kind.UNSUPPORTED, target=target, reason=f"'{target}' is not available yet: only its default is.")
    return {
        "tags": msgspec.json.encode(body.tags).decode(),
        "region_endpoint": body.properties.region_endpoint_enabled,
    }


def _make(tx: Connection, registry: RegistryRow, place: Place, values: dict[str, Any], now: datetime) -> None:
    if not _NAME.fullmatch(place.name):
        raise Problem(Kind.NAME_INVALID, name=place.name[:64], reason="It has 5 to 50 letters and digits.")
    if place.location == registry.region:
        reason = f"The registry itself is at '{place.location}': replicate it to another location."
        raise Problem(Kind.RESOURCE_EXISTS, code="ReplicationLocationInvalid", reason=reason)
    lock_name(tx, f"replications of {registry.id}")
    there = queries.find_at(tx, registry.id, place.location)
    if there is not None:
        reason = f"The replication '{there.name}' is at '{place.location}' already: there is one for each location."
        raise Problem(Kind.RESOURCE_EXISTS, code="ReplicationLocationInUse", reason=reason)
    if queries.find_replication(tx, registry.id, place.name) is not None or place.name.lower() == registry.region:
        reason = f"There is a replication '{place.name}' already."
        raise Problem(Kind.RESOURCE_EXISTS, reason=reason)
    queries.ensure_replication(tx, Place(registry.id, registry.region, registry.region), now)
    queries.insert_replication(tx, place, values, now)


def _delete(tx: Connection, ask: Ask, current: ReplicationDocument) -> None:
    """Raises IN_USE for the registry's home."""
    registry = _registry(tx, ask)
    if current.location == registry.region:
        reason = f"'{current.name}' is the registry's home: it goes with the last of the others."
        raise Problem(Kind.IN_USE, code="HomeReplicationCannotBeDeleted", reason=reason)
    lock_name(tx, f"replications of {registry.id}")
    queries.delete_replication(tx, registry.id, current.location)
    if not queries.is_elsewhere(tx, registry.id, registry.region):
        queries.delete_replication(tx, registry.id, registry.region)


def _registry(tx: Connection, ask: Ask) -> RegistryRow:
    registry = find_row(tx, ask)
    assert registry is not None  # noqa: S101  the framework has found it
    return registry


REPLICATIONS: Final = ResourceType(
    name="Microsoft.ContainerRegistry/registries/replications",
    paths=(f"{_PATH}/{{replication}}",),
    versions=CONTAINER_REGISTRY,
    document=ReplicationDocument,
    get=_find,
    body=ReplicationBody,
    lists=(Listing(_PATH, REGISTRIES.paths[0], _rows),),
    put=_write,
    patch=_write,
    delete=_delete,
    parents=BELOW,
)
