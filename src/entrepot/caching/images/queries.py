"""SQL of cached images: what tags named at their sources, and the images that are on their way."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import BindParameter, Connection, Row, bindparam, delete, exists, select, update

from entrepot.catalog.model import Place, RegistryId
from entrepot.db.cache_tables import cache_fill, cached_repository, cached_tag
from entrepot.db.columns import instant_of
from entrepot.db.prepared import Prepared
from entrepot.db.statements import upsert
from entrepot.db.tables import repository, tag
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Origin
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, parse_manifest
from entrepot.oci.reference import RepositoryName, Tag

_REGISTRY: Final[BindParameter[Any]] = bindparam("registry")
_REPOSITORY: Final[BindParameter[Any]] = bindparam("repository")
_HOLDS: Final = exists().where(
    repository.c.registry_id == _REGISTRY, repository.c.name == _REPOSITORY, repository.c.manifest_count > 0
)
_CACHED: Final = exists().where(
    cached_repository.c.registry_id == _REGISTRY, cached_repository.c.repository == _REPOSITORY
)
# One row: whether what the repository holds came by pushes alone; whether something of it came from a source.
PROVENANCE: Final = Prepared(select(_HOLDS & ~_CACHED, _CACHED))

TAG_AT_SOURCE: Final = Prepared(
    select(
        cached_tag.c.digest,
        cached_tag.c.confirmed_at,
        cached_tag.c.asked_at,
        repository.c.write_enabled & tag.c.write_enabled,
    )
    .outerjoin_from(
        cached_tag,
        repository,
        (repository.c.registry_id == cached_tag.c.registry_id) & (repository.c.name == cached_tag.c.repository),
    )
    .outerjoin(tag, (tag.c.repository_id == repository.c.id) & (tag.c.name == cached_tag.c.tag))
    .where(
        cached_tag.c.registry_id == _REGISTRY,
        cached_tag.c.repository == _REPOSITORY,
        cached_tag.c.tag == bindparam("tag"),
    )
)


class SeenTag(NamedTuple):
    """What a tag named at its source, when that said so, when it was last asked. ``is_pinned``: a lock keeps the tag
    here from naming another.
    """

    digest: Digest
    confirmed_at: datetime
    asked_at: datetime
    is_pinned: bool


def seen_tag(rows: Sequence[Sequence[Any]]) -> SeenTag | None:
    """The rows of TAG_AT_SOURCE as one value; None for one that was never asked for."""
    if not rows:
        return None
    digest, confirmed_at, asked_at, may_move = rows[0]
    is_pinned = may_move is not None and not may_move
    return SeenTag(Digest.parse(digest), instant_of(confirmed_at), instant_of(asked_at), is_pinned)


def note_repository(tx: Connection, place: Place) -> None:
    """That something of it comes from a source."""
    of = {"registry_id": place.registry, "repository": place.repository}
    tx.execute(upsert(cached_repository).values(**of).on_conflict_do_nothing())


def note_tag(tx: Connection, place: Place, name: str, digest: str, now: datetime) -> None:
    """That it names this there, now."""
    note_repository(tx, place)
    key = {"registry_id": place.registry, "repository": place.repository, "tag": name}
    values = {"digest": digest, "confirmed_at": now, "asked_at": now}
    wanted = upsert(cached_tag).values(**key, **values)
    tx.execute(wanted.on_conflict_do_update(index_elements=list(key), set_=values))


def note_silence(tx: Connection, place: Place, name: str, now: datetime) -> None:
    """That the source was asked, and did not say."""
    of = (cached_tag.c.registry_id == place.registry, cached_tag.c.repository == place.repository)
    tx.execute(update(cached_tag).where(*of, cached_tag.c.tag == name).values(asked_at=now))


def tags_naming(tx: Connection, place: Place, digest: str) -> tuple[Tag, ...]:
    """The tags that name it there and may name it here."""
    rows = tx.execute(
        select(cached_tag.c.tag)
        .outerjoin_from(
            cached_tag,
            repository,
            (repository.c.registry_id == cached_tag.c.registry_id) & (repository.c.name == cached_tag.c.repository),
        )
        .outerjoin(tag, (tag.c.repository_id == repository.c.id) & (tag.c.name == cached_tag.c.tag))
        .where(
            cached_tag.c.registry_id == place.registry,
            cached_tag.c.repository == place.repository,
            cached_tag.c.digest == digest,
            tag.c.write_enabled.is_(None) | tag.c.write_enabled,
        )
        .order_by(cached_tag.c.tag)
    )
    return tuple(Tag(row[0]) for row in rows)


# --- images on their way ----------------------------------------------------------------------------------------------


class _Written(msgspec.Struct):
    """A problem as it is kept."""

    kind: str
    detail: dict[str, str | int]


class Fill(NamedTuple):
    """An image whose blobs are being copied. ``problem``: why that ended without them."""

    id: int
    registry_id: int
    repository: str
    digest: str
    media_type: str
    manifest: bytes
    principal: str
    origin: Origin
    problem: Problem | None = None
    failed_at: datetime | None = None

    @property
    def place(self) -> Place:
        return Place(RegistryId(self.registry_id), RepositoryName(self.repository))

    @property
    def owner(self) -> str:
        return owner_of(self.id)

    def parsed(self) -> Manifest:
        """It was checked when it came."""
        return parse_manifest(self.manifest, self.media_type)


def owner_of(fill_id: int) -> str:
    """Who holds the sessions in which the blobs of a fill arrive."""
    return f"cache {fill_id}"


# How long a fill that failed is told of, unless it is tried again.
_TOLD: Final = timedelta(days=1)
_FROM_HERE: Final = frozenset({"id", "origin", "problem", "failed_at"})
_COLUMNS: Final = tuple(cache_fill.c[name] for name in Fill._fields)


def find_fill(tx: Connection, place: Place, digest: str) -> Fill | None:
    return next(iter(_fills(tx, place, digest=digest)), None)


def fills_of(tx: Connection, place: Place) -> list[Fill]:
    """All of a repository's."""
    return _fills(tx, place)


