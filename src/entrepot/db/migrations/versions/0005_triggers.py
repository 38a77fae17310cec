"""What triggers of tasks keep between two looks, and what workers say of themselves."""

import sqlalchemy as sa
from alembic import op

from entrepot.db.columns import DigestText, Instant, Key, Name

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _sources()
    _workers()
    _identities()
    _images()


def _sources() -> None:
    op.create_table(
        "task_source",
        sa.Column("id", Key, nullable=False),
        sa.Column("task_id", Key, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("hook", sa.String(length=32), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("delivered_at", Instant(), nullable=True),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("branch", sa.String(length=255), nullable=False),
        sa.Column("seen", sa.Text(), nullable=True),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("checked_at", Instant(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_source_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_source")),
        sa.UniqueConstraint("task_id", "name", name=op.f("uq_task_source_task_id_name")),
        sa.UniqueConstraint("hook", name=op.f("uq_task_source_hook")),
    )
    op.create_index(op.f("ix_task_source_due_at"), "task_source", ["due_at"], unique=False)


def _workers() -> None:
    op.create_table(
        "task_worker",
        sa.Column("worker_id", sa.String(length=64), nullable=False),
        sa.Column("pool", sa.String(length=128), nullable=False),
        sa.Column("architecture", sa.String(length=16), nullable=False),
        sa.Column("engine", sa.String(length=128), nullable=True),
        sa.Column("at_once", sa.Integer(), nullable=False),
        sa.Column("drains", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["worker.id"], name=op.f("fk_task_worker_worker_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_task_worker")),
    )
    architecture = sa.Column("architecture", sa.String(length=16), server_default="", nullable=False)
    op.add_column("task_run", architecture)
    op.add_column("task_run", sa.Column("queue", sa.String(length=160), nullable=True))
    op.add_column("task_run", sa.Column("worker", sa.String(length=64), nullable=True))
    op.add_column("task_run", sa.Column("waits", sa.Text(), nullable=True))
    op.add_column("task_run", sa.Column("told_at", Instant(), nullable=True))
    waiting = sa.text("finished_at IS NULL AND queue IS NULL")
    op.create_index(
        "ix_task_run_waiting",
        "task_run",
        ["registry_id", "number"],
        unique=False,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def _identities() -> None:
    op.add_column("principal", sa.Column("owner_id", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_credential_name"), "credential", ["name"], unique=False)
    op.add_column("principal", sa.Column("acts_as", sa.String(length=36), nullable=True))


def _images() -> None:
    """Base images, and pushes that begin runs."""
    op.add_column("event", sa.Column("evaluated_at", Instant(), nullable=True))
    # What happened before there were such triggers is not for them.
    op.execute("UPDATE event SET evaluated_at = at")
    op.create_index(
        "ix_event_unevaluated",
        "event",
        ["repository_id", "sequence"],
        unique=False,
        sqlite_where=sa.text("evaluated_at IS NULL"),
        postgresql_where=sa.text("evaluated_at IS NULL"),
    )
    op.create_table(
        "task_run_principal",
        sa.Column("principal_id", sa.String(length=36), nullable=False),
        sa.Column("run_id", Key, nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["task_run.id"], name=op.f("fk_task_run_principal_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("principal_id", name=op.f("pk_task_run_principal")),
    )
    op.create_index(op.f("ix_task_run_principal_run_id"), "task_run_principal", ["run_id"], unique=False)
    op.create_table(
        "task_image_trigger",
        sa.Column("task_id", Key, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("counts_all", sa.Boolean(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=True),
        sa.Column("tells_all", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["task.id"], name=op.f("fk_task_image_trigger_task_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_task_image_trigger")),
    )
    op.create_table(
        "task_base_image",
        sa.Column("task_id", Key, nullable=False),
        sa.Column("registry", Name, nullable=False),
        sa.Column("repository", Name, nullable=False),
        sa.Column("tag", Name, nullable=False),
        sa.Column("own", Name, nullable=True),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("digest", DigestText, nullable=True),
        sa.Column("seen", DigestText, nullable=True),
        sa.Column("repository_id", sa.BigInteger(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_signed_in", sa.Boolean(), nullable=False),
        sa.Column("checked_at", Instant(), nullable=True),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_base_image_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "registry", "repository", "tag", name=op.f("pk_task_base_image")),
    )
    for columns in (["own", "repository", "tag"], ["registry", "repository", "tag"], ["next_at"]):
        name = f"ix_task_base_image_{'_'.join(columns)}"
        op.create_index(op.f(name), "task_base_image", columns, unique=False)
    op.create_table(
        "task_event_trigger",
        sa.Column("task_id", Key, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("repositories", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["task.id"], name=op.f("fk_task_event_trigger_task_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", "name", name=op.f("pk_task_event_trigger")),
    )
    op.create_index(op.f("ix_task_event_trigger_registry_id"), "task_event_trigger", ["registry_id"], unique=False)
