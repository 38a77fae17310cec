"""Long operations, locks, network rules, replications, imports, purges, webhooks with deliveries, undo, limits."""

import sqlalchemy as sa
from alembic import op

from entrepot.db.columns import Instant, Key, Name

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("registry", sa.Column("network", sa.Text(), nullable=True))
    op.add_column("registry", sa.Column("limits", sa.Text(), nullable=True))
    op.create_table(
        "operation",
        sa.Column("id", sa.String(length=96), nullable=False),
        sa.Column("resource_id", sa.String(length=1024), nullable=False),
        sa.Column("principal", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("progress", sa.Text(), server_default="{}", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operation")),
    )
    op.create_index(op.f("ix_operation_ended_at"), "operation", ["ended_at"], unique=False)
    op.create_table(
        "management_lock",
        sa.Column("scope_key", sa.String(length=1024), nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("scope", sa.String(length=1024), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("notes", sa.String(length=512), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("scope_key", "name", name=op.f("pk_management_lock")),
    )
    op.create_table(
        "image_import",
        sa.Column("operation_id", sa.String(length=96), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(length=160), nullable=True),
        sa.PrimaryKeyConstraint("operation_id", name=op.f("pk_image_import")),
    )
    op.create_table(
        "replication",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("region_endpoint", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registry.id"], name=op.f("fk_replication_registry_id_registry"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replication")),
        sa.UniqueConstraint("registry_id", "key", name=op.f("uq_replication_registry_id_key")),
        sa.UniqueConstraint("registry_id", "location", name=op.f("uq_replication_registry_id_location")),
    )
    # The activity log is read by it.
    op.create_index(
        "ix_audit_entry_management",
        "audit_entry",
        ["at", "id"],
        unique=False,
        sqlite_where=sa.text("substr(action, 1, 10) = 'Microsoft.'"),
        postgresql_where=sa.text("substr(action, 1, 10) = 'Microsoft.'"),
    )
    _webhooks()
    _undo()
    _tag_history()
    _purges()
    _rights()


def _rights() -> None:
    op.drop_index(op.f("ix_role_assignment_principal_id"), "role_assignment")
    op.drop_index(op.f("ix_role_assignment_principal_id_role_id_scope_key"), "role_assignment")
    op.create_index(
        op.f("ix_role_assignment_principal_id_scope_key_role_id"),
        "role_assignment",
        ["principal_id", "scope_key", "role_id"],
        unique=True,
    )


def _purges() -> None:
    op.create_table(
        "purge_rule",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("last_run", sa.Text(), nullable=True),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registry.id"], name=op.f("fk_purge_rule_registry_id_registry"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purge_rule")),
        sa.UniqueConstraint("registry_id", "key", name=op.f("uq_purge_rule_registry_id_key")),
    )
    op.create_index(op.f("ix_purge_rule_due_at"), "purge_rule", ["due_at"], unique=False)
    op.create_table(
        "purge",
        sa.Column("operation_id", sa.String(length=96), nullable=False),
        sa.Column("rule_id", Key, nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("canceled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["purge_rule.id"], name=op.f("fk_purge_rule_id_purge_rule"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("operation_id", name=op.f("pk_purge")),
        sa.UniqueConstraint("rule_id", name=op.f("uq_purge_rule_id")),
    )


def _tag_history() -> None:
    op.add_column("tag", sa.Column("moved_at", Instant(), nullable=True))
    op.execute(
        "UPDATE tag SET moved_at = (SELECT max(before.until) FROM tag_history AS before"
        " WHERE before.repository_id = tag.repository_id AND before.name = tag.name"
        " AND before.until > tag.created_at)"
    )
    op.add_column("tag_history", sa.Column("set_by", sa.String(length=64), nullable=True))


def _webhooks() -> None:
    # Nothing was ever written to the old one.
    op.drop_table("delivery")
    op.add_column("event", sa.Column("fanned_at", Instant(), nullable=True))
    # Nobody asked to be told of what happened before there were webhooks.
    op.execute("UPDATE event SET fanned_at = at")
    op.create_index(
        "ix_event_waiting",
        "event",
        ["repository_id", "sequence"],
        unique=False,
        sqlite_where=sa.text("fanned_at IS NULL"),
        postgresql_where=sa.text("fanned_at IS NULL"),
    )
    op.create_table(
        "webhook",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("scope", sa.String(length=512), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.Column("schema", sa.String(length=32), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registry.id"], name=op.f("fk_webhook_registry_id_registry"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
        sa.UniqueConstraint("registry_id", "key", name=op.f("uq_webhook_registry_id_key")),
    )
    op.create_table(
        "delivery",
        sa.Column("id", Key, nullable=False),
        sa.Column("webhook_id", Key, nullable=False),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("began_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("schema", sa.String(length=32), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), server_default="[]", nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_delivery_webhook_id_webhook"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
    )
    op.create_index(op.f("ix_delivery_webhook_id_id"), "delivery", ["webhook_id", "id"], unique=False)
    op.create_index(
        "ix_delivery_pending",
        "delivery",
        ["webhook_id", "repository_id", "id"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "delivery_lane",
        sa.Column("webhook_id", Key, nullable=False),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_delivery_lane_webhook_id_webhook"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("webhook_id", "repository_id", name=op.f("pk_delivery_lane")),
    )
    op.create_index(op.f("ix_delivery_lane_due_at"), "delivery_lane", ["due_at"], unique=False)


def _undo() -> None:
    for name, column in (
        ("registry", sa.Column("soft_delete", sa.Boolean(), server_default=sa.false(), nullable=False)),
        ("registry", sa.Column("soft_delete_days", sa.Integer(), server_default=sa.text("7"), nullable=False)),
        ("registry", sa.Column("untagged_from", Instant(), nullable=True)),
        ("registry", sa.Column("untagged_days", sa.Integer(), server_default=sa.text("7"), nullable=False)),
        ("repository", sa.Column("deleted_at", Instant(), nullable=True)),
        ("repository", sa.Column("deleted_name", Name, nullable=True)),
        ("repository", sa.Column("is_kept", sa.Boolean(), server_default=sa.false(), nullable=False)),
        ("tag_history", sa.Column("is_deleted", sa.Boolean(), server_default=sa.false(), nullable=False)),
        ("repository_blob", sa.Column("deleted_at", Instant(), nullable=True)),
    ):
        op.add_column(name, column)
    locked = "NOT (write_enabled AND delete_enabled)"
    _partial("ix_repository_deleted", "repository", ["registry_id", "deleted_name"], "deleted_name IS NOT NULL")
    _partial("ix_manifest_locked", "manifest", ["repository_id"], locked)
    _partial("ix_manifest_deleted", "manifest", ["repository_id", "digest"], "deleted_at IS NOT NULL")
    _partial("ix_manifest_deleted_at", "manifest", ["repository_id", "deleted_at"], "deleted_at IS NOT NULL")
    _partial("ix_manifest_expiring", "manifest", ["deleted_at"], "deleted_at IS NOT NULL")
    _partial("ix_manifest_untagged", "manifest", ["untagged_since"], "untagged_since IS NOT NULL")
    _partial("ix_tag_locked", "tag", ["repository_id"], locked)
    op.create_index(
        "ix_tag_history_deleted",
        "tag_history",
        ["repository_id", "name", "is_deleted", "digest", "until"],
        unique=False,
        sqlite_where=sa.text("is_deleted = 1"),
        postgresql_where=sa.text("is_deleted"),
    )
    op.drop_index(op.f("ix_manifest_repository_id_updated_at"), table_name="manifest")
    _partial("ix_manifest_live", "manifest", ["repository_id", "updated_at"], "deleted_at IS NULL")
    op.drop_index(op.f("ix_tag_history_repository_id_name_until"), table_name="tag_history")
    columns = ["repository_id", "name", "id"]
    op.create_index(op.f("ix_tag_history_repository_id_name_id"), "tag_history", columns, unique=False)


def _partial(name: str, table: str, columns: list[str], only: str) -> None:
    op.create_index(name, table, columns, unique=False, sqlite_where=sa.text(only), postgresql_where=sa.text(only))
