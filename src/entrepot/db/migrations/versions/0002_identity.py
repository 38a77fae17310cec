"""The directory, roles, repository tokens, what signs in, the audit log.

On SQLite no table that others refer to is made anew: dropping the old one would delete the rows that refer to it.
"""

import sqlalchemy as sa
from alembic import op

from entrepot.db.columns import Instant, Key, Name

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _new_tables()
    _principals()
    _rights()
    _resources()


def _new_tables() -> None:
    op.create_table(
        "audit_checkpoint",
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("is_beginning", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_checkpoint")),
    )
    op.create_table(
        "audit_export",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_export")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("id", Key, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("action", sa.String(length=128), nullable=False),
        sa.Column("result", sa.String(length=32), nullable=False),
        sa.Column("principal", sa.String(length=64), nullable=False),
        sa.Column("method", sa.String(length=32), server_default="", nullable=False),
        sa.Column("credential", sa.String(length=64), server_default="", nullable=False),
        sa.Column("registry", Name, server_default="", nullable=False),
        sa.Column("target", sa.String(length=1024), server_default="", nullable=False),
        sa.Column("address", sa.String(length=64), server_default="", nullable=False),
        sa.Column("user_agent", sa.String(length=256), server_default="", nullable=False),
        sa.Column("request_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
        sa.UniqueConstraint("sequence", name=op.f("uq_audit_entry_sequence")),
    )
    op.create_index(op.f("ix_audit_entry_at"), "audit_entry", ["at"], unique=False)
    op.create_index(op.f("ix_audit_entry_principal"), "audit_entry", ["principal"], unique=False)
    op.create_index(
        op.f("ix_audit_entry_unchained"),
        "audit_entry",
        ["id"],
        unique=False,
        sqlite_where=sa.text("sequence IS NULL"),
        postgresql_where=sa.text("sequence IS NULL"),
    )

    op.create_table(
        "sign_in_failure",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("locked_until", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failure")),
    )
    op.create_index(op.f("ix_sign_in_failure_last_at"), "sign_in_failure", ["last_at"], unique=False)

    op.create_table(
        "role_definition",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("description", sa.String(length=1024), server_default="", nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.Column("assignable_scopes", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_role_definition_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_definition")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_role_definition_tenant_id_name")),
    )
    op.create_table(
        "application",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("principal_id", sa.String(length=36), nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("attributes", sa.Text(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name=op.f("fk_application_principal_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application")),
        sa.UniqueConstraint("principal_id", name=op.f("uq_application_principal_id")),
    )
    op.create_index(op.f("ix_application_name"), "application", ["name"], unique=False)

    op.create_table(
        "federated_credential",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("principal_id", sa.String(length=36), nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("issuer", sa.String(length=1024), nullable=False),
        sa.Column("subject", sa.String(length=1024), server_default="", nullable=False),
        sa.Column("expression", sa.String(length=2048), nullable=True),
        sa.Column("match", sa.String(length=16), server_default="exact", nullable=False),
        sa.Column("audiences", sa.Text(), nullable=False),
        sa.Column("description", sa.String(length=1024), server_default="", nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name=op.f("fk_federated_credential_principal_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_federated_credential")),
        sa.UniqueConstraint("principal_id", "name", name=op.f("uq_federated_credential_principal_id_name")),
    )
    op.create_table(
        "group_member",
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.Column("member_id", sa.String(length=36), nullable=False),
        sa.Column("from_outside", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["principal.id"], name=op.f("fk_group_member_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["principal.id"], name=op.f("fk_group_member_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "member_id", name=op.f("pk_group_member")),
    )
    op.create_index(op.f("ix_group_member_member_id"), "group_member", ["member_id"], unique=False)

    op.create_table(
        "handle",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("principal_id", sa.String(length=36), nullable=True),
        sa.Column("client_id", sa.String(length=128), server_default="", nullable=False),
        sa.Column("user_code", sa.String(length=16), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.Column("body", sa.Text(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name=op.f("fk_handle_principal_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handle")),
        sa.UniqueConstraint("user_code", name=op.f("uq_handle_user_code")),
    )
    op.create_index(op.f("ix_handle_expires_at"), "handle", ["expires_at"], unique=False)
    op.create_index(op.f("ix_handle_principal_id"), "handle", ["principal_id"], unique=False)


def _principals() -> None:
    is_sqlite = op.get_context().dialect.name == "sqlite"
    if not is_sqlite:  # which does not hold lengths
        op.alter_column("principal", "client_id", type_=sa.String(length=128))
    op.add_column("principal", sa.Column("type", sa.String(length=32), nullable=True))
    op.add_column("principal", sa.Column("upn", Name, nullable=True))
    number = "INTEGER" if is_sqlite else "BIGINT"
    constraint = op.f("fk_principal_registry_id")
    op.execute(
        f"ALTER TABLE principal ADD COLUMN registry_id {number} CONSTRAINT {constraint}"
        " REFERENCES registry (id) ON DELETE CASCADE"
    )
    op.add_column("principal", sa.Column("external_id", sa.String(length=1024), nullable=True))
    op.add_column("principal", sa.Column("provisioned", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("principal", sa.Column("attributes", sa.Text(), server_default="{}", nullable=False))
    op.create_index(op.f("ix_principal_registry_id_kind"), "principal", ["registry_id", "kind"])
    op.create_index(op.f("ix_principal_external_id"), "principal", ["external_id"], unique=True)
    op.create_index(op.f("ix_principal_upn"), "principal", ["upn"], unique=True)
    op.add_column("credential", sa.Column("name", Name, server_default="", nullable=False))
    op.add_column("credential", sa.Column("hint", sa.String(length=8), server_default="", nullable=False))
    op.add_column("credential", sa.Column("body", sa.Text(), nullable=True))
    op.add_column("signing_key", sa.Column("use", sa.String(length=16), server_default="registry", nullable=False))


def _rights() -> None:
    op.add_column("role_assignment", sa.Column("scope_key", sa.String(length=1024), server_default="", nullable=False))
    op.add_column("role_assignment", sa.Column("condition_version", sa.String(length=8), nullable=True))
    op.add_column(
        "role_assignment", sa.Column("description", sa.String(length=1024), server_default="", nullable=False)
    )
    op.add_column("role_assignment", sa.Column("updated_at", Instant(), nullable=True))
    op.add_column("role_assignment", sa.Column("created_by", sa.String(length=64), server_default="", nullable=False))
    op.execute("UPDATE role_assignment SET scope_key = lower(scope)")
    op.create_index(op.f("ix_role_assignment_scope_key"), "role_assignment", ["scope_key"])
    op.create_index(
        op.f("ix_role_assignment_principal_id_role_id_scope_key"),
        "role_assignment",
        ["principal_id", "role_id", "scope_key"],
        unique=True,
    )
    op.add_column("scope_map", sa.Column("type", sa.String(length=16), server_default="UserDefined", nullable=False))
    op.create_index(
        "uq_scope_map_registry_id_lower_name", "scope_map", ["registry_id", sa.text("lower(name)")], unique=True
    )
    op.drop_table("token")  # which nothing has written yet
    op.create_table(
        "token",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("scope_map_id", Key, nullable=True),
        sa.Column("principal_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name=op.f("fk_token_principal_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name=op.f("fk_token_registry_id")),
        sa.ForeignKeyConstraint(
            ["scope_map_id"], ["scope_map.id"], name=op.f("fk_token_scope_map_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("registry_id", "name", name=op.f("uq_token_registry_id_name")),
        sa.UniqueConstraint("principal_id", name=op.f("uq_token_principal_id")),
    )
    op.create_index(op.f("ix_token_scope_map_id"), "token", ["scope_map_id"])
    op.create_index("uq_token_registry_id_lower_name", "token", ["registry_id", sa.text("lower(name)")], unique=True)


def _resources() -> None:
    op.add_column("registry", sa.Column("updated_at", Instant(), nullable=True))
    op.add_column("registry", sa.Column("admin_enabled", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column(
        "registry",
        sa.Column("role_mode", sa.String(length=32), server_default="LegacyRegistryPermissions", nullable=False),
    )
    op.add_column("registry", sa.Column("arm_audience", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("resource_group", sa.Column("tags", sa.Text(), server_default="{}", nullable=False))
    op.add_column("tenant", sa.Column("name", Name, server_default="Entrepot", nullable=False))
    op.add_column("tenant", sa.Column("domain", Name, nullable=True))
    op.create_index(op.f("ix_tenant_domain"), "tenant", ["domain"], unique=True)
