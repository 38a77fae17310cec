"""Tables of the management API: long operations, locks, replications, imports, purges, webhooks, deliveries."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from entrepot.db.columns import Instant, Key, Name
from entrepot.db.schema import metadata

operation: Final = Table(
    "operation",
    metadata,
    Column("id", String(96), primary_key=True),
    # What it works on, and who began it: both may read it.
    Column("resource_id", String(1024), nullable=False),
    Column("principal", String(64), nullable=False),
    # Creating, Updating, Deleting, Accepted; at its end Succeeded, Failed, Canceled.
    Column("status", String(16), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    # JSON: what it tells of itself on the way, and the error that it ended with.
    Column("progress", Text, nullable=False, server_default="{}"),
    Column("error", Text),
    Index(None, "ended_at"),
)

management_lock: Final = Table(
    "management_lock",
    metadata,
    # The resource that is locked, in lower case, and the lock's name.
    Column("scope_key", String(1024), primary_key=True),
    Column("name", Name, primary_key=True),
    Column("scope", String(1024), nullable=False),
    Column("level", String(16), nullable=False),
    Column("notes", String(512), nullable=False, server_default=""),
)

replication: Final = Table(
    "replication",
    metadata,
    Column("id", Key, primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE"), nullable=False),
    # In lower case, which lists are ordered by, and as it was given.
    Column("key", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("location", String(64), nullable=False),
    Column("tags", Text, nullable=False),
    Column("region_endpoint", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("registry_id", "key"),
    UniqueConstraint("registry_id", "location"),
)

webhook: Final = Table(
    "webhook",
    metadata,
    Column("id", Key, primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE"), nullable=False),
    # In lower case, which lists are ordered by, and as it was given.
    Column("key", Name, nullable=False),
    Column("name", Name, nullable=False),
    # enabled, disabled.
    Column("status", String(16), nullable=False),
    # Deliveries are made and wait.
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("scope", String(512), nullable=False),
    # JSON: lists and objects.
    Column("actions", Text, nullable=False),
    # How its events are written: ContainerRegistrySchema, EventGridSchema, CloudEventSchemaV1_0.
    Column("schema", String(32), nullable=False),
    Column("location", String(64), nullable=False),
    Column("tags", Text, nullable=False),
    # Where it calls and with what: a sealed document.
    Column("receiver", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("registry_id", "key"),
)

delivery: Final = Table(
    "delivery",
    metadata,
    Column("id", Key, primary_key=True),
    Column("webhook_id", Key, ForeignKey("webhook.id", ondelete="CASCADE"), nullable=False),
    # 0: of a ping.
    Column("repository_id", BigInteger, nullable=False),
    Column("event_id", String(36), nullable=False),
    Column("action", String(32), nullable=False),
    # When it happened.
    Column("at", Instant, nullable=False),
    # pending, delivered, dead.
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    # The first attempt, and the last.
    Column("began_at", Instant),
    Column("ended_at", Instant),
    # What is sent and in which schema, and JSON of the last attempts.
    Column("schema", String(32), nullable=False),
    Column("content", Text, nullable=False),
    Column("record", Text, nullable=False, server_default="[]"),
    Index(None, "webhook_id", "id"),
    Index(
        "ix_delivery_pending",
        "webhook_id",
        "repository_id",
        "id",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

# There is one row for each repository that has pending deliveries to a webhook: they go one after the other.
delivery_lane: Final = Table(
    "delivery_lane",
    metadata,
    Column("webhook_id", Key, ForeignKey("webhook.id", ondelete="CASCADE"), primary_key=True),
    Column("repository_id", BigInteger, primary_key=True),
    # When the first of them may go; in the future, too, while a worker has it.
    Column("due_at", Instant, nullable=False),
    Index(None, "due_at"),
)

purge_rule: Final = Table(
    "purge_rule",
    metadata,
    Column("id", Key, primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE"), nullable=False),
    # In lower case, which lists are ordered by, and as it was given.
    Column("key", Name, nullable=False),
    Column("name", Name, nullable=False),
    # JSON: what it selects, when and how far it may go; how its last run ended.
    Column("settings", Text, nullable=False),
    Column("last_run", Text),
    # By its schedule.
    Column("due_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("registry_id", "key"),
    Index(None, "due_at"),
)

# A run that has not ended: what it is to do, and how far it has come.
purge: Final = Table(
    "purge",
    metadata,
    Column("operation_id", String(96), primary_key=True),
    Column("rule_id", Key, ForeignKey("purge_rule.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("plan", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("canceled", Boolean, nullable=False, server_default=false()),
)

image_import: Final = Table(
    "image_import",
    metadata,
    # The operation; its row is deleted when that has ended, and the secret with it.
    Column("operation_id", String(96), primary_key=True),
    # JSON: what is to be imported. The source's credentials are sealed.
    Column("plan", Text, nullable=False),
    Column("secret", Text),
    # Of the image, once that is known.
    Column("digest", String(160)),
)
