"""Alembic's part of a migration, apart because it takes long to load."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

SCRIPTS: Final = Path(__file__).parent / "migrations"


def upgrade(tx: Connection) -> set[str]:
    """Run the revisions that the catalog lacks. When it has any that we do not know, answers those and does nothing."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    strange = set(MigrationContext.configure(tx).get_current_heads()) - known
    if strange:
        return strange
    config.attributes["connection"] = tx
    command.upgrade(config, "head")
    return set()
