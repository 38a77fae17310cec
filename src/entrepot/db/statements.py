"""The one INSERT ... ON CONFLICT for both databases.

SQLAlchemy has no common construct. PostgreSQL's compiles for SQLite as well, the other way round it does not (a test in
tests/integration/db holds this).
"""

from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert

__all__ = ["Insert", "upsert"]
