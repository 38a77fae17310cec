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
    # What it is for, in lower case: workers of that architecture come first. Empty: any.
    Column("architecture", String(16), nullable=False, server_default=""),
    # What it needs of a worker, in lower case and order, comma-separated.
    Column("labels", String(255), nullable=False, server_default=""),
    # Of the jobs, once a worker has chosen it; and the worker that has it. Without a queue it waits.
    Column("queue", String(160)),
    Column("worker", String(64)),
    # Why it waits, as its log says, and since when it says so.
    Column("waits", Text),
    Column("told_at", Instant),
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
    Index(
        "ix_task_run_waiting",
        "registry_id",
        "number",
        sqlite_where=text("finished_at IS NULL AND queue IS NULL"),
        postgresql_where=text("finished_at IS NULL AND queue IS NULL"),
    ),
    Index(None, "finished_at"),
    # For files that go.
    Index(None, "log_file"),
)

# What a worker of background jobs says of the runs that it takes; goes with the worker.
task_worker: Final = Table(
    "task_worker",
    metadata,
    Column("worker_id", String(64), ForeignKey("worker.id", ondelete="CASCADE"), primary_key=True),
    # NAME, or REGISTRY/NAME of one registry's alone, in lower case; empty: of runs without a pool.
    Column("pool", String(128), nullable=False),
    Column("architecture", String(16), nullable=False),
    # In lower case and order, comma-separated.
    Column("labels", String(64), nullable=False, server_default=""),
    # Name and version, once it was looked for.
    Column("engine", String(128)),
    Column("at_once", Integer, nullable=False),
    # It takes no more runs.
    Column("drains", Boolean, nullable=False, server_default=false()),
)

# Whom a run was in registries: what it pushed is known by that, after its end, too.
task_run_principal: Final = Table(
    "task_run_principal",
    metadata,
    Column("principal_id", String(36), primary_key=True),
    Column("run_id", Key, ForeignKey("task_run.id", ondelete="CASCADE"), nullable=False),
    Index(None, "run_id"),
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
    # timer, source, image, event; the trigger's name; and a moment, a commit or a digest.
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

# A source trigger of a task: the address that its repository's server calls, and what the repository had when we asked.
task_source: Final = Table(
    "task_source",
    metadata,
    Column("id", Key, primary_key=True),
    Column("task_id", Key, ForeignKey("task.id", ondelete="CASCADE"), nullable=False),
    # The trigger's.
    Column("name", Name, nullable=False),
    # The end of the address, which nobody can guess, and what deliveries prove; that is sealed.
    Column("hook", String(32), nullable=False),
    Column("secret", Text, nullable=False),
    Column("delivered_at", Instant),
    # The repository and its branch, empty for the default one; what was seen is of these.
    Column("repository", Text, nullable=False),
    Column("branch", String(255), nullable=False),
    # JSON: for which events, and the commits of references by their names; none before the first look.
    Column("seen", Text),
    # None: of a trigger or a task that is disabled.
    Column("due_at", Instant),
    Column("checked_at", Instant),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("problem", Text),
    UniqueConstraint("task_id", "name"),
    UniqueConstraint("hook"),
    Index(None, "due_at"),
)

# The base image trigger of an enabled task, if that is enabled too.
task_image_trigger: Final = Table(
    "task_image_trigger",
    metadata,
    Column("task_id", Key, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Name, nullable=False),
    # Whether images of build stages count as well.
    Column("counts_all", Boolean, nullable=False),
    # Who is told too, and whether with more than a token.
    Column("endpoint", Text),
    Column("tells_all", Boolean, nullable=False),
)

# An image that a task's builds stand on, as its last successful run found, or until then its Dockerfiles say.
task_base_image: Final = Table(
    "task_base_image",
    metadata,
    Column("task_id", Key, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    Column("registry", Name, primary_key=True),
    Column("repository", Name, primary_key=True),
    # Empty where a digest alone says which image it is: that one never changes.
    Column("tag", Name, primary_key=True),
    # The registry's name, where it is one of this deployment: events tell of it, and nobody asks.
    Column("own", Name),
    # Runtime, BuildTime.
    Column("type", String(16), nullable=False),
    # What the run built on, and what the tag was last seen to be.
    Column("digest", DigestText),
    Column("seen", DigestText),
    # Of an own one: up to which event of which repository that is so.
    Column("repository_id", BigInteger),
    Column("sequence", BigInteger, nullable=False, server_default=text("0")),
    # Whether the task has an account for the registry: then nobody else's answers count.
    Column("is_signed_in", Boolean, nullable=False),
    Column("checked_at", Instant),
    # When it is looked at next; never where nothing waits for a change.
    Column("next_at", Instant),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("problem", Text),
    Index(None, "own", "repository", "tag"),
    Index(None, "registry", "repository", "tag"),
    Index(None, "next_at"),
)

# A trigger of an enabled task that pushes fire, if it is enabled too.
task_event_trigger: Final = Table(
    "task_event_trigger",
    metadata,
    Column("task_id", Key, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Name, primary_key=True),
    Column("registry_id", Key, nullable=False),
    # JSON: patterns, of which one has to fit.
    Column("repositories", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "registry_id"),
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