def fill(tx: Connection, fill_id: int) -> Fill | None:
    """None for one that has ended well."""
    row = tx.execute(select(*_COLUMNS).where(cache_fill.c.id == fill_id)).one_or_none()
    return None if row is None else _fill(row)


def _fills(tx: Connection, place: Place, **equal: str) -> list[Fill]:
    there = (cache_fill.c.registry_id == place.registry, cache_fill.c.repository == place.repository)
    return [_fill(row) for row in tx.execute(select(*_COLUMNS).where(*there).filter_by(**equal))]


def _fill(row: Row[Any]) -> Fill:
    return Fill(
        row.id,
        row.registry_id,
        row.repository,
        row.digest,
        row.media_type,
        row.manifest,
        row.principal,
        msgspec.json.decode(row.origin, type=Origin),
        _problem(row.problem),
        row.failed_at,
    )


def _problem(written: str | None) -> Problem | None:
    if written is None:
        return None
    found = msgspec.json.decode(written, type=_Written)
    return Problem(Kind[found.kind], **found.detail)


def begin_fill(tx: Connection, wanted: Fill, now: datetime, wake: Callable[[Connection, int], None]) -> None:
    """Let the image be copied. Nothing happens to one that is on its way; one that failed is tried again."""
    place, known = wanted.place, find_fill(tx, wanted.place, wanted.digest)
    if known is not None and known.problem is None:
        return
    note_repository(tx, place)
    if known is None:
        written = {name: value for name, value in wanted._asdict().items() if name not in _FROM_HERE}
        origin = msgspec.json.encode(wanted.origin).decode()
        tx.execute(upsert(cache_fill).values(**written, origin=origin, created_at=now).on_conflict_do_nothing())
        known = find_fill(tx, place, wanted.digest)
        assert known is not None  # noqa: S101  it is there now, whoever put it there
    else:
        tx.execute(update(cache_fill).where(cache_fill.c.id == known.id).values(problem=None, failed_at=None))
    wake(tx, known.id)


def fail_fill(tx: Connection, fill_id: int, problem: Problem, now: datetime) -> None:
    """Keep why. Of others that failed long ago nobody asks any more."""
    tx.execute(delete(cache_fill).where(cache_fill.c.failed_at < now - _TOLD))
    written = msgspec.json.encode(_Written(problem.kind.name, dict(problem.detail))).decode()
    tx.execute(update(cache_fill).where(cache_fill.c.id == fill_id).values(problem=written, failed_at=now))


def end_fill(tx: Connection, fill_id: int) -> None:
    tx.execute(delete(cache_fill).where(cache_fill.c.id == fill_id))
