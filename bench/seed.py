"""Fills contenders with a million names past their HTTP interface, which would take hours."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, String, Table, cast, func, insert, literal, select, true

from bench.images import make_image
from bench.model import Names, Shelf
from bench.registry import put_image
from entrepot.db import tables
from entrepot.db.database import open_database

LAYER_BYTES: Final = 512
BATCH: Final = 50_000
"""Rows in one transaction: beside a server, a writer must let others in."""


class DistributionSeeder:
    """The folders by which distribution 2 and 3 list tags and repositories; nothing in them can be pulled.

    Source: distribution, registry/storage/paths.go ("<root>/v2/repositories/<name>/_manifests/tags/<tag>").
    """

    # A folder for each name: a million of them take ten minutes to remove again.
    most = 100_000

    def __init__(self, store: Path) -> None:
        self._repositories = store / "docker" / "registry" / "v2" / "repositories"

    def tags(self, repository: str, names: Names) -> None:
        folder = self._repositories / repository / "_manifests" / "tags"
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).mkdir()

    def repositories(self, names: Names) -> None:
        for name in names:
            (self._repositories / name / "_layers").mkdir(parents=True)


class EntrepotSeeder:
    """Copies of a row that a real push made, through the catalog's own engine, so that its lock is taken.

    A copied repository has no manifests of its own; lists do not look for them.
    """

    most = 100_000_000

    def __init__(self, data: Path, database_url: str | None, shelf: Shelf) -> None:
        self._data, self._database_url, self._shelf = data, database_url, shelf

    def tags(self, repository: str, names: Names) -> None:
        put_image(self._shelf, repository, names[0], make_image((LAYER_BYTES,)))
        self._copy(tables.tag, names)

    def repositories(self, names: Names) -> None:
        put_image(self._shelf, names[0], "latest", make_image((LAYER_BYTES,)))
        self._copy(tables.repository, names)

    def _copy(self, table: Table, names: Names) -> None:
        """The first name is there; the others follow it."""
        database = open_database(self._database_url, self._data)
        try:
            original = database.read(_newest, table, names[0])
            _, left = names.split(1)
            while left.count:
                batch, left = left.split(min(BATCH, left.count))
                database.write(_insert_copies, table, original, batch)
        finally:
            database.close()


def _newest(tx: Connection, table: Table, name: str) -> int:
    found: int = tx.execute(select(func.max(table.c.id)).where(table.c.name == name)).scalar_one()
    return found


def _insert_copies(tx: Connection, table: Table, original: int, names: Names) -> None:
    """Made inside the database: rows that travel cost twenty times as much."""
    number = select(literal(names.first).label("number")).cte(recursive=True)
    number = number.union_all(select(number.c.number + 1).where(number.c.number < names.first + names.count - 1))
    name = literal(names.prefix, String) + cast(number.c.number, String)
    columns = [column for column in table.columns if column.name != "id"]
    copied = [name if column.name == "name" else column for column in columns]
    rows = select(*copied).select_from(table).join(number, true()).where(table.c.id == original)
    tx.execute(insert(table).from_select([column.name for column in columns], rows))
