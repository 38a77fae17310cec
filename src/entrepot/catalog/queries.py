"""SQL that several parts of the catalog share: the repository's row, registry settings, usage."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, case, func, select, update

from entrepot.catalog.model import Place, RegistryId, RepositoryId
from entrepot.db.prepared import Prepared, Row
from entrepot.db.statements import upsert
from entrepot.db.tables import event, registry, repository

# Well under what SQLite (32,766) and PostgreSQL (65,535) take as bound values in one statement.
BATCH: Final = 1000


_NEW_REPOSITORY: Final = upsert(repository).values(
    registry_id=bindparam("registry"), name=bindparam("name"), created_at=bindparam("now"), updated_at=bindparam("now")
)
_NAMED: Final = (repository.c.registry_id == bindparam("registry"), repository.c.name == bindparam("name"))
_LOCKED: Final = (repository.c.id, repository.c.sequence, repository.c.write_enabled, repository.c.delete_enabled)
_ADVANCE: Final = Prepared(
    _NEW_REPOSITORY.values(sequence=1)
    .on_conflict_do_update(
        index_elements=["registry_id", "name"],
        set_={"sequence": repository.c.sequence + 1, "updated_at": _NEW_REPOSITORY.excluded.updated_at},
    )
    .returning(*_LOCKED)
)
_ADVANCE_KNOWN: Final = Prepared(
    update(repository)
    .where(*_NAMED)
    .values(sequence=repository.c.sequence + 1, updated_at=bindparam("now"))
    .returning(*_LOCKED)
)
# Attributes are no content: they take a number, and the time of the last push stays.
_ADVANCE_UNDATED: Final = Prepared(
    update(repository)
    .where(*_NAMED, repository.c.manifest_count > 0)
    .values(sequence=repository.c.sequence + 1)
    .returning(*_LOCKED)
)
_MAKE_REPOSITORY: Final = Prepared(_NEW_REPOSITORY.on_conflict_do_nothing(index_elements=["registry_id", "name"]))
# A key share lock would do; FOR UPDATE keeps garbage collection from removing an empty row under us.
_FIND_REPOSITORY: Final = Prepared(
    select(repository.c.id, repository.c.write_enabled).where(*_NAMED).with_for_update(key_share=True, read=True)
)
_FREEZE: Final = Prepared(
    select(repository.c.id, repository.c.write_enabled)
    .where(*_NAMED, repository.c.manifest_count > 0)
    .with_for_update()
)
_COUNT: Final = Prepared(
    update(repository)
    .where(repository.c.id == bindparam("repository"))
    .values(
        manifest_count=repository.c.manifest_count + bindparam("manifests"),
        tag_count=repository.c.tag_count + bindparam("tags"),
        # What was emptied is gone for everybody; the first manifest makes it anew.
        created_at=case((repository.c.manifest_count == 0, repository.c.updated_at), else_=repository.c.created_at),
    )
)
# Its next first manifest finds a repository like a new one.
_EMPTY: Final = Prepared(
    update(repository)
    .where(repository.c.id == bindparam("repository"))
    .values(manifest_count=0, tag_count=0, read_enabled=True, list_enabled=True)
)
_ADD_USAGE: Final = Prepared(
    update(registry)
    .where(registry.c.id == bindparam("registry"))
    .values(bytes_used=registry.c.bytes_used + bindparam("size"))
    .returning(registry.c.bytes_used, registry.c.bytes_limit)
)


class LockedRepository(NamedTuple):
    """The repository's row, held until the transaction ends."""

    id: RepositoryId
    sequence: int
    write_enabled: bool
    delete_enabled: bool


class HeldRepository(NamedTuple):
    """The repository's row, which nobody removes until the transaction ends."""

    id: RepositoryId
    write_enabled: bool


def batches(values: Sequence[str]) -> Iterator[list[str]]:
    """The values in lists that fit into one statement."""
    rest = iter(values)
    while batch := list(islice(rest, BATCH)):
        yield batch


def advance(tx: Connection, place: Place, now: datetime) -> LockedRepository:
    """Take the repository's row (made when it is not there) and its next sequence number. Serialises its writers."""
    (row,) = _ADVANCE.rows(tx, registry=place.registry, name=place.repository, now=now)
    return _locked(row)


def advance_known(tx: Connection, place: Place, now: datetime) -> LockedRepository | None:
    """The same for a repository that must be there."""
    row = _ADVANCE_KNOWN.first(tx, registry=place.registry, name=place.repository, now=now)
    return None if row is None else _locked(row)


def advance_undated(tx: Connection, place: Place) -> LockedRepository | None:
    """The same without a change of its time, for a repository that holds something."""
    row = _ADVANCE_UNDATED.first(tx, registry=place.registry, name=place.repository)
    return None if row is None else _locked(row)


def _locked(row: Row) -> LockedRepository:
    return LockedRepository(RepositoryId(row[0]), row[1], bool(row[2]), bool(row[3]))


def hold_repository(tx: Connection, place: Place, now: datetime) -> HeldRepository:
    """The repository, its row made when it is not there; no event, so no sequence number."""
    found = find_repository(tx, place)
    if found is not None:
        return found
    _MAKE_REPOSITORY.run(tx, registry=place.registry, name=place.repository, now=now)
    return hold_repository(tx, place, now)


def freeze(tx: Connection, place: Place) -> HeldRepository | None:
    """A repository that holds something, its row held so that nothing in it changes until the transaction ends."""
    row = _FREEZE.first(tx, registry=place.registry, name=place.repository)
    return None if row is None else HeldRepository(RepositoryId(row[0]), bool(row[1]))


def find_repository(tx: Connection, place: Place) -> HeldRepository | None:
    row = _FIND_REPOSITORY.first(tx, registry=place.registry, name=place.repository)
    return None if row is None else HeldRepository(RepositoryId(row[0]), bool(row[1]))


def count(tx: Connection, repository_id: RepositoryId, manifests: int, tags: int) -> None:
    """Change the repository's counts by these."""
    if manifests or tags:
        _COUNT.run(tx, repository=repository_id, manifests=manifests, tags=tags)


def empty(tx: Connection, repository_id: RepositoryId) -> None:
    """Everything in the repository was deleted, and its attributes with it."""
    _EMPTY.run(tx, repository=repository_id)


def next_of_registry(tx: Connection, registry_id: RegistryId) -> tuple[str, str, int]:
    """The registry's name and rid, and the number of its own next event. The caller holds the registry's row."""
    last = select(func.coalesce(func.max(event.c.sequence), 0)).where(event.c.repository_id == -registry_id)
    row = tx.execute(
        select(registry.c.name, registry.c.rid, last.scalar_subquery()).where(registry.c.id == registry_id)
    )
    name, rid, sequence = row.one()
    return name, rid, sequence + 1


def keeps_deleted(tx: Connection, registry_id: RegistryId) -> bool:
    """Whether the registry keeps what is deleted, to be restored (its soft delete policy)."""
    return tx.execute(select(registry.c.soft_delete).where(registry.c.id == registry_id)).scalar_one()


def add_usage(tx: Connection, registry_id: RegistryId, size: int) -> tuple[int, int | None]:
    """Bytes used after the change, and the limit."""
    (row,) = _ADD_USAGE.rows(tx, registry=registry_id, size=size)
    return row[0], row[1]
