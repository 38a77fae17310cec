"""A lock on what has no row of its own, held to the end of the transaction."""

from typing import Final

from sqlalchemy import BigInteger, Connection, String, bindparam, cast, func, select

from entrepot.db.prepared import Prepared

_LOCK: Final = Prepared(
    select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name", type_=String), cast(0, BigInteger))))
)


def lock_name(tx: Connection, name: str) -> None:
    """Wait until no other transaction holds the name: what is counted from here on stays true until the commit.

    SQLite has one writer at a time, so there it is held already. Names that share a hash wait for each other.
    """
    if tx.dialect.name == "postgresql":
        _LOCK.run(tx, name=name)
