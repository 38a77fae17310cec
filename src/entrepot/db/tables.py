"""Every table of the catalog but those of ``access_tables``. DESIGN section 4 tells what each is for; migrations/ holds
how they came to be.

Columns that a list walks come first and wide ones last: SQLite then reads a row's head without its tail.
"""

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
    true,
)

from entrepot.db.columns import DigestText, Instant, Key, Name, locks
from entrepot.db.schema import metadata

# The name of what is being deleted begins so. No name that is asked for can, so everybody finds it gone.
HIDDEN: Final = "~"
# What may not be deleted: the same text in an index and in what looks by it, so that both databases take the index.
LOCKED: Final = "NOT (write_enabled AND delete_enabled)"


def _partial(name: str, *columns: str, only: str) -> Index:
    """An index of a few rows among many."""
    return Index(name, *columns, sqlite_where=text(only), postgresql_where=text(only))


# --- who owns what -------------------------------------------------------------------------------------------------

tenant: Final = Table(
    "tenant",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", Instant),
    Column("name", Name, nullable=False, server_default="Entrepot"),
    # What people write in place of the id, as in Entra: contoso.com.
    Column("domain", Name),
    Index(None, "domain", unique=True),
)

subscription: Final = Table(
    "subscription",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant_id", String(36), ForeignKey("tenant.id"), nullable=False),
    Column("name", Name, nullable=False),
)

resource_group: Final = Table(
    "resource_group",
    metadata,
    Column("id", Key, primary_key=True),
    Column("subscription_id", String(36), ForeignKey("subscription.id"), nullable=False),
    Column("name", Name, nullable=False),
    Column("location", String(64), nullable=False),
    Column("tags", Text, nullable=False, server_default="{}"),
    UniqueConstraint("subscription_id", "name"),
)

resource: Final = Table(
    "resource",
    metadata,
    Column("id", Key, primary_key=True),
    Column("resource_id", String(1024), nullable=False, unique=True),
    Column("type", String(128), nullable=False),
    Column("resource_group_id", Key, ForeignKey("resource_group.id"), nullable=False),
    Column("etag", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "type", "resource_id"),
)

registry: Final = Table(
    "registry",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("resource_group_id", Key, ForeignKey("resource_group.id"), nullable=False),
    Column("rid", String(32), nullable=False, unique=True),
    Column("sku", String(16), nullable=False),
    Column("region", String(64), nullable=False),
    Column("anonymous_pull", Boolean, nullable=False, server_default=false()),
    Column("bytes_used", BigInteger, nullable=False, server_default=text("0")),
    Column("bytes_limit", BigInteger),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant),
    Column("admin_enabled", Boolean, nullable=False, server_default=false()),
    # LegacyRegistryPermissions or AbacRepositoryPermissions (ACR-REFERENCE 5.1).
    Column("role_mode", String(32), nullable=False, server_default="LegacyRegistryPermissions"),
    # Whether a directory token for the management API signs in here as well (ACR's authentication-as-arm).
    Column("arm_audience", Boolean, nullable=False, server_default=true()),
    Column("settings", Text, nullable=False, server_default="{}"),
    # JSON (gate/firewall.py). None: every address is answered.
    Column("network", Text),
    # Whether what is deleted can be restored, and for how many days; they count for what was deleted before, too.
    Column("soft_delete", Boolean, nullable=False, server_default=false()),
    Column("soft_delete_days", Integer, nullable=False, server_default=text("7")),
    # After how many days without a tag a manifest is deleted, if it lost its tag since then. None: it is not.
    Column("untagged_from", Instant),
    Column("untagged_days", Integer, nullable=False, server_default=text("7")),
    # JSON: what of the tier's limits and features is otherwise for this registry (registries/tiers.py).
    Column("limits", Text),
    # How many runs of tasks it has had; the next one's number.
    Column("run_count", BigInteger, nullable=False, server_default=text("0")),
)

# --- what a registry holds -----------------------------------------------------------------------------------------

