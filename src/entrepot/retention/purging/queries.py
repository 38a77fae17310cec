"""SQL of purge rules and their runs, and of what a purge looks at: each page is one index range."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, bindparam, delete, exists, func, insert, or_, select, update

from entrepot.catalog.model import RegistryId, RepositoryId
from entrepot.db.columns import instant_of
from entrepot.db.management_tables import purge, purge_rule
from entrepot.db.tables import HIDDEN, manifest, manifest_reference, registry, repository, resource_group, tag
from entrepot.retention.purging.rules import Around, ManifestRow, TagRow

# --- rules ------------------------------------------------------------------------------------------------------------


class RuleRow(NamedTuple):
    """``settings`` and ``last_run`` are JSON; ``running``: the operation that works on it."""

    id: int
    name: str
    settings: str
    last_run: str | None
    due_at: datetime | None
    created_at: datetime
    updated_at: datetime
    running: str | None


class Values(NamedTuple):
    """What can be changed of a rule."""

    settings: str
    due_at: datetime | None
    updated_at: datetime


_RULES: Final = select(
    purge_rule.c.id,
    purge_rule.c.name,
    purge_rule.c.settings,
    purge_rule.c.last_run,
    purge_rule.c.due_at,
    purge_rule.c.created_at,
    purge_rule.c.updated_at,
    purge.c.operation_id,
).select_from(purge_rule.outerjoin(purge, purge.c.rule_id == purge_rule.c.id))


def find_rule(tx: Connection, registry_id: int, name: str) -> RuleRow | None:
    """Names compare without case."""
    row = tx.execute(
        _RULES.where(purge_rule.c.registry_id == registry_id, purge_rule.c.key == name.lower())
    ).one_or_none()
    return None if row is None else RuleRow(*row)


def rules(tx: Connection, registry_id: int, after: str, limit: int) -> list[RuleRow]:
    """In the order of their names, in lower case."""
    rows = tx.execute(
        _RULES.where(purge_rule.c.registry_id == registry_id, purge_rule.c.key > after)
        .order_by(purge_rule.c.key)
        .limit(limit)
    )
    return [RuleRow(*row) for row in rows]


def count_rules(tx: Connection, registry_id: int) -> int:
    return tx.execute(
        select(func.count()).select_from(purge_rule).where(purge_rule.c.registry_id == registry_id)
    ).scalar_one()


def insert_rule(tx: Connection, registry_id: int, name: str, values: Values) -> None:
    named = {"registry_id": registry_id, "key": name.lower(), "name": name, "created_at": values.updated_at}
    tx.execute(insert(purge_rule).values(**named, **values._asdict()))


def update_rule(tx: Connection, rule_id: int, values: Values) -> None:
    tx.execute(update(purge_rule).where(purge_rule.c.id == rule_id).values(values._asdict()))


def delete_rule(tx: Connection, rule_id: int) -> None:
    """A run of it that is going ends."""
    tx.execute(delete(purge_rule).where(purge_rule.c.id == rule_id))


class DueRule(NamedTuple):
    """A rule whose time has come, with where it stands. ``running``: a run of it is still going."""

    id: int
    name: str
    settings: str
    registry_id: int
    registry_name: str
    subscription_id: str
    group: str
    running: str | None

    @property
    def resource_id(self) -> str:
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.group}"
        registries = f"{group}/providers/Microsoft.ContainerRegistry/registries"
        return f"{registries}/{self.registry_name}/purgeRules/{self.name}"


def due_rules(tx: Connection, now: datetime, limit: int) -> list[DueRule]:
    """Held, so that nobody else starts them. Those of registries that were deleted are not."""
    rows = tx.execute(
        select(
            purge_rule.c.id,
            purge_rule.c.name,
            purge_rule.c.settings,
            purge_rule.c.registry_id,
            registry.c.name,
            resource_group.c.subscription_id,
            resource_group.c.name,
            select(purge.c.operation_id).where(purge.c.rule_id == purge_rule.c.id).scalar_subquery(),
        )
        .join_from(purge_rule, registry)
        .join(resource_group)
        .where(purge_rule.c.due_at <= now, ~_IS_DELETED)
        .order_by(purge_rule.c.due_at)
        .limit(limit)
        .with_for_update(of=purge_rule)
    )
    return [DueRule(*row) for row in rows]


def set_due(tx: Connection, rule_id: int, due_at: datetime | None) -> None:
    tx.execute(update(purge_rule).where(purge_rule.c.id == rule_id).values(due_at=due_at))


# --- runs -------------------------------------------------------------------------------------------------------------


class PurgeRow(NamedTuple):
    """A run that has not ended; ``plan`` and ``state`` are JSON."""

    operation_id: str
    rule_id: int
    plan: str
    state: str
    canceled: bool


# A registry that was deleted gives its name back.
_IS_DELETED: Final = registry.c.name.like(f"{HIDDEN}%")


def insert_purge(tx: Connection, row: PurgeRow) -> None:
    tx.execute(insert(purge).values(row._asdict()))


def purges(tx: Connection) -> list[PurgeRow]:
    """All that are going; of a registry that was deleted as canceled."""
    rows = tx.execute(
        select(purge.c.operation_id, purge.c.rule_id, purge.c.plan, purge.c.state, or_(purge.c.canceled, _IS_DELETED))
        .join_from(purge, purge_rule)
        .join(registry)
        .order_by(purge.c.operation_id)
    )
    return [PurgeRow(*row) for row in rows]


def cancel(tx: Connection, rule_id: int) -> bool:
    """Whether there is a run of the rule to be canceled."""
    return tx.execute(update(purge).where(purge.c.rule_id == rule_id).values(canceled=True)).rowcount > 0


def set_state(tx: Connection, operation_id: str, state: str) -> bool:
    """Whether the run is to go on: it is neither canceled nor gone with its rule."""
    canceled = tx.execute(
        update(purge).where(purge.c.operation_id == operation_id).values(state=state).returning(purge.c.canceled)
    ).scalar_one_or_none()
    return canceled is False


def delete_purge(tx: Connection, row: PurgeRow, last_run: str) -> None:
    """It has ended."""
    tx.execute(delete(purge).where(purge.c.operation_id == row.operation_id))
    tx.execute(update(purge_rule).where(purge_rule.c.id == row.rule_id).values(last_run=last_run))


# --- what is looked at ------------------------------------------------------------------------------------------------

_LATEST: Final = datetime.max.replace(tzinfo=UTC)


class RepositoryRow(NamedTuple):
    """A repository that holds something."""

    id: RepositoryId
    name: str
    write_enabled: bool


def repository_names(tx: Connection, registry_id: RegistryId, after: str, limit: int) -> list[str]:
    rows = tx.execute(
        select(repository.c.name)
        .where(repository.c.registry_id == registry_id, repository.c.name > after, repository.c.manifest_count > 0)
        .order_by(repository.c.name)
        .limit(limit)
    )
    return list(rows.scalars())


def find_repository(tx: Connection, registry_id: RegistryId, name: str) -> RepositoryRow | None:
    row = tx.execute(
        select(repository.c.id, repository.c.name, repository.c.write_enabled).where(
            repository.c.registry_id == registry_id, repository.c.name == name, repository.c.manifest_count > 0
        )
    ).one_or_none()
    return None if row is None else RepositoryRow(*row)


_TAGS: Final = (
    select(
        tag.c.name,
        tag.c.manifest_id,
        manifest.c.digest,
        tag.c.updated_at,
        manifest.c.last_pulled_at,
        tag.c.write_enabled,
        tag.c.delete_enabled,
        tag.c.list_enabled,
    )
    .join_from(tag, manifest, manifest.c.id == tag.c.manifest_id)
    .where(manifest.c.deleted_at.is_(None))
)
TAG_PAGE: Final = (
    _TAGS.where(
        tag.c.repository_id == bindparam("repository"),
        tag.c.updated_at <= bindparam("at", type_=tag.c.updated_at.type),
        or_(
            tag.c.updated_at < bindparam("at", type_=tag.c.updated_at.type),
            tag.c.name > bindparam("name", type_=tag.c.name.type),
        ),
    )
    .order_by(tag.c.updated_at.desc(), tag.c.name)
    .limit(bindparam("limit"))
)


def tags(tx: Connection, repository_id: RepositoryId, at: int | None, name: str, limit: int) -> list[TagRow]:
    """The latest updated first, from behind this time and name."""
    moment = _LATEST if at is None else instant_of(at)
    values = {"repository": repository_id, "at": moment, "name": name, "limit": limit}
    return [TagRow(*row) for row in tx.execute(TAG_PAGE, values)]


def find_tag(tx: Connection, repository_id: RepositoryId, name: str) -> TagRow | None:
    row = tx.execute(_TAGS.where(tag.c.repository_id == repository_id, tag.c.name == name)).one_or_none()
    return None if row is None else TagRow(*row)


def tags_of(tx: Connection, manifests: Sequence[int]) -> list[TagRow]:
    return [TagRow(*row) for row in tx.execute(_TAGS.where(tag.c.manifest_id.in_(manifests)))]


_MANIFEST_COLUMNS: Final = (
    manifest.c.id,
    manifest.c.digest,
    manifest.c.updated_at,
    manifest.c.last_pulled_at,
    manifest.c.write_enabled,
    manifest.c.delete_enabled,
    manifest.c.list_enabled,
    manifest.c.subject,
)
_parent: Final = manifest.alias("parent")
_subject: Final = manifest.alias("subject")
_HAS_TAG: Final = exists().where(tag.c.manifest_id == manifest.c.id)
_HAS_PARENT: Final = exists().where(
    manifest_reference.c.repository_id == manifest.c.repository_id,
    manifest_reference.c.digest == manifest.c.digest,
    manifest_reference.c.kind == "child",
    _parent.c.id == manifest_reference.c.manifest_id,
    _parent.c.deleted_at.is_(None),
)
_HAS_SUBJECT: Final = exists().where(
    _subject.c.repository_id == manifest.c.repository_id,
    _subject.c.digest == manifest.c.subject,
    _subject.c.deleted_at.is_(None),
)
# A row of what is selected: SQLAlchemy types one of more than ten columns no further.
_Rows = Select[*tuple[Any, ...]]
_MANIFESTS: Final[_Rows] = select(*_MANIFEST_COLUMNS).where(manifest.c.deleted_at.is_(None))
_AROUND: Final[_Rows] = select(*_MANIFEST_COLUMNS, _HAS_TAG, _HAS_PARENT, _HAS_SUBJECT).where(
    manifest.c.deleted_at.is_(None)
)
_OWN: Final = len(_MANIFEST_COLUMNS)


def manifests(tx: Connection, repository_id: RepositoryId, after: str, limit: int) -> list[ManifestRow]:
    """In the order of their digests."""
    rows = tx.execute(_page(_MANIFESTS, repository_id, after, limit))
    return [ManifestRow(*row) for row in rows]


def untagged(tx: Connection, repository_id: RepositoryId, after: str, limit: int) -> list[tuple[ManifestRow, Around]]:
    """Manifests without a tag, the same, with what keeps them."""
    rows = tx.execute(_page(_AROUND.where(~_HAS_TAG), repository_id, after, limit))
    return [_with_around(row) for row in rows]


def find_manifest(tx: Connection, repository_id: RepositoryId, digest: str) -> tuple[ManifestRow, Around] | None:
    row = tx.execute(
        _AROUND.where(manifest.c.repository_id == repository_id, manifest.c.digest == digest)
    ).one_or_none()
    return None if row is None else _with_around(row)


def _page(rows: _Rows, repository_id: RepositoryId, after: str, limit: int) -> _Rows:
    return (
        rows.where(manifest.c.repository_id == repository_id, manifest.c.digest > after)
        .order_by(manifest.c.digest)
        .limit(limit)
    )


def _with_around(row: Sequence[Any]) -> tuple[ManifestRow, Around]:
    return ManifestRow(*row[:_OWN]), Around(*row[_OWN:])


def parents_of(tx: Connection, repository_id: RepositoryId, digests: Sequence[str]) -> list[tuple[str, ManifestRow]]:
    """The digests with the indexes that name them as children."""
    rows = tx.execute(
        select(manifest_reference.c.digest, *_MANIFEST_COLUMNS)
        .join_from(manifest_reference, manifest, manifest.c.id == manifest_reference.c.manifest_id)
        .where(
            manifest_reference.c.repository_id == repository_id,
            manifest_reference.c.digest.in_(digests),
            manifest_reference.c.kind == "child",
            manifest.c.deleted_at.is_(None),
        )
    )
    return [(row[0], ManifestRow(*row[1:])) for row in rows]


def with_digests(tx: Connection, repository_id: RepositoryId, digests: Sequence[str]) -> list[ManifestRow]:
    """Of these the manifests that are here."""
    rows = tx.execute(_MANIFESTS.where(manifest.c.repository_id == repository_id, manifest.c.digest.in_(digests)))
    return [ManifestRow(*row) for row in rows]
