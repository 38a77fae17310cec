"""Tables of Tasks: tasks, their runs with steps and logs, agent pools; and files that no manifest names."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from entrepot.db.columns import Instant, Key, Name
from entrepot.db.schema import metadata

task: Final = Table(
    "task",
    metadata,
    Column("id", Key, primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE"), nullable=False),
    # In lower case, which lists are ordered by, and as it was given.
    Column("key", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("location", String(64), nullable=False),
    Column("tags", Text, nullable=False),
    # JSON: the identity, where it has one, and the properties without their secrets; those are sealed.
    Column("identity", Text),
    Column("properties", Text, nullable=False),
    Column("secrets", Text),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("registry_id", "key"),
)

task_run: Final = Table(
    "task_run",
    metadata,
    Column("id", Key, primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE"), nullable=False),
    # Counts up in its registry; the name says the same in letters and digits: ca1, ca2.
    Column("number", BigInteger, nullable=False),
    Column("name", String(32), nullable=False),
    # The task's name as it was given, of a run that belongs to one, and the agent pool's.
    Column("task", Name),
    Column("pool", Name),
    # QuickRun, AutoRun; Queued, Started, Running, Succeeded, Failed, Canceled, Error, Timeout.
    Column("type", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    # JSON: what is to be done, with every default filled in, and what began it. Secrets are sealed, and go at the end.
    Column("request", Text, nullable=False),
    Column("secrets", Text),
    # JSON: what came of it.
    Column("outcome", Text, nullable=False, server_default="{}"),
    Column("is_archived", Boolean, nullable=False, server_default=false()),
    Column("is_canceled", Boolean, nullable=False, server_default=false()),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("updated_at", Instant, nullable=False),
    # Bytes; once the log is whole it is a file.
    Column("log_length", BigInteger, nullable=False, server_default=text("0")),
    Column("log_file", String(32), ForeignKey("kept_file.id", ondelete="SET NULL")),
    UniqueConstraint("registry_id", "number"),
    Index(None, "registry_id", "task", "number"),
    Index(
        "ix_task_run_open",
        "registry_id",
        "number",
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
    Index(None, "finished_at"),
)

# A run's log while it grows.
task_log: Final = Table(
    "task_log",
    metadata,
    Column("run_id", Key, ForeignKey("task_run.id", ondelete="CASCADE"), primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

# The type taskRuns: a request for a run, as a resource that templates of deployments make.
task_run_resource: Final = Table(
    "task_run_resource",
    metadata,
    Column("id", Key, primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE"), nullable=False),
    Column("key", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("location", String(64), nullable=False),
    # JSON: identity, and the properties without secrets; those are sealed.
    Column("identity", Text),
    Column("properties", Text, nullable=False),
    Column("secrets", Text),
    Column("run_id", Key, ForeignKey("task_run.id", ondelete="SET NULL")),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("registry_id", "key"),
)

agent_pool: Final = Table(
    "agent_pool",
    metadata,
    Column("id", Key, primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE"), nullable=False),
    Column("key", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("location", String(64), nullable=False),
    Column("tags", Text, nullable=False),
    # JSON.
    Column("properties", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("registry_id", "key"),
)

# What lies in the content store and is no blob of a repository: sources of runs, and their logs.
kept_file: Final = Table(
    "kept_file",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE"), nullable=False),
    # Bytes, once it is whole.
    Column("length", BigInteger),
    Column("created_at", Instant, nullable=False),
    # Removed after it, unless it was kept for good.
    Column("expires_at", Instant),
    Index(None, "expires_at"),
    Index(None, "registry_id"),
)

# Parts of a file, in the order of their numbers; one without a number waits to be put in its place.
kept_block: Final = Table(
    "kept_block",
    metadata,
    # The content store's session that its bytes came by.
    Column("session", String(32), primary_key=True),
    Column("file_id", String(32), ForeignKey("kept_file.id", ondelete="CASCADE"), nullable=False),
    # What the client calls it, and which part it is.
    Column("name", String(128), nullable=False),
    Column("number", Integer),
    # JSON: the store's pieces, once its bytes are there.
    Column("pieces", Text),
    Column("length", BigInteger, nullable=False, server_default=text("0")),
    Index(None, "file_id", "number"),
)
