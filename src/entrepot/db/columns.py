"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Dialect, Integer, String, true
from sqlalchemy.types import TypeDecorator

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

# SQLite gives a row number only to INTEGER PRIMARY KEY; PostgreSQL needs 64 bits (32 bits do run out).
Key: Final = BigInteger().with_variant(Integer(), "sqlite")
# OCI lists names in ASCII order; SQLite compares bytes by itself, PostgreSQL by the database's locale unless told.
Name: Final = String(255, collation="C").with_variant(String(255), "sqlite")
DigestText: Final = String(160, collation="C").with_variant(String(160), "sqlite")


def instant_of(stored: int) -> datetime:
    """What an ``Instant`` keeps, as a moment."""
    return _EPOCH + stored * _MICROSECOND


def number_of(at: datetime) -> int:
    """What an ``Instant`` keeps of a moment: microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """A moment in UTC, kept as microseconds since 1970: orders and compares as a number on both databases."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002  SQLAlchemy's
        return None if value is None else number_of(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  the same
        return None if value is None else instant_of(value)


def locks() -> tuple[Column[bool], Column[bool], Column[bool], Column[bool]]:
    """The four attributes that ACR keeps for each repository, manifest and tag (ACR-REFERENCE 8.3)."""
    return (
        Column("delete_enabled", Boolean, nullable=False, server_default=true()),
        Column("write_enabled", Boolean, nullable=False, server_default=true()),
        Column("read_enabled", Boolean, nullable=False, server_default=true()),
        Column("list_enabled", Boolean, nullable=False, server_default=true()),
    )
