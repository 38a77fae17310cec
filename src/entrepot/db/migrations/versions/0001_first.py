"""The whole catalog of DESIGN section 4."""

import sqlalchemy as sa
from alembic import op

from entrepot.db.columns import DigestText, Instant, Key, Name

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "access_epoch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_epoch")),
    )
    op.create_table(
        "blob",
        sa.Column("id", Key, nullable=False),
        sa.Column("digest", DigestText, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("corrupt_since", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blob")),
        sa.UniqueConstraint("digest", name=op.f("uq_blob_digest")),
    )
    op.create_table(
        "collection_hold",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection_hold")),
    )
    op.create_table(
        "delivery",
        sa.Column("id", Key, nullable=False),
        sa.Column("subscription", sa.String(length=1024), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("record", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint(
            "subscription", "repository_id", "sequence", name=op.f("uq_delivery_subscription_repository_id_sequence")
        ),
    )
    op.create_index(op.f("ix_delivery_state_due_at"), "delivery", ["state", "due_at"], unique=False)
    op.create_table(
        "event",
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("registry_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("principal", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("repository_id", "sequence", name=op.f("pk_event")),
        sa.UniqueConstraint("id", name=op.f("uq_event_id")),
    )
    op.create_index(op.f("ix_event_at"), "event", ["at"], unique=False)
    op.create_table(
        "retired_key",
        sa.Column("store", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("store", "key", name=op.f("pk_retired_key")),
    )
    op.create_index(op.f("ix_retired_key_due_at"), "retired_key", ["due_at"], unique=False)
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("retired_at", Instant(), nullable=True),
        sa.Column("private_pem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_key")),
    )
    op.create_table(
        "tenant",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant")),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
    )
    op.create_index(op.f("ix_worker_seen_at"), "worker", ["seen_at"], unique=False)
    op.create_table(
        "blob_location",
        sa.Column("blob_id", Key, nullable=False),
        sa.Column("store", sa.String(length=64), nullable=False),
        sa.Column("key_scope", sa.String(length=64), server_default="", nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blob.id"], name=op.f("fk_blob_location_blob_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("blob_id", "store", "key_scope", "position", name=op.f("pk_blob_location")),
    )
    op.create_index(op.f("ix_blob_location_store_key"), "blob_location", ["store", "key"], unique=False)
    op.create_table(
        "principal",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("client_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_principal_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_principal")),
        sa.UniqueConstraint("client_id", name=op.f("uq_principal_client_id")),
    )
    op.create_table(
        "subscription",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_subscription_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
    )
    op.create_table(
        "credential",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("principal_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("secret_hash", sa.String(length=255), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name=op.f("fk_credential_principal_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential")),
    )
    op.create_index(op.f("ix_credential_principal_id"), "credential", ["principal_id"], unique=False)
    op.create_table(
        "resource_group",
        sa.Column("id", Key, nullable=False),
        sa.Column("subscription_id", sa.String(length=36), nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscription.id"], name=op.f("fk_resource_group_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource_group")),
        sa.UniqueConstraint("subscription_id", "name", name=op.f("uq_resource_group_subscription_id_name")),
    )
    op.create_table(
        "role_assignment",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("principal_id", sa.String(length=36), nullable=False),
        sa.Column("role_id", sa.String(length=36), nullable=False),
        sa.Column("scope", sa.String(length=1024), nullable=False),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name=op.f("fk_role_assignment_principal_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_assignment")),
    )
    op.create_index(op.f("ix_role_assignment_principal_id"), "role_assignment", ["principal_id"], unique=False)
    op.create_index(op.f("ix_role_assignment_scope"), "role_assignment", ["scope"], unique=False)
    op.create_table(
        "registry",
        sa.Column("id", Key, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("resource_group_id", Key, nullable=False),
        sa.Column("rid", sa.String(length=32), nullable=False),
        sa.Column("sku", sa.String(length=16), nullable=False),
        sa.Column("region", sa.String(length=64), nullable=False),
        sa.Column("anonymous_pull", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("bytes_used", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("bytes_limit", sa.BigInteger(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("settings", sa.Text(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_group_id"], ["resource_group.id"], name=op.f("fk_registry_resource_group_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry")),
        sa.UniqueConstraint("name", name=op.f("uq_registry_name")),
        sa.UniqueConstraint("rid", name=op.f("uq_registry_rid")),
    )
    op.create_table(
        "resource",
        sa.Column("id", Key, nullable=False),
        sa.Column("resource_id", sa.String(length=1024), nullable=False),
        sa.Column("type", sa.String(length=128), nullable=False),
        sa.Column("resource_group_id", Key, nullable=False),
        sa.Column("etag", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_group_id"], ["resource_group.id"], name=op.f("fk_resource_resource_group_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource")),
        sa.UniqueConstraint("resource_id", name=op.f("uq_resource_resource_id")),
    )
    op.create_index(op.f("ix_resource_type_resource_id"), "resource", ["type", "resource_id"], unique=False)
    op.create_table(
        "registry_blob",
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("blob_id", Key, nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blob.id"], name=op.f("fk_registry_blob_blob_id")),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name=op.f("fk_registry_blob_registry_id")),
        sa.PrimaryKeyConstraint("registry_id", "blob_id", name=op.f("pk_registry_blob")),
    )
    op.create_index(op.f("ix_registry_blob_blob_id"), "registry_blob", ["blob_id"], unique=False)
    op.create_table(
        "repository",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("sequence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("manifest_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tag_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("delete_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("write_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("read_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("list_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name=op.f("fk_repository_registry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repository")),
        sa.UniqueConstraint("registry_id", "name", name=op.f("uq_repository_registry_id_name")),
    )
    op.create_table(
        "scope_map",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("description", sa.String(length=256), server_default="", nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name=op.f("fk_scope_map_registry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scope_map")),
        sa.UniqueConstraint("registry_id", "name", name=op.f("uq_scope_map_registry_id_name")),
    )
    op.create_table(
        "task",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name=op.f("fk_task_registry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("registry_id", "name", name=op.f("uq_task_registry_id_name")),
    )
    op.create_table(
        "upload",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("repository_name", Name, nullable=False),
        sa.Column("principal", sa.String(length=64), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("touched_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name=op.f("fk_upload_registry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
    )
    op.create_index(op.f("ix_upload_principal"), "upload", ["principal"], unique=False)
    op.create_index(op.f("ix_upload_touched_at"), "upload", ["touched_at"], unique=False)
    op.create_table(
        "base_image",
        sa.Column("id", Key, nullable=False),
        sa.Column("task_id", Key, nullable=False),
        sa.Column("reference", sa.String(length=512), nullable=False),
        sa.Column("digest", DigestText, nullable=True),
        sa.Column("seen_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_base_image_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_base_image")),
        sa.UniqueConstraint("task_id", "reference", name=op.f("uq_base_image_task_id_reference")),
    )
    op.create_index(op.f("ix_base_image_reference"), "base_image", ["reference"], unique=False)
    op.create_table(
        "blob_review",
        sa.Column("repository_id", Key, nullable=False),
        sa.Column("blob_id", Key, nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blob.id"], name=op.f("fk_blob_review_blob_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_blob_review_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("repository_id", "blob_id", name=op.f("pk_blob_review")),
    )
    op.create_index(op.f("ix_blob_review_due_at"), "blob_review", ["due_at"], unique=False)
    op.create_table(
        "manifest",
        sa.Column("id", Key, nullable=False),
        sa.Column("repository_id", Key, nullable=False),
        sa.Column("digest", DigestText, nullable=False),
        sa.Column("media_type", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("image_size", sa.BigInteger(), nullable=False),
        sa.Column("subject", DigestText, nullable=True),
        sa.Column("artifact_type", sa.String(length=255), nullable=True),
        sa.Column("config_media_type", sa.String(length=255), nullable=True),
        sa.Column("architecture", sa.String(length=64), nullable=True),
        sa.Column("os", sa.String(length=64), nullable=True),
        sa.Column("pushed_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("pushed_by", sa.String(length=64), nullable=False),
        sa.Column("last_pulled_at", Instant(), nullable=True),
        sa.Column("untagged_since", Instant(), nullable=True),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.Column("depth", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("quarantine_state", sa.String(length=32), nullable=True),
        sa.Column("delete_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("write_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("read_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("list_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("quarantine_details", sa.Text(), nullable=True),
        sa.Column("annotations", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name=op.f("fk_manifest_repository_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manifest")),
        sa.UniqueConstraint("repository_id", "digest", name=op.f("uq_manifest_repository_id_digest")),
    )
    op.create_index(
        op.f("ix_manifest_repository_id_subject_digest"),
        "manifest",
        ["repository_id", "subject", "digest"],
        unique=False,
    )
    op.create_index(
        op.f("ix_manifest_repository_id_updated_at"), "manifest", ["repository_id", "updated_at"], unique=False
    )
    op.create_table(
        "repository_blob",
        sa.Column("repository_id", Key, nullable=False),
        sa.Column("blob_id", Key, nullable=False),
        sa.Column("linked_at", Instant(), nullable=False),
        sa.Column("condemned_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["blob_id"], ["blob.id"], name=op.f("fk_repository_blob_blob_id")),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name=op.f("fk_repository_blob_repository_id")),
        sa.PrimaryKeyConstraint("repository_id", "blob_id", name=op.f("pk_repository_blob")),
    )
    op.create_index(op.f("ix_repository_blob_blob_id"), "repository_blob", ["blob_id"], unique=False)
    op.create_table(
        "run",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("task_id", Key, nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name=op.f("fk_run_registry_id")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_run_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("registry_id", "run_id", name=op.f("uq_run_registry_id_run_id")),
    )
    op.create_index(op.f("ix_run_registry_id_created_at"), "run", ["registry_id", "created_at"], unique=False)
    op.create_table(
        "tag_history",
        sa.Column("id", Key, nullable=False),
        sa.Column("repository_id", Key, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("digest", DigestText, nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("ended_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name=op.f("fk_tag_history_repository_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_history")),
    )
    op.create_index(
        op.f("ix_tag_history_repository_id_name_until"), "tag_history", ["repository_id", "name", "until"], unique=False
    )
    op.create_table(
        "token",
        sa.Column("id", Key, nullable=False),
        sa.Column("registry_id", Key, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("scope_map_id", Key, nullable=False),
        sa.Column("principal_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["principal_id"], ["principal.id"], name=op.f("fk_token_principal_id")),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name=op.f("fk_token_registry_id")),
        sa.ForeignKeyConstraint(["scope_map_id"], ["scope_map.id"], name=op.f("fk_token_scope_map_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("registry_id", "name", name=op.f("uq_token_registry_id_name")),
    )
    op.create_table(
        "upload_piece",
        sa.Column("upload_id", sa.String(length=32), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("store", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("key_scope", sa.String(length=64), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["upload.id"], name=op.f("fk_upload_piece_upload_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("upload_id", "offset", name=op.f("pk_upload_piece")),
    )
    op.create_table(
        "manifest_reference",
        sa.Column("manifest_id", Key, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("repository_id", Key, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("digest", DigestText, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["manifest_id"], ["manifest.id"], name=op.f("fk_manifest_reference_manifest_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name=op.f("fk_manifest_reference_repository_id")),
        sa.PrimaryKeyConstraint("manifest_id", "position", name=op.f("pk_manifest_reference")),
    )
    op.create_index(
        op.f("ix_manifest_reference_repository_id_digest"),
        "manifest_reference",
        ["repository_id", "digest"],
        unique=False,
    )
    op.create_table(
        "step",
        sa.Column("run_id", Key, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_step_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_step")),
    )
    op.create_table(
        "tag",
        sa.Column("id", Key, nullable=False),
        sa.Column("repository_id", Key, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("manifest_id", Key, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("updated_by", sa.String(length=64), nullable=False),
        sa.Column("delete_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("write_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("read_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("list_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifest.id"], name=op.f("fk_tag_manifest_id")),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name=op.f("fk_tag_repository_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag")),
        sa.UniqueConstraint("repository_id", "name", name=op.f("uq_tag_repository_id_name")),
    )
    op.create_index(op.f("ix_tag_manifest_id"), "tag", ["manifest_id"], unique=False)
    op.create_index(op.f("ix_tag_repository_id_updated_at"), "tag", ["repository_id", "updated_at"], unique=False)
