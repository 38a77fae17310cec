"""A catalog with very much of everything that is listed, as rows: pushing it would take days.

Each row is a copy of one that a real push or the first start made, made inside the database: rows that travel cost
twenty times as much. Nothing of it can be pulled.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    case,
    cast,
    func,
    insert,
    literal,
    select,
    true,
    update,
)

from bench.images import make_image
from bench.model import Shelf
from bench.registry import put_image
from entrepot.access.builtin_roles import BUILT_IN_ROLES
from entrepot.access.queries import raise_epoch
from entrepot.access.secrets import generate_secret, hash_generated
from entrepot.db import tables
from entrepot.db.access_tables import credential, principal, role_assignment
from entrepot.db.columns import number_of
from entrepot.db.database import Database

REPOSITORY: Final = "bench/many"
MOVED: Final = "moved"
OTHER_GROUP: Final = "other"
_BATCH: Final = 50_000
_FIRST: Final = 10_000_000
_GONE: Final = 20_000_000
# Of one tag: five times what a day leaves of them.
_MOVES: Final = 5000
_LAYERS: Final = (4096, 4096, 4096)
# Prime, so that an order by time is none by name.
_STRIDE: Final = 7919

Value = Callable[[ColumnElement[int]], Any]  # an expression of the number of a copy


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is. Of the registries half lie in another group; deleted are a tenth of the manifests."""

    registries: int = 10_000
    repositories: int = 100_000
    manifests: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Reader:
    """A service principal that reads every registry of the other group by a role on each, and nothing else there."""

    client_id: str
    secret: str