repository: Final = Table(
    "repository",
    metadata,
    Column("id", Key, primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id"), nullable=False),
    Column("name", Name, nullable=False),
    Column("sequence", BigInteger, nullable=False, server_default=text("0")),
    Column("manifest_count", BigInteger, nullable=False, server_default=text("0")),
    Column("tag_count", BigInteger, nullable=False, server_default=text("0")),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    *locks(),
    # Of one that was deleted as a whole: when, under which name it was known, and whether it can be restored. Its name
    # begins with HIDDEN; everything in it is as it was.
    Column("deleted_at", Instant),
    Column("deleted_name", Name),
    Column("is_kept", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("registry_id", "name"),
    _partial("ix_repository_deleted", "registry_id", "deleted_name", only="deleted_name IS NOT NULL"),
)

manifest: Final = Table(
    "manifest",
    metadata,
    Column("id", Key, primary_key=True),
    Column("repository_id", Key, ForeignKey("repository.id"), nullable=False),
    Column("digest", DigestText, nullable=False),
    Column("media_type", String(255), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("image_size", BigInteger, nullable=False),
    Column("subject", DigestText),
    Column("artifact_type", String(255)),
    Column("config_media_type", String(255)),
    Column("architecture", String(64)),
    Column("os", String(64)),
    Column("pushed_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("pushed_by", String(64), nullable=False),
    Column("last_pulled_at", Instant),
    Column("untagged_since", Instant),
    Column("deleted_at", Instant),
    Column("depth", Integer, nullable=False, server_default=text("0")),
    Column("quarantine_state", String(32)),
    *locks(),
    Column("quarantine_details", Text),
    Column("annotations", Text),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("repository_id", "digest"),
    Index(None, "repository_id", "subject", "digest"),
    # A list by time would walk through all that was deleted lately.
    _partial("ix_manifest_live", "repository_id", "updated_at", only="deleted_at IS NULL"),
    _partial("ix_manifest_locked", "repository_id", only=LOCKED),
    _partial("ix_manifest_deleted", "repository_id", "digest", only="deleted_at IS NOT NULL"),
    _partial("ix_manifest_deleted_at", "repository_id", "deleted_at", only="deleted_at IS NOT NULL"),
    _partial("ix_manifest_expiring", "deleted_at", only="deleted_at IS NOT NULL"),
    _partial("ix_manifest_untagged", "untagged_since", only="untagged_since IS NOT NULL"),
)

manifest_reference: Final = Table(
    "manifest_reference",
    metadata,
    Column("manifest_id", Key, ForeignKey("manifest.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("repository_id", Key, ForeignKey("repository.id"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("digest", DigestText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("media_type", String(255), nullable=False),
    Index(None, "repository_id", "digest"),
)

tag: Final = Table(
    "tag",
    metadata,
    Column("id", Key, primary_key=True),
    Column("repository_id", Key, ForeignKey("repository.id"), nullable=False),
    Column("name", Name, nullable=False),
    Column("manifest_id", Key, ForeignKey("manifest.id"), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # Who let it point to where it points; when, if that is not since it was made.
    Column("updated_by", String(64), nullable=False),
    Column("moved_at", Instant),
    *locks(),
    UniqueConstraint("repository_id", "name"),
    Index(None, "repository_id", "updated_at"),
    _partial("ix_tag_locked", "repository_id", only=LOCKED),
)

tag_history: Final = Table(
    "tag_history",
    metadata,
    Column("id", Key, primary_key=True),
    Column("repository_id", Key, ForeignKey("repository.id"), nullable=False),
    Column("name", Name, nullable=False),
    Column("digest", DigestText, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("set_by", String(64)),
    Column("ended_by", String(64), nullable=False),
    # Whether the tag was deleted, and can be restored; what it was moved away from is no deletion.
    Column("is_deleted", Boolean, nullable=False, server_default=false()),
    # In the order of a page of one tag's.
    Index(None, "repository_id", "name", "id"),
    # All that a list of deleted tags reads, and the condition as SQLAlchemy writes it for each database: SQLite would
    # take the index above otherwise.
    Index(
        "ix_tag_history_deleted",
        "repository_id",
        "name",
        "is_deleted",
        "digest",
        "until",
        sqlite_where=text("is_deleted = 1"),
        postgresql_where=text("is_deleted"),
    ),
)

# --- blob bytes ----------------------------------------------------------------------------------------------------

blob: Final = Table(
    "blob",
    metadata,
    Column("id", Key, primary_key=True),
    Column("digest", DigestText, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("corrupt_since", Instant),
)

blob_location: Final = Table(
    "blob_location",
    metadata,
    Column("blob_id", Key, ForeignKey("blob.id", ondelete="CASCADE"), primary_key=True),
    Column("store", String(64), primary_key=True),
    Column("key_scope", String(64), primary_key=True, server_default=""),
    Column("position", Integer, primary_key=True),
    Column("key", String(512), nullable=False),
    Column("length", BigInteger, nullable=False),
    Index(None, "store", "key"),
)

repository_blob: Final = Table(
    "repository_blob",
    metadata,
    Column("repository_id", Key, ForeignKey("repository.id"), primary_key=True),
    Column("blob_id", Key, ForeignKey("blob.id"), primary_key=True, index=True),
    Column("linked_at", Instant, nullable=False),
    Column("condemned_at", Instant),
    # Since when only manifests that were deleted need it: it is kept for them, and there for nobody.
    Column("deleted_at", Instant),
)

registry_blob: Final = Table(
    "registry_blob",
    metadata,
    Column("registry_id", Key, ForeignKey("registry.id"), primary_key=True),
    Column("blob_id", Key, ForeignKey("blob.id"), primary_key=True, index=True),
    Column("uses", BigInteger, nullable=False),
)

upload: Final = Table(
    "upload",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id"), nullable=False),
    Column("repository_name", Name, nullable=False),
    Column("principal", String(64), nullable=False, index=True),
    Column("algorithm", String(16), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("touched_at", Instant, nullable=False, index=True),
)

upload_piece: Final = Table(
    "upload_piece",
    metadata,
    Column("upload_id", String(32), ForeignKey("upload.id", ondelete="CASCADE"), primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("store", String(64), nullable=False),
    Column("key", String(512), nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("key_scope", String(64), nullable=False, server_default=""),
)

# --- garbage collection: what to look at, what to unlink -----------------------------------------------------------

blob_review: Final = Table(
    "blob_review",
    metadata,
    Column("repository_id", Key, ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True),
    Column("blob_id", Key, ForeignKey("blob.id", ondelete="CASCADE"), primary_key=True),
    Column("due_at", Instant, nullable=False, index=True),
    Column("reason", String(32), nullable=False),
)

retired_key: Final = Table(
    "retired_key",
    metadata,
    Column("store", String(64), primary_key=True),
    Column("key", String(512), primary_key=True),
    Column("length", BigInteger, nullable=False),
    Column("due_at", Instant, nullable=False, index=True),
)

collection_hold: Final = Table(
    "collection_hold",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("reason", String(64), nullable=False),
    Column("until", Instant, nullable=False),
)

# --- what happened -------------------------------------------------------------------------------------------------

event: Final = Table(
    "event",
    metadata,
    Column("repository_id", BigInteger, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("registry_id", BigInteger, nullable=False),
    Column("action", String(32), nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("principal", String(64), nullable=False),
    Column("body", Text, nullable=False),
    # When those who are told of events had got it to tell.
    Column("fanned_at", Instant),
    # When triggers of tasks had been looked at for it.
    Column("evaluated_at", Instant),
    Index(
        "ix_event_unevaluated",
        "repository_id",
        "sequence",
        sqlite_where=text("evaluated_at IS NULL"),
        postgresql_where=text("evaluated_at IS NULL"),
    ),
    Index(
        "ix_event_waiting",
        "repository_id",
        "sequence",
        sqlite_where=text("fanned_at IS NULL"),
        postgresql_where=text("fanned_at IS NULL"),
    ),
)

# --- work ----------------------------------------------------------------------------------------------------------

worker: Final = Table(
    "worker",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False, index=True),
)
