"""Tables of the artifact cache: credentials for other registries, rules, what came so, images on their way."""

from typing import Final

from sqlalchemy import Column, ForeignKey, LargeBinary, String, Table, Text, UniqueConstraint

from entrepot.db.columns import DigestText, Instant, Key, Name
from entrepot.db.schema import metadata

credential_set: Final = Table(
    "credential_set",
    metadata,
    Column("id", Key, primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE"), nullable=False),
    # In lower case, which lists are ordered by, and as it was given.
    Column("key", Name, nullable=False),
    Column("name", Name, nullable=False),
    # Host and port, in lower case.
    Column("login_server", String(320), nullable=False),
    # JSON: the addresses of secrets in vaults; the identity that reads them.
    Column("credentials", Text, nullable=False),
    Column("identity", Text),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("registry_id", "key"),
)

cache_rule: Final = Table(
    "cache_rule",
    metadata,
    Column("id", Key, primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE"), nullable=False),
    # In lower case, which lists are ordered by, and as it was given.
    Column("key", Name, nullable=False),
    Column("name", Name, nullable=False),
    # docker.io/library/alpine and its host; docker.io/* of a rule for many.
    Column("source", String(640), nullable=False),
    Column("host", String(320), nullable=False),
    # A repository here, or what they begin with and "/*", or "*".
    Column("target", Name, nullable=False),
    Column("credential_set_id", Key, ForeignKey("credential_set.id")),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("registry_id", "key"),
    UniqueConstraint("registry_id", "target"),
)

cached_repository: Final = Table(
    "cached_repository",
    metadata,
    # That something of it came from a source: what a wildcard covers may also be somebody's own.
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE"), primary_key=True),
    Column("repository", Name, primary_key=True),
)

cached_tag: Final = Table(
    "cached_tag",
    metadata,
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE"), primary_key=True),
    # By name: before its first image is here there is no row of it.
    Column("repository", Name, primary_key=True),
    Column("tag", Name, primary_key=True),
    # What the source last said that it names, when that was, and when the source was last asked.
    Column("digest", DigestText, nullable=False),
    Column("confirmed_at", Instant, nullable=False),
    Column("asked_at", Instant, nullable=False),
)

cache_fill: Final = Table(
    "cache_fill",
    metadata,
    Column("id", Key, primary_key=True),
    Column("registry_id", Key, ForeignKey("registry.id", ondelete="CASCADE"), nullable=False),
    Column("repository", Name, nullable=False),
    Column("digest", DigestText, nullable=False),
    Column("media_type", String(255), nullable=False),
    Column("manifest", LargeBinary, nullable=False),
    # Who pulled it first; JSON: from where.
    Column("principal", String(64), nullable=False),
    Column("origin", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    # Why it could not be copied, and when that was.
    Column("problem", Text),
    Column("failed_at", Instant),
    UniqueConstraint("registry_id", "repository", "digest"),
)
