"""Setting attributes: what locks a repository, a tag or a manifest, and lets it go again.

No lock forbids it (ACR-REFERENCE 8.3), and the time of the last update stays: purges go by it. The repository's row is
held meanwhile, so that a push or a delete sees the attributes from before or those from after, and none slips between.
"""

import msgspec
from sqlalchemy import Connection

from entrepot.catalog import queries as shared
from entrepot.catalog.model import Change, Place
from entrepot.catalog.properties import queries
from entrepot.catalog.properties.look import properties_of_manifest, properties_of_repository, properties_of_tag
from entrepot.catalog.properties.model import (
    AttributeChange,
    ManifestProperties,
    RepositoryProperties,
    TagProperties,
)
from entrepot.catalog.queries import LockedRepository
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Act, record_change
from entrepot.events.outbox import Action, Event, record
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag


class _UpdateBody(msgspec.Struct, omit_defaults=True):
    """``attributes``: those that were set."""

    attributes: dict[str, bool]
    tag: str | None = None
    digest: str | None = None


def set_repository(tx: Connection, place: Place, wanted: AttributeChange, change: Change) -> RepositoryProperties:
    """The repository as it is afterwards. Raises NAME_UNKNOWN."""
    values = wanted.values()
    if values:
        repository = _hold(tx, place)
        queries.set_repository(tx, repository.id, values)
        record(tx, _event(place, repository, _UpdateBody(values), change))
        record_change(tx, change, Act.ATTRIBUTES, place.repository, {"after": values})
    return properties_of_repository(tx, place)


def set_tag(tx: Connection, place: Place, name: Tag, wanted: AttributeChange, change: Change) -> TagProperties:
    """The tag as it is afterwards. Raises NAME_UNKNOWN, TAG_UNKNOWN."""
    values = wanted.values()
    if values:
        repository = _hold(tx, place)
        queries.set_tag(tx, repository.id, name, values)
        record(tx, _event(place, repository, _UpdateBody(values, tag=name), change))
        record_change(tx, change, Act.ATTRIBUTES, f"{place.repository}:{name}", {"after": values})
    return properties_of_tag(tx, place, name)


def set_manifest(
    tx: Connection, place: Place, digest: Digest, wanted: AttributeChange, change: Change
) -> ManifestProperties:
    """The manifest as it is afterwards. Raises NAME_UNKNOWN, MANIFEST_UNKNOWN."""
    values = wanted.values()
    if values:
        repository = _hold(tx, place)
        queries.set_manifest(tx, repository.id, str(digest), values)
        record(tx, _event(place, repository, _UpdateBody(values, digest=str(digest)), change))
        record_change(tx, change, Act.ATTRIBUTES, f"{place.repository}@{digest}", {"after": values})
    return properties_of_manifest(tx, place, digest)


def _hold(tx: Connection, place: Place) -> LockedRepository:
    repository = shared.advance_undated(tx, place)
    if repository is None:
        raise Problem(Kind.NAME_UNKNOWN, name=place.repository)
    return repository


def _event(place: Place, repository: LockedRepository, body: _UpdateBody, change: Change) -> Event:
    return Event(
        id=change.event_id,
        registry_id=place.registry,
        repository_id=repository.id,
        sequence=repository.sequence,
        action=Action.UPDATE,
        at=change.now,
        principal=change.principal,
        body=msgspec.json.encode(body).decode(),
    )
