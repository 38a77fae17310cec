"""The artifact cache: credential sets, cache rules, tags of other registries, images on their way. Workers' labels."""

import sqlalchemy as sa
from alembic import op

from entrepot.db.columns import DigestText, Instant, Key, Name

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    _rules()
    _content()
    _labels()


def _rules() -> None:
    op.create_table(
        "credential_set",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("login_server", sa.String(length=320), nullable=False),
        sa.Column("credentials", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        _of_registry("credential_set"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential_set")),
        sa.UniqueConstraint("registry_id", "key", name=op.f("uq_credential_set_registry_id_key")),
    )
    op.create_table(
        "cache_rule",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("source", sa.String(length=640), nullable=False),
        sa.Column("host", sa.String(length=320), nullable=False),
        sa.Column("target", Name, nullable=False),
        sa.Column("credential_set_id", Key, nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        _of_registry("cache_rule"),
        sa.ForeignKeyConstraint(
            ["credential_set_id"], ["credential_set.id"], name=op.f("fk_cache_rule_credential_set_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cache_rule")),
        sa.UniqueConstraint("registry_id", "key", name=op.f("uq_cache_rule_registry_id_key")),
        sa.UniqueConstraint("registry_id", "target", name=op.f("uq_cache_rule_registry_id_target")),
    )


def _content() -> None:
    op.create_table(
        "cached_repository",
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("repository", Name, nullable=False),
        _of_registry("cached_repository"),
        sa.PrimaryKeyConstraint("registry_id", "repository", name=op.f("pk_cached_repository")),
    )
    op.create_table(
        "cached_tag",
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("repository", Name, nullable=False),
        sa.Column("tag", Name, nullable=False),
        sa.Column("digest", DigestText, nullable=False),
        sa.Column("confirmed_at", Instant(), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        _of_registry("cached_tag"),
        sa.PrimaryKeyConstraint("registry_id", "repository", "tag", name=op.f("pk_cached_tag")),
    )
    op.create_table(
        "cache_fill",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("repository", Name, nullable=False),
        sa.Column("digest", DigestText, nullable=False),
        sa.Column("media_type", sa.String(length=255), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.Column("principal", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("failed_at", Instant(), nullable=True),
        _of_registry("cache_fill"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cache_fill")),
        sa.UniqueConstraint(
            "registry_id", "repository", "digest", name=op.f("uq_cache_fill_registry_id_repository_digest")
        ),
    )


def _labels() -> None:
    op.add_column("task_run", sa.Column("labels", sa.String(length=255), server_default="", nullable=False))
    op.add_column("task_worker", sa.Column("labels", sa.String(length=64), server_default="", nullable=False))


def _of_registry(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_registry_id")
    return sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name=name, ondelete="CASCADE")
