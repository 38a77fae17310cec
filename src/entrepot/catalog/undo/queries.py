"""SQL of what was deleted and is kept.

A name stands for its repository and for those of that name that were deleted as a whole and are kept.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVarTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    Table,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)

from entrepot.catalog.model import Place, RegistryId, RepositoryId
from entrepot.catalog.undo.model import DeletedManifest, DeletedRepository, DeletedTag, Source
from entrepot.db.tables import HIDDEN, manifest, manifest_reference, registry, repository, tag, tag_history

_Row = TypeVarTuple("_Row")

_LIVE: Final = repository.c.deleted_at.is_(None)
_KEPT: Final = repository.c.is_kept
_DELETED_AT: Final = func.coalesce(manifest.c.deleted_at, repository.c.deleted_at)
# Of one tag, the newest: nobody looks further, and a page stays a page.
_TAGS_LIMIT: Final = 10_000


def _of(place: Place) -> Any:  # noqa: ANN401  SQLAlchemy's own is no type that can be named
    """Rows of the repositories that a name stands for."""
    return and_(
        repository.c.registry_id == place.registry,
        or_(repository.c.name == place.repository, and_(repository.c.deleted_name == place.repository, _KEPT)),
    )


# --- lists ------------------------------------------------------------------------------------------------------------
# Each statement is a range of an index of one repository, in order: a page costs the same at any depth, whatever the
# repository holds beside what was deleted. One statement over all that a name stands for would sort the whole of it.


class Held(NamedTuple):
    """What a name stands for: the repository that is there, and those that were deleted as a whole and are kept."""

    live: int | None
    kept: tuple[int, ...]


def _held(tx: Connection, place: Place) -> Held:
    rows = tx.execute(select(repository.c.id, _LIVE).where(_of(place)).order_by(repository.c.id)).all()
    return Held(next((row[0] for row in rows if row[1]), None), tuple(row[0] for row in rows if not row[1]))


_DELETED_NAMES: Final = (
    select(repository.c.deleted_name, func.max(repository.c.created_at), func.max(repository.c.deleted_at))
    .where(repository.c.registry_id == bindparam("registry"), repository.c.deleted_name > bindparam("last"), _KEPT)
    .group_by(repository.c.deleted_name)
    .order_by(repository.c.deleted_name)
    .limit(bindparam("limit"))
)
# A subquery for each emptied repository, on purpose: PostgreSQL makes of EXISTS a join with all that was ever deleted.
_LAST_DELETED: Final = (
    select(manifest.c.deleted_at)
    .where(manifest.c.repository_id == repository.c.id, manifest.c.deleted_at.is_not(None))
    .order_by(manifest.c.deleted_at.desc())
    .limit(1)
    .correlate(repository)
    .scalar_subquery()
)
_EMPTIED_NAMES: Final = (
    select(repository.c.name, repository.c.created_at, _LAST_DELETED)
    .where(
        repository.c.registry_id == bindparam("registry"),
        repository.c.name > bindparam("last"),
        repository.c.name < HIDDEN,
        repository.c.manifest_count == 0,
        _LAST_DELETED.is_not(None),
    )
    .order_by(repository.c.name)
    .limit(bindparam("limit"))
)


def repositories(tx: Connection, registry_id: RegistryId, last: str, limit: int) -> list[DeletedRepository]:
    """In order of name."""
    values = {"registry": registry_id, "last": last, "limit": limit}
    found: dict[str, _Moments] = {}
    for statement in (_DELETED_NAMES, _EMPTIED_NAMES):
        for row in tx.execute(statement, values):
            _add(found, row)
    return [DeletedRepository(name, *found[name]) for name in sorted(found)[:limit]]


# When it was made, and when deleted.
_Moments = tuple[datetime, datetime]


def _add(found: dict[str, _Moments], row: Sequence[Any]) -> None:
    """Of several that are called the same, the latest moments count."""
    name, created_at, deleted_at = row
    before = found.get(name, (created_at, deleted_at))
    found[name] = max(created_at, before[0]), max(deleted_at, before[1])


def _ranged(rows: Select[*_Row], table: Table, name: ColumnElement[str]) -> Select[*_Row]:
    after = (table.c.repository_id == bindparam("repository"), name > bindparam("last"))
    return rows.where(*after).order_by(name).limit(bindparam("limit"))


_live_manifest: Final = manifest.alias()
_is_live: Final = exists().where(
    _live_manifest.c.repository_id == bindparam("live"),
    _live_manifest.c.digest == manifest.c.digest,
    _live_manifest.c.deleted_at.is_(None),
)
_DELETED_MANIFESTS: Final = _ranged(
    select(manifest.c.digest, manifest.c.pushed_at, manifest.c.deleted_at).where(manifest.c.deleted_at.is_not(None)),
    manifest,
    manifest.c.digest,
)
_KEPT_MANIFESTS: Final = _ranged(
    select(manifest.c.digest, manifest.c.pushed_at, _DELETED_AT)
    .join_from(manifest, repository, repository.c.id == manifest.c.repository_id)
    .where(~_is_live),
    manifest,
    manifest.c.digest,
)


def manifests(tx: Connection, place: Place, last: str, limit: int) -> list[DeletedManifest]:
    """In order of digest, each once: those that are not there under this name."""
    return manifests_of(tx, _held(tx, place), last, limit)


def manifests_of(tx: Connection, held: Held, last: str, limit: int) -> list[DeletedManifest]:
    found: dict[str, _Moments] = {}
    asked: list[tuple[int, Executable]] = [(each, _KEPT_MANIFESTS) for each in held.kept]
    if held.live is not None:
        asked.append((held.live, _DELETED_MANIFESTS))
    for repository_id, statement in asked:
        values = {"repository": repository_id, "live": held.live, "last": last, "limit": limit}
        for row in tx.execute(statement, values):
            _add(found, row)
    return [DeletedManifest(digest, *found[digest]) for digest in sorted(found)[:limit]]


_live_tag: Final = tag.alias()


def _is_tagged(name: ColumnElement[str], digest: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the repository that is there has the tag, and it names the same."""
    return exists().where(
        _live_tag.c.repository_id == bindparam("live"),
        _live_tag.c.name == name,
        _live_manifest.c.id == _live_tag.c.manifest_id,
        _live_manifest.c.digest == digest,
    )


