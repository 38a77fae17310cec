"""Tasks: their rows take the place of tables that nothing ever used; files that no manifest names."""

import sqlalchemy as sa
from alembic import op

from entrepot.db.columns import DigestText, Instant, Key, Name

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for name in ("base_image", "step", "run", "task"):
        op.drop_table(name)
    op.add_column("registry", sa.Column("run_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    _files()
    _tasks()
    _runs()
    _triggers()


def _files() -> None:
    op.create_table(
        "kept_file",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registry.id"], name=op.f("fk_kept_file_registry_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_file")),
    )
    op.create_index(op.f("ix_kept_file_expires_at"), "kept_file", ["expires_at"], unique=False)
    op.create_index(op.f("ix_kept_file_registry_id"), "kept_file", ["registry_id"], unique=False)
    op.create_table(
        "kept_block",
        sa.Column("session", sa.String(length=32), nullable=False),
        sa.Column("file_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("digest", DigestText, nullable=True),
        sa.Column("length", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("store", sa.String(length=64), nullable=True),
        sa.Column("key", sa.String(length=512), nullable=True),
        sa.Column("key_scope", sa.String(length=64), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["kept_file.id"], name=op.f("fk_kept_block_file_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("session", name=op.f("pk_kept_block")),
    )
    op.create_index(op.f("ix_kept_block_file_id_number"), "kept_block", ["file_id", "number"], unique=False)
    op.create_index(op.f("ix_kept_block_store_key"), "kept_block", ["store", "key"], unique=False)


def _tasks() -> None:
    op.create_table(
        "task",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("properties", sa.Text(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name=op.f("fk_task_registry_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("registry_id", "key", name=op.f("uq_task_registry_id_key")),
    )
    op.create_table(
        "agent_pool",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("properties", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registry.id"], name=op.f("fk_agent_pool_registry_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_pool")),
        sa.UniqueConstraint("registry_id", "key", name=op.f("uq_agent_pool_registry_id_key")),
    )


def _runs() -> None:
    op.create_table(
        "task_run",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("task", Name, nullable=True),
        sa.Column("pool", Name, nullable=True),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="{}", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_archived", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_canceled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("log_length", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("log_file", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["log_file"], ["kept_file.id"], name=op.f("fk_task_run_log_file"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registry.id"], name=op.f("fk_task_run_registry_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_run")),
        sa.UniqueConstraint("registry_id", "number", name=op.f("uq_task_run_registry_id_number")),
    )
    op.create_index(op.f("ix_task_run_finished_at"), "task_run", ["finished_at"], unique=False)
    op.create_index(op.f("ix_task_run_log_file"), "task_run", ["log_file"], unique=False)
    op.create_index(
        "ix_task_run_open",
        "task_run",
        ["registry_id", "number"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_index(
        op.f("ix_task_run_registry_id_task_number"), "task_run", ["registry_id", "task", "number"], unique=False
    )
    op.create_table(
        "task_log",
        sa.Column("run_id", Key, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["task_run.id"], name=op.f("fk_task_log_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "start", name=op.f("pk_task_log")),
    )
    op.create_table(
        "task_run_resource",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("properties", sa.Text(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=True),
        sa.Column("run_id", Key, nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registry.id"], name=op.f("fk_task_run_resource_registry_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["task_run.id"], name=op.f("fk_task_run_resource_run_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_run_resource")),
        sa.UniqueConstraint("registry_id", "key", name=op.f("uq_task_run_resource_registry_id_key")),
    )


def _triggers() -> None:
    op.create_table(
        "task_timer",
        sa.Column("task_id", Key, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("schedule", sa.String(length=256), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_timer_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "name", name=op.f("pk_task_timer")),
    )
    op.create_index(op.f("ix_task_timer_due_at"), "task_timer", ["due_at"], unique=False)
    op.create_table(
        "task_evaluation",
        sa.Column("id", Key, nullable=False),
        sa.Column("task_id", Key, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("trigger", Name, nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("run_id", Key, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["task_run.id"], name=op.f("fk_task_evaluation_run_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_evaluation_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_evaluation")),
        sa.UniqueConstraint(
            "task_id", "kind", "trigger", "key", name=op.f("uq_task_evaluation_task_id_kind_trigger_key")
        ),
    )
    op.create_index(op.f("ix_task_evaluation_at"), "task_evaluation", ["at"], unique=False)
    op.create_index(op.f("ix_task_evaluation_task_id_id"), "task_evaluation", ["task_id", "id"], unique=False)
