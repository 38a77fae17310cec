"""Tables of who may: the directory, what it hands out, roles, repository tokens, the audit log (DESIGN section 4)."""

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
    func,
    text,
    true,
)

from entrepot.db.columns import Instant, Key, Name
from entrepot.db.schema import metadata

_OF_PRINCIPAL: Final = "principal.id"

# --- the directory -------------------------------------------------------------------------------------------------

# Whoever can be given a right: a person, a service principal, a group, a repository token, a registry's admin account.
principal: Final = Table(
    "principal",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant_id", String(36), ForeignKey("tenant.id"), nullable=False),
    # A service principal's application id.
    Column("client_id", String(128), unique=True),
    Column("kind", String(32), nullable=False),
    Column("name", Name, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("created_at", Instant, nullable=False),
    # Of a service principal: Application or ManagedIdentity.
    Column("type", String(32)),
    # A person's user principal name, lower-case.
    Column("upn", Name),
    # Of tokens and admin accounts: the registry that they are of.
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE")),
    # Of a managed identity that is a resource's own: the registry (its row) that it goes with.
    Column("owner_id", BigInteger),
    # Of a run of a task: the principal whose rights it has, and no others; None: all that an admin account may.
    Column("acts_as", String(36)),
    # Of people from outside: issuer and subject there, or the LDAP server's entry.
    Column("external_id", String(1024)),
    # An application has its service principal from the beginning; until it is asked for it does not show.
    Column("provisioned", Boolean, nullable=False, server_default=true()),
    # What Graph shows beside these columns, as JSON.
    Column("attributes", Text, nullable=False, server_default="{}"),
    Index(None, "registry_id", "kind"),
    Index(None, "upn", unique=True),
    Index(None, "external_id", unique=True),
)

application: Final = Table(
    "application",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("principal_id", String(36), ForeignKey(_OF_PRINCIPAL, ondelete="CASCADE"), nullable=False, unique=True),
    Column("name", Name, nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    # Redirect URIs, identifier URIs and whatever else Graph shows, as JSON.
    Column("attributes", Text, nullable=False, server_default="{}"),
)

group_member: Final = Table(
    "group_member",
    metadata,
    Column("group_id", String(36), ForeignKey(_OF_PRINCIPAL, ondelete="CASCADE"), primary_key=True),
    Column("member_id", String(36), ForeignKey(_OF_PRINCIPAL, ondelete="CASCADE"), primary_key=True, index=True),
    # Set by a claim or an LDAP group at a sign-in, and taken away by the next one.
    Column("from_outside", Boolean, nullable=False, server_default=false()),
)

# Kinds: secret, password (a person's), totp, certificate, token (a repository token's), admin, run (of a task).
credential: Final = Table(
    "credential",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("principal_id", String(36), ForeignKey(_OF_PRINCIPAL, ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    # Of a certificate its SHA-256 thumbprint.
    Column("secret_hash", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    # password1, password2, or what its owner calls it.
    # Of one that a run of a task has: the run's.
    Column("name", Name, nullable=False, server_default="", index=True),
    # The secret's first characters, which tell one from another.
    Column("hint", String(8), nullable=False, server_default=""),
    # What must be readable again, sealed (access/sealing.py); or a certificate, as PEM.
    Column("body", Text),
)

federated_credential: Final = Table(
    "federated_credential",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("principal_id", String(36), ForeignKey(_OF_PRINCIPAL, ondelete="CASCADE"), nullable=False),
    Column("name", Name, nullable=False),
    Column("issuer", String(1024), nullable=False),
    Column("subject", String(1024), nullable=False, server_default=""),
    # An expression on the claims in place of one exact subject.
    Column("expression", String(2048)),
    # How the subject is meant: exact, pattern.
    Column("match", String(16), nullable=False, server_default="exact"),
    # JSON list.
    Column("audiences", Text, nullable=False),
    Column("description", String(1024), nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("principal_id", "name"),
)

# --- what signs in, and what it hands out --------------------------------------------------------------------------

# Uses: registry (ES256, tokens of /oauth2), directory (RS256, tokens of the Entra-shaped endpoints), audit (ES256,
# checkpoints: a key of this use is never deleted, or what it signed could not be verified any more).
signing_key: Final = Table(
    "signing_key",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("algorithm", String(16), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("retired_at", Instant),
    # Sealed (access/sealing.py).
    Column("private_pem", Text, nullable=False),
    Column("use", String(16), nullable=False, server_default="registry"),
)

# Codes, refresh tokens of the directory, device codes, browser sessions: known by a hash alone.
handle: Final = Table(
    "handle",
    metadata,
    # SHA-256 of the value, in hex.
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("principal_id", String(36), ForeignKey(_OF_PRINCIPAL, ondelete="CASCADE"), index=True),
    Column("client_id", String(128), nullable=False, server_default=""),
    Column("user_code", String(16), unique=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("used_at", Instant),
    Column("body", Text, nullable=False, server_default="{}"),
)

sign_in_failure: Final = Table(
    "sign_in_failure",
    metadata,
    # SHA-256 of the name that was tried, in hex, whether somebody has it or not.
    Column("id", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", Instant, nullable=False, index=True),
    Column("locked_until", Instant),
)

access_epoch: Final = Table(
    "access_epoch",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
)

# --- rights --------------------------------------------------------------------------------------------------------

role_definition: Final = Table(
    "role_definition",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant_id", String(36), ForeignKey("tenant.id"), nullable=False),
    Column("name", Name, nullable=False),
    Column("description", String(1024), nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # JSON lists, as Azure writes them.
    Column("permissions", Text, nullable=False),
    Column("assignable_scopes", Text, nullable=False),
    UniqueConstraint("tenant_id", "name"),
)

role_assignment: Final = Table(
    "role_assignment",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("principal_id", String(36), ForeignKey(_OF_PRINCIPAL, ondelete="CASCADE"), nullable=False),
    Column("role_id", String(36), nullable=False),
    Column("scope", String(1024), nullable=False, index=True),
    Column("condition", Text),
    Column("created_at", Instant, nullable=False),
    # The scope in lower case, without a slash at its end: scopes compare so.
    Column("scope_key", String(1024), nullable=False, server_default="", index=True),
    Column("condition_version", String(8)),
    Column("description", String(1024), nullable=False, server_default=""),
    Column("updated_at", Instant),
    Column("created_by", String(64), nullable=False, server_default=""),
    # Scopes before roles: a registry is reached from five, and a principal may have roles at thousands.
    Index(None, "principal_id", "scope_key", "role_id", unique=True),
)

scope_map: Final = Table(
    "scope_map",
    metadata,
    Column("id", Key, primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id"), nullable=False),
    Column("name", Name, nullable=False),
    Column("description", String(256), nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    # JSON list.
    Column("actions", Text, nullable=False),
    # UserDefined or SystemDefined.
    Column("type", String(16), nullable=False, server_default="UserDefined"),
    UniqueConstraint("registry_id", "name"),
)
# Names of resources compare without case.
Index("uq_scope_map_registry_id_lower_name", scope_map.c.registry_id, func.lower(scope_map.c.name), unique=True)

# ``principal.enabled`` is the token's status.
token: Final = Table(
    "token",
    metadata,
    Column("id", Key, primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id"), nullable=False),
    Column("name", Name, nullable=False),
    # None once its scope map was deleted: it then may nothing.
    Column("scope_map_id", Key, ForeignKey("scope_map.id", ondelete="SET NULL"), index=True),
    Column("principal_id", String(36), ForeignKey(_OF_PRINCIPAL, ondelete="CASCADE"), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("registry_id", "name"),
)
Index("uq_token_registry_id_lower_name", token.c.registry_id, func.lower(token.c.name), unique=True)

# --- the audit log -------------------------------------------------------------------------------------------------

# Rows come in as they happen and are numbered and chained a moment later by one process (``sequence``, ``hash``).
# Entries of changes by the management API: what the activity log shows. Literal, so that databases find the index.
OF_MANAGEMENT: Final = text("substr(action, 1, 10) = 'Microsoft.'")

audit_entry: Final = Table(
    "audit_entry",
    metadata,
    Column("id", Key, primary_key=True),
    Column("sequence", BigInteger, unique=True),
    Column("at", Instant, nullable=False, index=True),
    # A word of the data plane, or the name of a management operation.
    Column("action", String(128), nullable=False),
    Column("result", String(32), nullable=False),
    Column("principal", String(64), nullable=False, index=True),
    Column("method", String(32), nullable=False, server_default=""),
    Column("credential", String(64), nullable=False, server_default=""),
    Column("registry", Name, nullable=False, server_default=""),
    Column("target", String(1024), nullable=False, server_default=""),
    Column("address", String(64), nullable=False, server_default=""),
    Column("user_agent", String(256), nullable=False, server_default=""),
    Column("request_id", String(64), nullable=False, server_default=""),
    # SHA-256 over the entry before and this one, in hex.
    Column("hash", String(64)),
    # Before and after, or why it was denied, as JSON without secrets.
    Column("detail", Text, nullable=False, server_default="{}"),
    Index(
        "ix_audit_entry_unchained",
        "id",
        sqlite_where=text("sequence IS NULL"),
        postgresql_where=text("sequence IS NULL"),
    ),
    Index("ix_audit_entry_management", "at", "id", sqlite_where=OF_MANAGEMENT, postgresql_where=OF_MANAGEMENT),
)

audit_checkpoint: Final = Table(
    "audit_checkpoint",
    metadata,
    Column("sequence", BigInteger, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("kid", String(64), nullable=False),
    Column("signature", Text, nullable=False),
    # Older entries were pruned: the chain now begins after this one.
    Column("is_beginning", Boolean, nullable=False, server_default=false()),
)

# How far each export has come.
audit_export: Final = Table(
    "audit_export",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)