# Tags that were deleted, whose manifests are kept; and those that a kept repository had.
_ENDED: Final = select(tag_history.c.name, tag_history.c.digest, tag_history.c.until).where(
    tag_history.c.is_deleted,
    exists().where(manifest.c.repository_id == tag_history.c.repository_id, manifest.c.digest == tag_history.c.digest),
    ~_is_tagged(tag_history.c.name, tag_history.c.digest),
)
_HAD: Final = (
    select(tag.c.name, manifest.c.digest, repository.c.deleted_at)
    .join_from(tag, manifest, manifest.c.id == tag.c.manifest_id)
    .join(repository, repository.c.id == tag.c.repository_id)
    .where(~_is_tagged(tag.c.name, manifest.c.digest))
)
_ENDED_NAMES: Final = _ranged(_ENDED.with_only_columns(tag_history.c.name).distinct(), tag_history, tag_history.c.name)
_HAD_NAMES: Final = _ranged(_HAD.with_only_columns(tag.c.name), tag, tag.c.name)


def _of_names(rows: Select[*_Row], table: Table) -> Select[*_Row]:
    named = table.c.name.in_(bindparam("names", expanding=True))
    return rows.where(table.c.repository_id == bindparam("repository"), named).limit(_TAGS_LIMIT)


_ENDED_TAGS: Final = _of_names(_ENDED, tag_history)
_HAD_TAGS: Final = _of_names(_HAD, tag)


def tags(tx: Connection, place: Place, last: str, limit: int) -> list[DeletedTag]:
    """Of at most so many names, in their order; of one name the newest comes last."""
    held = _held(tx, place)
    return tags_named(tx, held, names_of_tags(tx, held, last, limit))


def names_of_tags(tx: Connection, held: Held, last: str, limit: int) -> list[str]:
    names: set[str] = set()
    for repository_id, statement in _both(held, _ENDED_NAMES, _HAD_NAMES):
        values = {"repository": repository_id, "live": held.live, "last": last, "limit": limit}
        names.update(tx.execute(statement, values).scalars())
    return sorted(names)[:limit]


def was_tagged(tx: Connection, place: Place, name: str, digest: str) -> bool:
    """Whether the tag named the manifest when it was deleted."""
    return any(known.digest == digest for known in tags_named(tx, _held(tx, place), [name]))


def tags_named(tx: Connection, held: Held, names: list[str]) -> list[DeletedTag]:
    newest: dict[tuple[str, str], datetime] = {}
    for repository_id, statement in _both(held, _ENDED_TAGS, _HAD_TAGS):
        values = {"repository": repository_id, "live": held.live, "names": names}
        rows: Sequence[Sequence[Any]] = tx.execute(statement, values).all()
        for name, digest, at in rows:
            newest[name, digest] = max(at, newest.get((name, digest), at))
    found = [DeletedTag(name, digest, at) for (name, digest), at in newest.items()]
    return sorted(found, key=lambda known: (known.name, known.deleted_at, known.digest))[:_TAGS_LIMIT]


