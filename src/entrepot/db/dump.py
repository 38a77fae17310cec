"""The catalog as lines of JSON, the same from SQLite and PostgreSQL: a backup of one restores into the other.

A line is ``["table", {column: value, ...}]``; moments are ISO 8601 text, bytes are base64.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, func, insert, select, text
from sqlalchemy.types import TypeEngine

from entrepot.db.access_tables import handle, sign_in_failure
from entrepot.db.cache_tables import cache_fill
from entrepot.db.columns import Instant
from entrepot.db.management_tables import operation
from entrepot.db.schema import metadata
from entrepot.db.tables import (
    blob_location,
    collection_hold,
    retired_key,
    upload,
    upload_piece,
    worker,
)
from entrepot.db.task_tables import kept_block, task_run, task_worker

# Where bytes lie, who is at work, what is on its way and who is signed in right now say nothing about another machine.
_LOCAL: Final = frozenset(
    {
        *(blob_location, collection_hold, operation, retired_key, upload, upload_piece),
        *(worker, task_worker, handle, sign_in_failure, cache_fill),
    }
)
# The same of single columns: they come back empty. A run that went on waits again.
_LOCAL_COLUMNS: Final = frozenset(
    {kept_block.c.store, kept_block.c.key, kept_block.c.key_scope, task_run.c.queue, task_run.c.worker}
)
_BATCH: Final = 500

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(tuple[str, dict[str, Any]]).decode


def dumped_tables(tables: MetaData = metadata) -> list[Table]:
    """The tables of a dump, parents before children."""
    return [table for table in tables.sorted_tables if table not in _LOCAL]


def dump(tx: Connection) -> Iterator[bytes]:
    """Every row as a line. Rows are read as they are asked for, so memory does not grow with the catalog."""
    for table in dumped_tables():
        columns = [column for column in table.columns if column not in _LOCAL_COLUMNS]
        names = [str(column.name) for column in columns]
        for row in tx.execute(select(*columns).order_by(*table.primary_key).execution_options(yield_per=_BATCH)):
            yield _encode((str(table.name), dict(zip(names, row, strict=True)))) + b"\n"


def load(tx: Connection, lines: Iterable[bytes]) -> int:
    """Insert the lines of a dump into an empty catalog. Answers how many. Raises msgspec.DecodeError, KeyError."""
    tables = {table.name: table for table in dumped_tables()}
    count = 0
    batch: list[dict[str, Any]] = []
    current: Table | None = None
    for line in lines:
        name, values = _decode(line)
        table = tables[name]
        if batch and (table is not current or len(batch) >= _BATCH):
            tx.execute(insert(_known(current)), batch)
            batch = []
        current = table
        batch.append(_values(table, values))
        count += 1
    if batch:
        tx.execute(insert(_known(current)), batch)
    _continue_numbers(tx)
    if tx.dialect.name == "postgresql":
        # Without statistics it sorts a whole list for each page; its own come a minute later.
        tx.execute(text("ANALYZE"))
    return count


def _known(table: Table | None) -> Table:
    if table is None:
        raise KeyError("a batch without a table")
    return table


def _values(table: Table, values: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value is None else _reader(table.columns[name])(value) for name, value in values.items()}


def _reader(column: Column[Any]) -> Callable[[Any], object]:
    kind: TypeEngine[Any] = column.type
    if isinstance(kind, Instant):
        return lambda value: msgspec.convert(value, datetime)
    if isinstance(kind, LargeBinary):
        return lambda value: msgspec.convert(value, bytes)
    return lambda value: value


def _continue_numbers(tx: Connection) -> None:
    """PostgreSQL's sequences do not see numbers that were given; SQLite goes on after the largest by itself."""
    if tx.dialect.name != "postgresql":
        return
    for table in dumped_tables():
        key = table.columns.get("id")
        if key is not None and table.autoincrement_column is key:
            largest = tx.execute(select(func.max(key))).scalar_one()
            if largest is not None:
                tx.execute(
                    text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :largest)"),
                    {"table": table.name, "largest": largest},
                )
