"""Migrations, run at a server's start by one process at a time.

Expand, then contract: an old and a new program may run side by side on one catalog. A catalog that a newer program made
is refused rather than guessed at.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, inspect, text

from entrepot.db.database import Database

# The newest revision in migrations/; a test holds it.
HEAD: Final = "0006"
# Any number, the same in every version of the program.
_LOCK_NUMBER: Final = 0x656E747265706F74


class CatalogTooNewError(Exception):
    """The catalog was migrated by a newer program; run that one, or restore a backup."""


def migrate(database: Database) -> None:
    """Bring the catalog to this program's schema. Raises CatalogTooNewError."""
    with _alone(database):
        if database.read(revision) != HEAD:
            from entrepot.db.upgrade import upgrade  # noqa: PLC0415  loading Alembic takes half a second

            strange = database.write(upgrade)
            if strange:
                raise CatalogTooNewError(
                    f"the catalog's schema {', '.join(sorted(strange))} is newer than this program"
                )


def revision(tx: Connection) -> str | None:
    """The catalog's schema; None when it was never migrated."""
    if not inspect(tx).has_table("alembic_version"):
        return None
    return tx.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


@contextmanager
def _alone(database: Database) -> Generator[None]:
    """Nobody else migrates meanwhile; released when the process dies."""
    if database.is_sqlite:
        file = os.open(f"{database.engine.url.database}.migrate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)
        return
    with database.engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": _LOCK_NUMBER})
        connection.commit()
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": _LOCK_NUMBER})
            connection.commit()
