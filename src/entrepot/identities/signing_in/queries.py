"""SQL of handles and of failed sign-ins."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, case, delete, insert, select, update

from entrepot.db.access_tables import credential, handle, principal, sign_in_failure
from entrepot.db.statements import upsert


class HandleRow(NamedTuple):
    """A handle as it is kept. ``used_at``: None until it was used, if it is good for one use."""

    id: str
    kind: str
    principal_id: str | None
    client_id: str
    user_code: str | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    body: str


def insert_handle(tx: Connection, made: HandleRow) -> None:
    tx.execute(insert(handle).values(**made._asdict()))


def claim(tx: Connection, made: HandleRow) -> bool:
    """Keep it, unless one of this id is there: then False."""
    statement = upsert(handle).values(**made._asdict()).on_conflict_do_nothing().returning(handle.c.id)
    return tx.execute(statement).one_or_none() is not None


def find_handle(tx: Connection, handle_id: str, kind: str) -> HandleRow | None:
    row = tx.execute(select(*handle.c).where(handle.c.id == handle_id, handle.c.kind == kind)).mappings().one_or_none()
    return None if row is None else HandleRow(**row)


def find_by_user_code(tx: Connection, user_code: str) -> HandleRow | None:
    row = tx.execute(select(*handle.c).where(handle.c.user_code == user_code)).mappings().one_or_none()
    return None if row is None else HandleRow(**row)


def lock_handle(tx: Connection, handle_id: str) -> None:
    """Nobody else changes it until this transaction ends."""
    tx.execute(select(handle.c.id).where(handle.c.id == handle_id).with_for_update())


def use(tx: Connection, handle_id: str, now: datetime) -> bool:
    """Mark it as used; False when it was used before: of two at once one gets True."""
    used = tx.execute(update(handle).where(handle.c.id == handle_id, handle.c.used_at.is_(None)).values(used_at=now))
    return used.rowcount > 0


def prolong(tx: Connection, handle_id: str, credential_id: str, expires_at: datetime) -> None:
    """A refresh token and its grant end later."""
    tx.execute(update(handle).where(handle.c.id == handle_id).values(expires_at=expires_at))
    tx.execute(update(credential).where(credential.c.id == credential_id).values(expires_at=expires_at))


def update_handle(tx: Connection, handle_id: str, principal_id: str | None, body: str) -> None:
    tx.execute(update(handle).where(handle.c.id == handle_id).values(principal_id=principal_id, body=body))


def delete_handle(tx: Connection, handle_id: str) -> None:
    tx.execute(delete(handle).where(handle.c.id == handle_id))


def delete_expired(tx: Connection, now: datetime, kinds: Collection[str]) -> None:
    """Handles that have ended, and credentials of these kinds that have; failures that nobody counts any more."""
    tx.execute(delete(handle).where(handle.c.expires_at < now))
    tx.execute(delete(credential).where(credential.c.kind.in_(kinds), credential.c.expires_at < now))


def delete_failures(tx: Connection, before: datetime) -> None:
    tx.execute(delete(sign_in_failure).where(sign_in_failure.c.last_at < before))


class LiveCredential(NamedTuple):
    """A credential of an enabled principal, whatever its kind."""

    id: str
    principal_id: str
    fingerprint: str
    expires_at: datetime | None


def live_credential(tx: Connection, credential_id: str, now: datetime) -> LiveCredential | None:
    row = tx.execute(
        select(credential.c.id, credential.c.principal_id, credential.c.secret_hash, credential.c.expires_at)
        .join_from(credential, principal, principal.c.id == credential.c.principal_id)
        .where(
            credential.c.id == credential_id,
            credential.c.expires_at.is_(None) | (credential.c.expires_at > now),
            principal.c.enabled,
            principal.c.provisioned,
        )
    ).one_or_none()
    return None if row is None else LiveCredential(*row)


class Failures(NamedTuple):
    """Failed sign-ins of one account, address or device."""

    number: int
    last_at: datetime
    locked_until: datetime | None


def locked_failures(tx: Connection, failure_id: str, now: datetime) -> Failures:
    """As they are, and nobody else changes them until this transaction ends."""
    statement = upsert(sign_in_failure).values(id=failure_id, failures=0, last_at=now)
    row = tx.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_={"id": failure_id}).returning(
            sign_in_failure.c.failures, sign_in_failure.c.last_at, sign_in_failure.c.locked_until
        )
    ).one()
    return Failures(*row)


def uncount(tx: Connection, failure_id: str, free: int) -> None:
    """One failure less, and no lock below so many."""
    less = sign_in_failure.c.failures - 1
    tx.execute(
        update(sign_in_failure)
        .where(sign_in_failure.c.id == failure_id, sign_in_failure.c.failures > 0)
        .values(failures=less, locked_until=case((less < free, None), else_=sign_in_failure.c.locked_until))
    )


def keep_failures(tx: Connection, failure_id: str, found: Failures) -> None:
    tx.execute(
        update(sign_in_failure)
        .where(sign_in_failure.c.id == failure_id)
        .values(failures=found.number, last_at=found.last_at, locked_until=found.locked_until)
    )


def forget_failures(tx: Connection, failure_id: str) -> None:
    tx.execute(delete(sign_in_failure).where(sign_in_failure.c.id == failure_id))
