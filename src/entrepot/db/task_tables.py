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

from entrepot.db.columns import DigestText, Instant, Key, Name
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
    # How often a worker began it: what an earlier one left in an engine is removed.
    Column("attempt", Integer, nullable=False, server_default=text("0")),
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
    # For files that go.
    Index(None, "log_file"),
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

# When a timer of an enabled task is due next.
task_timer: Final = Table(
    "task_timer",
    metadata,
    Column("task_id", Key, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Name, primary_key=True),
    Column("schedule", String(256), nullable=False),
    Column("due_at", Instant, nullable=False),
    Index(None, "due_at"),
)

# What a trigger made of each thing that happened: of one thing, by its key, once.
task_evaluation: Final = Table(
    "task_evaluation",
    metadata,
    Column("id", Key, primary_key=True),
    Column("task_id", Key, ForeignKey("task.id", ondelete="CASCADE"), nullable=False),
    # timer, source, image; the trigger's name; and a moment, a commit or a digest.
    Column("kind", String(16), nullable=False),
    Column("trigger", Name, nullable=False),
    Column("key", String(512), nullable=False),
    Column("at", Instant, nullable=False),
    # The run that it began, or why there is none.
    Column("run_id", Key, ForeignKey("task_run.id", ondelete="SET NULL")),
    Column("reason", Text, nullable=False),
    UniqueConstraint("task_id", "kind", "trigger", "key"),
    Index(None, "task_id", "id"),
    Index(None, "at"),
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
    # Of its bytes, once they are there; the length is what the client announced, until then.
    Column("digest", DigestText),
    Column("length", BigInteger, nullable=False, server_default=text("0")),
    # Where they lie, if there are any: one piece. Says nothing about another machine.
    Column("store", String(64)),
    Column("key", String(512)),
    Column("key_scope", String(64), nullable=False, server_default=""),
    Index(None, "file_id", "number"),
    Index(None, "store", "key"),
)
