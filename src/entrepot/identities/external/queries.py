"""SQL of people from outside."""

from collections.abc import Collection
from dataclasses import asdict
from typing import NamedTuple

from sqlalchemy import Connection, delete, or_, select, update

from entrepot.db.access_tables import credential, group_member, principal
from entrepot.db.statements import upsert
from entrepot.identities.model import Kind, Principal, Proof


class OutsideRow(NamedTuple):
    """The credential of somebody from outside, and who that is."""

    id: str
    source: str
    body: str
    principal_id: str
    external_id: str
    upn: str
    tenant_id: str


def outside_of(tx: Connection, principal_id: str) -> OutsideRow | None:
    """None for somebody of ours, and for whom the outside's word was taken back."""
    row = tx.execute(
        select(
            credential.c.id,
            credential.c.name,
            credential.c.body,
            principal.c.id,
            principal.c.external_id,
            principal.c.upn,
            principal.c.tenant_id,
        )
        .join_from(credential, principal, principal.c.id == credential.c.principal_id)
        .where(principal.c.id == principal_id, credential.c.kind == Proof.OUTSIDE.value)
    ).one_or_none()
    return None if row is None else OutsideRow(*row)


def locked_body(tx: Connection, credential_id: str) -> str | None:
    """As it is, and nobody else changes it until this transaction ends."""
    return tx.execute(select(credential.c.body).where(credential.c.id == credential_id).with_for_update()).scalar()


def keep_body(tx: Connection, credential_id: str, body: str, source: str) -> None:
    tx.execute(update(credential).where(credential.c.id == credential_id).values(body=body, name=source))


def insert_person(tx: Connection, made: Principal) -> None:
    """Unless somebody has the name, or is this person: two may sign in at once."""
    tx.execute(upsert(principal).values(**asdict(made)).on_conflict_do_nothing())


def person_by_external_id(tx: Connection, external_id: str) -> str | None:
    return tx.execute(select(principal.c.id).where(principal.c.external_id == external_id)).scalar()


def lock_principal(tx: Connection, principal_id: str) -> None:
    """Nobody else changes the person, or makes them a credential from outside, until this transaction ends."""
    tx.execute(select(principal.c.id).where(principal.c.id == principal_id).with_for_update())


def groups_named(tx: Connection, tenant_id: str, names: Collection[str]) -> list[tuple[str, str]]:
    """Id and display name of the groups that have one of these as either."""
    rows = tx.execute(
        select(principal.c.id, principal.c.name).where(
            principal.c.tenant_id == tenant_id,
            principal.c.kind == Kind.GROUP.value,
            or_(principal.c.id.in_(names), principal.c.name.in_(names)),
        )
    )
    return [(row[0], row[1]) for row in rows]


def groups_from_outside(tx: Connection, member_id: str) -> frozenset[str]:
    rows = tx.execute(
        select(group_member.c.group_id).where(group_member.c.member_id == member_id, group_member.c.from_outside)
    )
    return frozenset(rows.scalars())


def insert_from_outside(tx: Connection, group_id: str, member_id: str) -> bool:
    """False for somebody who is in it already, by hand."""
    made = (
        upsert(group_member)
        .values(group_id=group_id, member_id=member_id, from_outside=True)
        .on_conflict_do_nothing()
        .returning(group_member.c.group_id)
    )
    return tx.execute(made).one_or_none() is not None


def delete_from_outside(tx: Connection, group_ids: Collection[str], member_id: str) -> None:
    tx.execute(
        delete(group_member).where(
            group_member.c.group_id.in_(group_ids), group_member.c.member_id == member_id, group_member.c.from_outside
        )
    )
