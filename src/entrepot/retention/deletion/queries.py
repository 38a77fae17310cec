"""SQL of the retention policy: which manifests have had no tag for so long that they go."""

from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, exists, select

from entrepot.catalog.model import Place, RegistryId
from entrepot.db.tables import HIDDEN, manifest, manifest_reference, registry, repository, tag
from entrepot.oci.reference import RepositoryName


class Policy(NamedTuple):
    """A registry's, where it is on. ``since``: what lost its tag before that is not its business."""

    registry: RegistryId
    since: datetime
    days: int


def policies(tx: Connection) -> list[Policy]:
    on = registry.c.untagged_from.is_not(None)
    rows = tx.execute(select(registry.c.id, registry.c.untagged_from, registry.c.untagged_days).where(on))
    return [Policy(RegistryId(row[0]), row[1], row[2]) for row in rows]


_index: Final = manifest.alias()
_subject: Final = manifest.alias()


def _is_free() -> tuple[ColumnElement[bool], ...]:
    """Nothing holds it: neither a tag nor an index, nor a subject that is there, nor a lock."""
    named = (
        select(_index.c.id)
        .join_from(manifest_reference, _index, _index.c.id == manifest_reference.c.manifest_id)
        .where(
            manifest_reference.c.repository_id == manifest.c.repository_id,
            manifest_reference.c.digest == manifest.c.digest,
            manifest_reference.c.kind == "child",
            _index.c.deleted_at.is_(None),
        )
        .correlate(manifest)
        .exists()
    )
    subject = exists().where(
        _subject.c.repository_id == manifest.c.repository_id,
        _subject.c.digest == manifest.c.subject,
        _subject.c.deleted_at.is_(None),
    )
    return (
        manifest.c.deleted_at.is_(None),
        manifest.c.delete_enabled,
        manifest.c.write_enabled,
        repository.c.write_enabled,
        repository.c.name < HIDDEN,
        ~exists().where(tag.c.manifest_id == manifest.c.id),
        ~named,
        ~subject,
    )


class Untagged(NamedTuple):
    """A manifest that goes."""

    id: int
    untagged_since: datetime
    place: Place
    digest: str


def untagged(
    tx: Connection, policy: Policy, before: datetime, after: tuple[datetime, int], limit: int
) -> list[Untagged]:
    """Those that lost their tags by then, and nothing holds, by time and id after these."""
    rows = tx.execute(
        _untagged(policy)
        .where(manifest.c.untagged_since <= before, _is_after(*after))
        .order_by(manifest.c.untagged_since, manifest.c.id)
        .limit(limit)
    )
    return [Untagged(row[0], row[1], Place(policy.registry, RepositoryName(row[2])), row[3]) for row in rows]


def is_still_untagged(tx: Connection, policy: Policy, known: Untagged) -> bool:
    """Of one whose repository's row is held."""
    same = (manifest.c.id == known.id, manifest.c.untagged_since == known.untagged_since)
    return tx.execute(_untagged(policy).where(*same)).one_or_none() is not None


def _untagged(policy: Policy) -> Select[*tuple[Any, ...]]:
    return (
        select(manifest.c.id, manifest.c.untagged_since, repository.c.name, manifest.c.digest)
        .join_from(manifest, repository, repository.c.id == manifest.c.repository_id)
        .where(repository.c.registry_id == policy.registry, manifest.c.untagged_since >= policy.since, *_is_free())
    )


def _is_after(at: datetime, manifest_id: int) -> ColumnElement[bool]:
    later = manifest.c.untagged_since > at
    return later | ((manifest.c.untagged_since == at) & (manifest.c.id > manifest_id))


def hold(tx: Connection, place: Place) -> None:
    """No tag comes to any manifest of the repository until the transaction has ended."""
    named = (repository.c.registry_id == place.registry, repository.c.name == place.repository)
    tx.execute(select(repository.c.id).where(*named).with_for_update())