def seed(database: Database, shelf: Shelf, size: Size) -> Reader:
    image = make_image(_LAYERS)
    for tag, pushed in (("first", image), (MOVED, image), (MOVED, make_image(_LAYERS))):
        put_image(shelf, REPOSITORY, tag, pushed)
    reader = Reader(str(uuid.uuid4()), generate_secret())
    _seed_registries(database, size, reader)
    original = database.read(_id_of, tables.repository, REPOSITORY)
    names = {"name": _named("bench/repository-")}
    _copies(database, tables.repository, original, size.repositories, names)
    hidden = {"name": _named("~"), "deleted_name": _named("gone/repository-"), "deleted_at": _moment, "is_kept": _yes}
    _copies(database, tables.repository, original, size.repositories // 10, hidden)
    _seed_manifests(database, size.manifests)
    database.write(_analyze)
    return reader


def _seed_registries(database: Database, size: Size, reader: Reader) -> None:
    original = database.read(_id_of, tables.registry, "local")
    here = database.read(lambda tx: tx.execute(select(tables.registry.c.resource_group_id)).scalar_one())
    _copies(database, tables.resource_group, here, 1, {"name": lambda _number: literal(OTHER_GROUP)})
    other = database.read(_id_of, tables.resource_group, OTHER_GROUP)
    group: Value = lambda number: case((number % 2 == 0, other), else_=here)  # noqa: E731  one of several values
    made = {"name": _named("bench"), "rid": _named("bench"), "resource_group_id": group}
    _copies(database, tables.registry, original, size.registries, made)
    database.write(_admit, reader, other)


def _seed_manifests(database: Database, count: int) -> None:
    """A tag on each, and a tenth of the manifests and tags that were deleted, beside a tag that moved often."""
    original = database.read(lambda tx: tx.execute(select(func.min(tables.manifest.c.id))).scalar_one())
    history = database.read(lambda tx: tx.execute(select(func.max(tables.tag_history.c.id))).scalar_one())
    few = count // 10
    subject = database.read(_digest_of, original)
    times = {"updated_at": _moment, "pushed_at": _moment}
    referring: Value = lambda number: case((number % 10 == 0, subject))  # noqa: E731  one of several values
    _copies(database, tables.manifest, original, count, {**times, "subject": referring, "digest": _digest(_FIRST)})
    _copies(database, tables.manifest, original, few, {**times, "digest": _digest(_GONE), "deleted_at": _moment})
    _copies(database, tables.tag_history, history, _MOVES, {})
    ended = {"is_deleted": _yes, "name": _named("gone-"), "digest": _digest(_GONE)}
    _copies(database, tables.tag_history, history, few, ended)
    for first in range(_FIRST, _FIRST + count, _BATCH):
        database.write(_tag_all, first, min(first + _BATCH, _FIRST + count))
    database.write(_count, count)


def _copies(database: Database, table: Table, original: int, count: int, changed: Mapping[str, Value]) -> None:
    """Beside a server, a writer must let others in."""
    for first in range(_FIRST, _FIRST + count, _BATCH):
        database.write(_copy, table, original, (first, min(first + _BATCH, _FIRST + count)), changed)


def _copy(tx: Connection, table: Table, original: int, numbers: tuple[int, int], changed: Mapping[str, Value]) -> None:
    first, end = numbers
    number = select(cast(literal(first), BigInteger).label("number")).cte(recursive=True)
    number = number.union_all(select(number.c.number + 1).where(number.c.number < end - 1))
    columns = [column for column in table.columns if column.name != "id"]
    values = [changed[each.name](number.c.number) if each.name in changed else each for each in columns]
    rows: Select[Any] = select(*values).select_from(table).join(number, true()).where(table.c.id == original)
    tx.execute(insert(table).from_select([column.name for column in columns], rows))


def _named(prefix: str) -> Value:
    return lambda number: literal(prefix, String) + cast(number, String)


def _digest(first: int) -> Value:
    """Decimal digits are hexadecimal ones, too."""
    return lambda number: literal("sha256:" + "0" * 56, String) + cast(number + (first - _FIRST), String)


def _moment(number: ColumnElement[int]) -> ColumnElement[int]:
    return literal(number_of(datetime.now(UTC)), BigInteger) - (number * _STRIDE) % 1_000_003


def _yes(_number: ColumnElement[int]) -> ColumnElement[bool]:
    return true()


def _id_of(tx: Connection, table: Table, name: str) -> int:
    found: int = tx.execute(select(table.c.id).where(table.c.name == name)).scalar_one()
    return found


def _digest_of(tx: Connection, manifest_id: int) -> str:
    return tx.execute(select(tables.manifest.c.digest).where(tables.manifest.c.id == manifest_id)).scalar_one()


def _tag_all(tx: Connection, first: int, end: int) -> None:
    """A tag for each manifest of these numbers, in another order by time than theirs."""
    original = select(tables.tag).where(tables.tag.c.name == "first").subquery()
    prefix = "sha256:" + "0" * 56
    its = tables.manifest.c
    changed = {
        "name": literal("v", String) + func.substr(its.digest, len(prefix) + 1),
        "manifest_id": its.id,
        "updated_at": its.updated_at,
    }
    columns = [column for column in tables.tag.columns if column.name != "id"]
    rows = (
        select(*(changed.get(each.name, original.c[each.name]) for each in columns))
        .select_from(original)
        .join(tables.manifest, its.repository_id == original.c.repository_id)
        .where(its.digest >= f"{prefix}{first}", its.digest < f"{prefix}{end}")
    )
    tx.execute(insert(tables.tag).from_select([column.name for column in columns], rows))


def _count(tx: Connection, more: int) -> None:
    counts = {"manifest_count": tables.repository.c.manifest_count + more, "tag_count": more + 2}
    tx.execute(update(tables.repository).where(tables.repository.c.name == REPOSITORY).values(counts))


def _admit(tx: Connection, reader: Reader, group_id: int) -> None:
    now, id_ = datetime.now(UTC), str(uuid.uuid4())
    tenant = tx.execute(select(tables.tenant.c.id)).scalar_one()
    who = {"id": id_, "tenant_id": tenant, "client_id": reader.client_id, "kind": "ServicePrincipal"}
    tx.execute(insert(principal).values(**who, type="Application", name="bench-reader", created_at=now))
    proof = {"id": str(uuid.uuid4()), "principal_id": id_, "kind": "secret"}
    tx.execute(insert(credential).values(**proof, secret_hash=hash_generated(reader.secret), created_at=now))
    role = next(role for role in BUILT_IN_ROLES.values() if role.name == "Reader")
    group = tx.execute(select(tables.resource_group).where(tables.resource_group.c.id == group_id)).one()
    path = f"/subscriptions/{group.subscription_id}/resourceGroups/{group.name}"
    names = tx.execute(select(tables.registry.c.name).where(tables.registry.c.resource_group_id == group_id)).scalars()
    scopes = [f"{path}/providers/Microsoft.ContainerRegistry/registries/{name}" for name in names]
    given = {"principal_id": id_, "role_id": role.id, "created_at": now}
    rows = [{**given, "id": str(uuid.uuid4()), "scope": each, "scope_key": each.lower()} for each in scopes]
    tx.execute(insert(role_assignment), rows)
    raise_epoch(tx)


def _analyze(tx: Connection) -> None:
    """PostgreSQL does it by itself within a minute of such a load; SQLite never does, and we do not for it."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql("ANALYZE")