def _both(held: Held, ended: Executable, had: Executable) -> Iterator[tuple[int, Executable]]:
    """The statements that one asks, and of which repository each."""
    for repository_id in (held.live, *held.kept):
        if repository_id is not None:
            yield repository_id, ended
    for repository_id in held.kept:
        yield repository_id, had


# --- restore ----------------------------------------------------------------------------------------------------------


def find_source(tx: Connection, place: Place, digest: str) -> Source | None:
    """Where the manifest is: in the repository of this name, or in one that was deleted, the last one first."""
    row = tx.execute(
        select(
            manifest.c.id,
            manifest.c.repository_id,
            manifest.c.media_type,
            manifest.c.body,
            manifest.c.size,
            manifest.c.architecture,
            manifest.c.os,
            manifest.c.deleted_at.is_not(None),
            ~_LIVE,
        )
        .join_from(repository, manifest, manifest.c.repository_id == repository.c.id)
        .where(_of(place), manifest.c.digest == digest)
        .order_by(case((_LIVE, 0), else_=1), repository.c.deleted_at.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Source(*row[:3], bytes(row[3]), *row[4:])


def is_there(tx: Connection, place: Place, digest: str) -> bool:
    its = (repository.c.registry_id == place.registry, repository.c.name == place.repository)
    live = (manifest.c.repository_id == repository.c.id, manifest.c.digest == digest, manifest.c.deleted_at.is_(None))
    return tx.execute(select(exists().where(*its, *live))).scalar_one()


def tag_target(tx: Connection, place: Place, name: str) -> str | None:
    """The digest that the tag names now."""
    return tx.execute(
        select(manifest.c.digest)
        .join_from(repository, tag, tag.c.repository_id == repository.c.id)
        .join(manifest, manifest.c.id == tag.c.manifest_id)
        .where(repository.c.registry_id == place.registry, repository.c.name == place.repository, tag.c.name == name)
    ).scalar_one_or_none()


def take_tags(tx: Connection, source: Source, digest: str, into: RepositoryId) -> None:
    """The tags of a manifest that leaves a deleted repository can be restored where it goes."""
    of_digest = (tag_history.c.repository_id == source.repository_id, tag_history.c.digest == digest)
    tx.execute(update(tag_history).where(*of_digest, tag_history.c.is_deleted).values(repository_id=into))
    named = (
        select(
            literal(into, tag_history.c.repository_id.type),
            tag.c.name,
            literal(digest),
            tag.c.updated_at,
            repository.c.deleted_at,
            tag.c.updated_by,
            true(),
        )
        .join_from(tag, repository, repository.c.id == tag.c.repository_id)
        .where(tag.c.manifest_id == source.id)
    )
    columns = ["repository_id", "name", "digest", "since", "until", "ended_by", "is_deleted"]
    tx.execute(insert(tag_history).from_select(columns, named))


class Kept(NamedTuple):
    """What a push does not bring: when and by whom the manifest came, when it was pulled."""

    pushed_at: datetime
    pushed_by: str
    last_pulled_at: datetime | None


def kept_of(tx: Connection, manifest_id: int) -> Kept:
    columns = (manifest.c.pushed_at, manifest.c.pushed_by, manifest.c.last_pulled_at)
    return Kept(*tx.execute(select(*columns).where(manifest.c.id == manifest_id)).one())


def set_kept(tx: Connection, repository_id: RepositoryId, digest: str, kept: Kept) -> None:
    of_digest = (manifest.c.repository_id == repository_id, manifest.c.digest == digest)
    tx.execute(update(manifest).where(*of_digest).values(kept._asdict()))


def set_tag_deleted(tx: Connection, repository_id: RepositoryId, ended: tuple[str, str], *, is_deleted: bool) -> None:
    """Whether the tag, with what it named, counts among those that were deleted and can be restored."""
    name, digest = ended
    rows = (tag_history.c.repository_id == repository_id, tag_history.c.name == name, tag_history.c.digest == digest)
    if not is_deleted:
        tx.execute(update(tag_history).where(*rows, tag_history.c.is_deleted).values(is_deleted=False))
        return
    last = select(func.max(tag_history.c.id)).where(*rows).scalar_subquery()
    tx.execute(update(tag_history).where(tag_history.c.id == last).values(is_deleted=True))


def children_of(tx: Connection, manifest_id: int) -> list[str]:
    rows = tx.execute(
        select(manifest_reference.c.digest)
        .where(manifest_reference.c.manifest_id == manifest_id, manifest_reference.c.kind == "child")
        .order_by(manifest_reference.c.position)
    )
    return list(rows.scalars())


# --- whole repositories -----------------------------------------------------------------------------------------------


def hold_kept(tx: Connection, place: Place) -> RepositoryId | None:
    """The last repository of this name that was deleted as a whole and is kept; held."""
    named = (repository.c.registry_id == place.registry, repository.c.deleted_name == place.repository)
    found = tx.execute(
        select(repository.c.id)
        .where(*named, _KEPT, repository.c.manifest_count > 0)
        .order_by(repository.c.deleted_at.desc(), repository.c.id.desc())
        .limit(1)
        .with_for_update()
    ).scalar_one_or_none()
    return None if found is None else RepositoryId(found)


def show(tx: Connection, repository_id: RepositoryId, now: datetime) -> int:
    """Under its name again, as it was; its next sequence number."""
    shown = {"name": repository.c.deleted_name, "deleted_name": None, "deleted_at": None, "is_kept": False}
    return tx.execute(
        update(repository)
        .where(repository.c.id == repository_id)
        .values(**shown, sequence=repository.c.sequence + 1, updated_at=now)
        .returning(repository.c.sequence)
    ).scalar_one()


def holds_deleted(tx: Connection, repository_id: RepositoryId) -> bool:
    its = (manifest.c.repository_id == repository_id, manifest.c.deleted_at.is_not(None))
    return tx.execute(select(exists().where(*its))).scalar_one()


# --- the end ----------------------------------------------------------------------------------------------------------


class Keeping(NamedTuple):
    """A registry, and for how many days it keeps what was deleted."""

    registry: RegistryId
    days: int


def keepings(tx: Connection) -> list[Keeping]:
    """Also of those where soft delete is off by now: what is there stays until its day."""
    rows = tx.execute(select(registry.c.id, registry.c.soft_delete_days).order_by(registry.c.id))
    return [Keeping(RegistryId(row[0]), row[1]) for row in rows]


def expired_in(tx: Connection, registry_id: RegistryId, before: datetime) -> RepositoryId | None:
    """A repository with manifests that were deleted by then."""
    found = tx.execute(
        select(manifest.c.repository_id)
        .join_from(manifest, repository, repository.c.id == manifest.c.repository_id)
        .where(manifest.c.deleted_at <= before, repository.c.registry_id == registry_id)
        .limit(1)
    ).scalar_one_or_none()
    return None if found is None else RepositoryId(found)


def hold(tx: Connection, repository_id: RepositoryId) -> None:
    """Nobody restores anything of it until the transaction has ended."""
    tx.execute(select(repository.c.id).where(repository.c.id == repository_id).with_for_update())


def expired_manifests(tx: Connection, repository_id: RepositoryId, before: datetime, limit: int) -> dict[int, int]:
    """Ids of some that were deleted by then, with their sizes."""
    rows = tx.execute(
        select(manifest.c.id, manifest.c.size)
        .where(manifest.c.repository_id == repository_id, manifest.c.deleted_at <= before)
        .limit(limit)
    )
    return {row[0]: row[1] for row in rows}


def forget_tags(tx: Connection, registry_id: RegistryId, before: datetime, limit: int) -> int:
    """Let some tags that were deleted by then be history alone; how many."""
    some = (
        select(tag_history.c.id)
        .join_from(tag_history, repository, repository.c.id == tag_history.c.repository_id)
        .where(tag_history.c.is_deleted, tag_history.c.until <= before, repository.c.registry_id == registry_id)
        .limit(limit)
    )
    return tx.execute(update(tag_history).where(tag_history.c.id.in_(some)).values(is_deleted=False)).rowcount


def let_go(tx: Connection, registry_id: RegistryId, before: datetime) -> None:
    """Repositories that were deleted by then are not kept any longer, and nothing is known by their names."""
    over = (repository.c.registry_id == registry_id, repository.c.deleted_name.is_not(None), _KEPT)
    gone = {"is_kept": False, "deleted_name": None}
    tx.execute(update(repository).where(*over, repository.c.deleted_at <= before).values(gone))


def let_go_of(tx: Connection, repository_id: RepositoryId) -> None:
    """Of a deleted repository from which the last was restored."""
    tx.execute(update(repository).where(repository.c.id == repository_id).values(is_kept=False))


def going(tx: Connection, registry_id: RegistryId) -> list[RepositoryId]:
    """Of those that were let go, the ones that still hold something. Others are emptied once they were told of."""
    holds_any = exists().where(manifest.c.repository_id == repository.c.id)
    nameless = (
        repository.c.registry_id == registry_id,
        repository.c.name >= HIDDEN,
        repository.c.deleted_name.is_(None),
    )
    rows = tx.execute(select(repository.c.id).where(*nameless, holds_any))
    return [RepositoryId(row) for row in rows.scalars()]
