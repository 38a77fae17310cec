"""What the migrations make is what the tables say.

On PostgreSQL: SQLite does not tell enough of a table's defaults, lengths and references to compare them.
"""

from contextlib import closing
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from tests.registry import settings_for

from entrepot.db import access_tables, management_tables, tables, task_tables
from entrepot.db.database import open_database

# Each module has added its tables to the one metadata.
(METADATA,) = {module.metadata for module in (access_tables, management_tables, tables, task_tables)}


def differences(tx: Connection) -> list[Any]:
    options = {
        # DBOS keeps its tables beside ours and has migrations of its own.
        "include_name": lambda name, kind, _parents: kind != "table" or name in METADATA.tables,
        "compare_server_default": True,
    }
    return compare_metadata(MigrationContext.configure(tx, opts=options), METADATA)


def test_migrations_make_what_the_tables_say(postgres_settings: dict[str, Any], data_dir: Path) -> None:
    url = settings_for(data_dir, **postgres_settings).database_url
    assert url is not None
    with closing(open_database(url.get_secret_value(), data_dir, pool_size=1)) as database:
        assert database.read(differences) == []
